"""A commentator that tells how bright the picture is. docs/commentators.md explains it line by line."""

from models.commentators import About
from models.tables import CommentKind
from settings import Settings
from worker.commentator import Accelerator, Comment, Draft, Matter, Prompt, Told, Window

NOTICED = 8  # of 255: a smaller change is no news


class Brightness:
    about = About(
        label="mean brightness, an example: it sees nothing else", counts="words", is_prompted=False
    )
    name = "brightness"
    network = None  # nothing was trained

    def __init__(self, settings: Settings) -> None:
        self.streams = settings.worker_threads or 2

    def frame_size(self, width: int, height: int, prompt: Prompt) -> tuple[int, int]:
        return 32, 18  # more would not change the mean

    def comment(
        self, window: Window, prompt: Prompt, previous: Comment | None, draft: Draft
    ) -> Comment:
        mean = round(
            sum(float(frame.picture.mean()) for frame in window.frames) / len(window.frames)
        )
        before = previous.memory["mean"] if previous and previous.memory else None
        if before is not None and abs(mean - before) < NOTICED:
            return Comment(CommentKind.UNCHANGED)
        change = "" if before is None else ", brighter now" if mean > before else ", darker now"
        text = f"The picture's mean brightness is {mean} of 255{change}."
        return Comment(CommentKind.SAID, text, facts={"mean": mean}, memory={"mean": mean})

    def tell(self, matter: Matter, prompt: Prompt, draft: Draft) -> Told:
        return Told(reason="Brightness makes no story.")  # asked for where a summary is wanted

    def accelerator(self) -> Accelerator | None:
        return None

    def close(self) -> None:
        pass
