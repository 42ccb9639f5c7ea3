"""What the threads of a worker process share."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from models import chunks
from models.chunks import Claim
from models.errors import BadFile
from models.media import Media
from models.parameters import Parameters
from models.store import Store
from models.tables import Video
from worker.commentator import Commentator, Draft, Prompt
from worker.keeper import Keeper
from worker.meters import Meter, meter_of
from worker.quarantine import Quarantine
from worker.speech.transcriber import Transcriber
from worker.video.decoder import Clock, Decoder, Sampled
from worker.video.gpu import GpuDecoders
from worker.video.tables import SharedTables

_WRITING_SHARE = 1 / 3  # of a step's time limit, for one of two answers: looking takes the rest


@dataclass(frozen=True, slots=True)
class Site:
    """What the threads of a worker process share."""

    store: Store
    media: Media
    commentator: Commentator
    keeper: Keeper
    lease_ms: int
    window_timeout_s: float
    tables: SharedTables = field(default_factory=SharedTables)
    gpu_decoders: GpuDecoders | None = None
    quarantine: Quarantine = field(default_factory=Quarantine)
    transcriber: Transcriber | None = None
    job_parallelism: int = 64  # hints of a job that comes to another stage
    draining: threading.Event = field(default_factory=threading.Event)
    lost: threading.Event = field(default_factory=threading.Event)  # the commentator is
    local: threading.local = field(default_factory=threading.local)

    @property
    def meter(self) -> Meter:
        return meter_of(self.commentator.name)

    @contextmanager
    def local_video(self, video: Video) -> Iterator[Path]:
        """Yield the video's file on this machine. Raises BadFile, and MediaAway."""
        with ExitStack() as held:
            try:
                path = held.enter_context(self.media.local_video(video.id, video.sha256))
            except FileNotFoundError:
                raise BadFile("The video is no longer in its place.") from None
            yield path

    def decoder(self) -> Decoder:
        """Return this thread's decoder; its child process starts with the first file."""
        if not hasattr(self.local, "decoder"):
            self.local.decoder = Decoder(self.window_timeout_s, self.tables)
        decoder: Decoder = self.local.decoder
        return decoder

    def sample(
        self,
        path: Path,
        clock: Clock,
        windows: Sequence[Sequence[Fraction]],
        slot: Fraction,
        size: tuple[int, int],
    ) -> Iterator[Sampled]:
        """Yield the frames of each window in turn, by whatever decodes; see Decoder.sample()."""
        if self.gpu_decoders is None:
            return self.decoder().sample(path, clock, windows, slot, size)
        return self.gpu_decoders.sample(self.decoder(), path, clock, windows, slot, size)

    def prompt(self, parameters: Parameters, max_new_tokens: int | None = None) -> Prompt:
        """Return what a job asks of the commentator; other than a comment may be longer than those."""
        return Prompt(
            max_new_tokens=max_new_tokens or parameters.max_new_tokens,
            prompting=parameters.prompting,
            time_limit_s=self.window_timeout_s * _WRITING_SHARE,
        )

    @contextmanager
    def call(self, claim: Claim, step: int, *, is_alone: bool) -> Iterator[Draft]:
        """Yield a draft for a call of the commentator: beside others, unless it is a suspect's."""
        with (
            nullcontext() if is_alone else self.quarantine.beside_others(),
            self.keeper.watch_call(claim, step) as draft,
        ):
            yield draft

    @contextmanager
    def attempt(self, claim: Claim) -> Iterator[ExitStack]:
        """Yield what keeps a suspect alone in the process until it is closed; its attempt counts now."""
        with ExitStack() as alone:
            if claim.is_suspect:
                alone.enter_context(self.quarantine.alone())
                with self.store.write() as session:
                    chunks.begin_attempt(session, claim)
            yield alone
