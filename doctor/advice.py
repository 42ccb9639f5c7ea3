"""From facts to lines: what is well, what is not, and the next step. Pure: looks at nothing."""

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from doctor.facts import (
    Facts,
    Gpu,
    Place,
    RunningFacts,
    StoreFacts,
    TorchFacts,
    Weights,
)
from doctor.lines import Level, Line, gigabytes

AWQ = "openbmb/MiniCPM-o-4_5-awq"
OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
OLDEST_TORCH = (2, 11)
LITTLE_DISK_BYTES = 2e9  # a few videos
FULL_DISK_BYTES = 2**28  # under which the page takes no upload: web/uploads.py keeps it free
OVERDUE_S = 60.0  # a sweep looks every few seconds
CLOCK_TOLERANCE_S = 5.0  # hosts give leases of half a minute, each by its own clock

# Beside the weights: the runtime's frugal way to work, which reads 2048 tokens at once, each token that a
# window has more, and keys and values of a token, as worker/minicpm/memory_plan.py counts them (which
# can't be asked where PyTorch is missing).
WORK_BYTES, WORK_TOKENS, MORE_BYTES, TOKEN_BYTES = 0.87e9, 2048, 130_000, 147_456


def advise(facts: Facts) -> list[Line]:
    """Judge every part for the chosen commentators."""
    could_run = not facts.in_image or facts.torch is not None or "torch" in facts.broken
    wanted = could_run and "minicpm" in facts.commentators
    runs_networks = wanted or (could_run and "transformers" in facts.commentators)
    lines = [
        *_settings(facts),
        *_python(facts),
        *_place("data folder", facts.data),
        *_place("media folder", facts.media),
        *_bucket(facts),
        *_store(facts),
        *_broker(facts),
        *_running(facts),
        *_clock(facts),
        *_gpu(facts, wanted, runs_networks),
        *(_gpu_decoding(facts) if could_run else ()),
        *_torch(facts, runs_networks),
        *_weights(facts, wanted),
        *_network(facts, runs_networks),
        *_endpoint(facts),
        *_broken(facts, wanted, runs_networks),
        Line("ok", "ffmpeg", "not needed: videos are read by the package av"),
    ]
    return lines


MENDING = {
    "store": "see that the server of DATABASE_URL runs and lets us in, or unset it to use SQLite",
    "broker": "see that the server of REDIS_URL runs and lets us in, or unset it",
    "running": "see the log of `serve`: a part of it may be starting just now",
    "GPU": "nvidia-smi must work first: restart, or install NVIDIA's driver anew",
    "endpoint": "set OPENAI_URL and OPENAI_MODEL as README tells",
}
"""What to do about a part that can't be looked at; else the installation is at fault."""


def _installing(facts: Facts, commentator: str = "") -> str:
    """Return what installs our packages, and those that only this commentator needs."""
    if facts.in_image:
        return "build the image anew: docker compose up --build --detach"
    return f"COMMENTATOR={commentator} make run" if commentator else "make run"


def _broken(facts: Facts, wanted: bool, runs_networks: bool) -> Iterator[Line]:
    for part, reason in facts.broken.items():
        if part == "torch":
            step = _installing(facts, "minicpm")
        elif reason.startswith("ModuleNotFoundError") or part not in MENDING:
            step = _installing(facts)
        else:
            step = MENDING[part]
        needed = {"GPU": wanted, "weights": wanted, "torch": runs_networks}.get(part, True)
        level: Level = "problem" if needed else "note"
        yield Line(level, part, f"can't be looked at: {reason}", step)


def _settings(facts: Facts) -> Iterator[Line]:
    if facts.bad_setting:
        yield Line(
            "problem",
            "settings",
            f"{facts.bad_setting} The rest is told as if no setting were made.",
            "change or unset that variable",
        )
    for name in facts.unknown_commentators:
        known = ", ".join(facts.known_commentators)
        yield Line("problem", "settings", f"COMMENTATOR names {name!r}; this version has: {known}")
    if not facts.bad_setting and not facts.unknown_commentators:
        yield Line("ok", "settings", f"COMMENTATOR={','.join(facts.commentators)}")


def _python(facts: Facts) -> Iterator[Line]:
    if facts.python is None:
        return
    version = ".".join(map(str, facts.python.version))
    if not OLDEST_PYTHON <= facts.python.version[:2] <= NEWEST_PYTHON:
        yield Line(
            "problem",
            "Python",
            f"{version}, and 3.11, 3.12 or 3.13 is needed",
            _installing(facts) if facts.in_image else "make run PYTHON=/path/to/python3.12",
        )
    else:
        yield Line("ok", "Python", version)
    missing = [name for name, found in facts.python.packages.items() if not found]
    if missing:
        yield Line("problem", "packages", f"missing: {', '.join(missing)}", _installing(facts))
    elif facts.python.unfit:
        told = [
            f"{n} {facts.python.packages[n]} ({w} is needed)" for n, w in facts.python.unfit.items()
        ]
        text = f"of other versions: {', '.join(told)}"
        yield Line("problem", "packages", text, _installing(facts))
    else:
        listed = ", ".join(f"{name} {found}" for name, found in facts.python.packages.items())
        yield Line("ok", "packages", listed)


def _place(subject: str, place: Place | None) -> Iterator[Line]:
    if place is None:
        return
    if not place.writable:
        yield Line(
            "problem",
            subject,
            f"{place.path} can't be written",
            f"make it yours, chown -R $(id -un) {place.path}, or set DATA_DIR to another folder",
        )
        return
    text = f"{place.path}, {gigabytes(place.free_bytes)} free"
    if place.free_bytes < FULL_DISK_BYTES:
        step = (
            "make room, delete old jobs, or set KEEP_MEDIA_DAYS so that old videos go by themselves"
        )
        yield Line("problem", subject, f"{text}: uploads are refused", step)
    elif place.free_bytes < LITTLE_DISK_BYTES:
        yield Line("note", subject, text, "make room, or set DATA_DIR to a folder on a larger disk")
    else:
        yield Line("ok", subject, text)


def _bucket(facts: Facts) -> Iterator[Line]:
    bucket = facts.bucket
    if bucket is None:
        return
    if bucket.trouble:
        text = f"{bucket.url}: {bucket.trouble}"
        install = _installing(facts) if facts.in_image else "MEDIA_URL=… make run"
        step = bucket.next_step or f"{install} installs it"
        yield Line("problem", "object storage", text, step)
    else:
        text = f"{bucket.url}: a small file was written, read and removed"
        yield Line("ok", "object storage", text)


def _store(facts: Facts) -> Iterator[Line]:
    store = facts.store
    if store is None:
        return
    text, level, step = _standing(store, facts)
    kind = f"{store.kind} {store.version}".strip()
    yield Line(level, "store", f"{kind}: {text}", step)


def _standing(store: StoreFacts, facts: Facts) -> tuple[str, Level, str]:
    match store.standing:
        case "none" | "empty":
            return "not made yet; `serve` makes it at its start", "ok", ""
        case "current":
            return f"answers, with this version's schema ({store.revision})", "ok", ""
        case "older":
            step = f"back it up, then {facts.command} migrate (serve does it too)"
            return f"of an older version, with schema {store.revision}", "note", step
        case "newer":
            text = f"made by a newer version of Reelnotes, with schema {store.revision}"
            return text, "problem", f"git pull, then {_installing(facts)}"


def _broker(facts: Facts) -> Iterator[Line]:
    broker = facts.broker
    if broker is not None:
        text = (
            f"the embedded one ({PurePath(broker.server).name}), started by `serve`"
            if broker.embedded
            else f"{broker.server} answers at REDIS_URL"
        )
        yield Line("ok", "broker", text)


def _running(facts: Facts) -> Iterator[Line]:
    running = facts.running
    if running is None:
        return
    if running.url:
        yield _served(running)
    if not running.asked:
        if not running.url:
            start = "`serve`" if facts.in_image else "`make run`"
            yield Line("ok", "running", f"nothing just now; {start} starts everything")
        return
    yield from _workers(running, facts.command)
    yield _sweep(running, facts)


def _served(running: RunningFacts) -> Line:
    if running.version == running.ours:
        return Line("ok", "page", f"answers at {running.url}, version {running.version}")
    text = f"{running.url} runs version {running.version}, and {running.ours} is installed"
    return Line("problem", "page", text, "stop it and start it again")


def _workers(running: RunningFacts, command: str) -> Iterator[Line]:
    for name, count in running.workers.items():
        subject = f"workers of {name}"
        if count:
            answer = "answers" if count == 1 else "answer"
            yield Line("ok", subject, f"{count} {answer}")
            continue
        step = (
            "see its log: it starts workers again, and one that loads a network doesn't answer yet"
            if running.url
            else f"{command} worker --commentator {name}, on each host; one that runs: see its log"
        )
        yield Line("problem", subject, "none answers, so their jobs wait", step)


def _sweep(running: RunningFacts, facts: Facts) -> Line:
    start = "see the log of `serve`" if running.url else f"{facts.command} beat, on one host"
    if not running.sweeps:
        text = "no beat answers: the work of a killed worker is not taken up again"
        return Line("problem", "sweep", text, start)
    overdue = facts.store.overdue_s if facts.store else 0.0
    if overdue > OVERDUE_S:
        text = f"beat answers, but a lease ended {overdue:.0f} s ago and nobody took its chunk back"
        return Line("problem", "sweep", text, "see the log of beat for what its sweep fails at")
    return Line("ok", "sweep", "beat answers, and no lease is overdue")


def _clock(facts: Facts) -> Iterator[Line]:
    if facts.clock is None:
        return
    if facts.clock.before_installation:
        yield Line(
            "problem",
            "clock",
            f"it shows {facts.clock.now}, before this program was installed",
            "timedatectl set-ntp true",
        )
        return
    others = [("the store", facts.store), ("the broker", facts.broker)]
    offsets = [(who, part.clock_s) for who, part in others if part and part.clock_s is not None]
    far = [f"{who}'s is {offset:+.1f} s off" for who, offset in offsets if not _near(offset)]
    if far:
        text = f"{facts.clock.now}, but {' and '.join(far)}: leases would end too early or too late"
        yield Line("problem", "clock", text, "timedatectl set-ntp true, on every host")
    else:
        agreed = "".join(f", as {who}'s" for who, _ in offsets)
        yield Line("ok", "clock", f"{facts.clock.now}{agreed}")


def _near(offset: float) -> bool:
    return abs(offset) <= CLOCK_TOLERANCE_S


def _gpu(facts: Facts, wanted: bool, runs_networks: bool) -> Iterator[Line]:
    gpus = _best_known(facts)
    if gpus:
        for number, gpu in enumerate(gpus):
            free, total = gigabytes(gpu.free_bytes), gigabytes(gpu.total_bytes)
            yield Line("ok", f"GPU {number}", f"{gpu.name}, {free} of {total} free")
    elif "GPU" not in facts.broken:
        text = "none is seen (nvidia-smi lists none)"
        if wanted:
            step = (
                "install NVIDIA's driver, in a container its toolkit and --gpus all; or set "
                "COMMENTATOR=builtin: on a CPU minicpm takes minutes for a window"
            )
            yield Line("problem", "GPU", text, step)
        else:
            needs = (
                "transformers runs on the CPU, slowly"
                if runs_networks
                else "nothing here needs one"
            )
            yield Line("note" if runs_networks else "ok", "GPU", f"{text}; {needs}")


def _gpu_decoding(facts: Facts) -> Iterator[Line]:
    if facts.gpu_decoding == "":
        yield Line("ok", "GPU decoding", "NVDEC decodes")
    elif facts.gpu_decoding is not None:
        text = f"GPU_DECODERS is set, but the GPU decodes nothing: {facts.gpu_decoding}; the CPU decodes"
        step = "update NVIDIA's driver, in a container add `video` to NVIDIA_DRIVER_CAPABILITIES; or unset it"
        yield Line("problem", "GPU decoding", text, step)


def _best_known(facts: Facts) -> Sequence[Gpu]:
    """PyTorch's word counts: it is what the runtime sees."""
    return (facts.torch.gpus if facts.torch else ()) or facts.gpus or ()


def _torch(facts: Facts, wanted: bool) -> Iterator[Line]:
    if "torch" in facts.broken:
        return
    level: Level = "problem" if wanted else "note"
    who = "minicpm" if "minicpm" in facts.commentators or not wanted else "transformers"
    step = _installing(facts, who)
    torch = facts.torch
    if torch is None and facts.in_image:
        yield Line("ok", "PyTorch", "not in this image: it runs no networks; the image `gpu` does")
    elif torch is None:
        yield Line(level, "PyTorch", f"not installed; {who} needs it", step)
    elif _version(torch.version) < OLDEST_TORCH:
        yield Line(level, "PyTorch", f"{torch.version}, and 2.11 or newer is needed", step)
    elif facts.gpus and not torch.gpus:
        trouble = (
            f"is a build for CUDA {torch.cuda} that can't use the GPU: the driver may be too old"
            if torch.cuda
            else "is a CPU build, and there is a GPU"
        )
        step = f"update NVIDIA's driver, then {step}" if torch.cuda else step
        yield Line(level, "PyTorch", f"{torch.version} {trouble}", step)
    else:
        yield Line("ok", "PyTorch", _describe_torch(torch))


def _describe_torch(torch: TorchFacts) -> str:
    build = f"CUDA {torch.cuda}" if torch.cuda else "CPU build"
    others = "".join(f", {name} {version}" for name, version in torch.packages.items())
    return f"{torch.version} ({build}{'' if torch.gpus else ', no GPU in use'}){others}"


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("+")[0].split(".")[:2] if part.isdigit())


def _weights(facts: Facts, wanted: bool) -> Iterator[Line]:
    found = facts.weights
    if found is None:
        return
    level: Level = "problem" if wanted else "note"
    pull = f"{facts.command} pull {facts.model_path}"
    weights = found.weights
    if weights is None:
        begun = "a pull into it was interrupted" if found.interrupted else "it isn't there"
        step = f"MODEL_PATH={found.others[0]}, which is there, or {pull}" if found.others else pull
        yield Line(level, "weights", f"{found.folder}: {begun}; minicpm needs it", step)
    elif weights.trouble:
        step = f"mv {weights.folder} {weights.folder}.broken && {pull}"
        step = pull if weights.pulled else step
        text = f"{weights.folder} is not whole: {weights.trouble}"
        yield Line(level, "weights", text, step)
    else:
        yield Line("ok", "weights", _describe_weights(weights))
        yield from _fit(facts, weights, level)


def _describe_weights(weights: Weights) -> str:
    kind = "AWQ, 4 bits" if weights.quantised else "BF16"
    whole = "every hash was checked" if weights.pulled else "its sizes are right"
    return (
        f"{kind}, whole ({whole}), {gigabytes(weights.device_bytes)} to load of "
        f"{gigabytes(weights.stored_bytes)}, {weights.vision_layers} vision layers, in {weights.folder}"
    )


def beside_weights(window_tokens: int) -> float:
    """Return the bytes that one window, and the slot that no window has, take with all that goes with them."""
    more = max(0, window_tokens - WORK_TOKENS) * MORE_BYTES
    return WORK_BYTES + more + 2 * window_tokens * TOKEN_BYTES


def _fit(facts: Facts, weights: Weights, level: Level) -> Iterator[Line]:
    gpus = _best_known(facts)
    if not gpus:
        return
    gpu = gpus[0]
    on_gpu = weights.device_bytes - weights.embedding_bytes  # its table of tokens stays on the host
    least = on_gpu + beside_weights(facts.window_tokens) + facts.decoder_bytes
    needs = f"the weights need {gigabytes(least)} at least, their first window included"
    if facts.decoder_bytes:
        needs += f" and {gigabytes(facts.decoder_bytes)} for GPU_DECODERS"
    if gpu.total_bytes < least:
        if gpu.total_bytes >= least - facts.decoder_bytes:
            step = "set GPU_DECODERS lower, or unset it"
        elif weights.quantised:
            step = "a card with 12 GB or more, WINDOW_TOKENS lower, or COMMENTATOR=builtin"
        else:
            step = f"the 4-bit weights: {facts.command} pull {AWQ}, then MODEL_PATH={AWQ}"
        yield Line(level, "fit", f"{needs}, and {gpu.name} has {gigabytes(gpu.total_bytes)}", step)
    elif gpu.free_bytes < least:
        text = (
            f"{needs}, and {gigabytes(gpu.free_bytes)} are free just now: other programs, or a "
            "running worker of ours, hold the rest"
        )
        yield Line("note", "fit", text, "nvidia-smi shows them")
    else:
        rest = gigabytes(gpu.free_bytes - on_gpu)
        yield Line("ok", "fit", f"{needs}; {rest} are left beside them for windows")


def _network(facts: Facts, wanted: bool) -> Iterator[Line]:
    found = facts.network
    if found is None:
        return
    if found.trouble:
        step = (
            f"{facts.command} pull {found.model}, or name another: docs/transformers.md says which fit"
            if found.model
            else "set TRANSFORMERS_MODEL to a folder or a hub name: docs/transformers.md says which fit"
        )
        where = f"{found.folder}: " if found.model else ""
        level: Level = "problem" if wanted else "note"
        yield Line(level, "network", f"{where}{found.trouble}; transformers needs it", step)
    else:
        text = (
            f"{found.architecture}, {gigabytes(found.stored_bytes)} of weights, in {found.folder}"
        )
        yield Line("ok", "network", f"{text}; whether they are whole shows when they are loaded")


def _endpoint(facts: Facts) -> Iterator[Line]:
    found = facts.endpoint
    if found is None:
        return
    if found.key_refused:
        key = "OPENAI_KEY" if found.has_key else "a request without OPENAI_KEY"
        text, step = f"{found.host} refuses {key}: {found.reason}", "set OPENAI_KEY to its key"
        yield Line("problem", "endpoint", text, step)
    elif found.is_away:
        step = "start it, or set OPENAI_URL to where it listens"
        yield Line("problem", "endpoint", f"{found.host} can't be asked: {found.reason}", step)
    elif found.listed is None:
        text = f"{found.host} answers, but tells no networks: {found.reason}"
        step = "see that OPENAI_URL ends as its guide says, mostly in /v1; some have no list"
        yield Line("note", "endpoint", text, step)
    elif found.model not in found.listed:
        shown = ", ".join(found.listed[:10]) or "none"
        text = f"{found.host} doesn't list {found.model!r}; it lists {shown}"
        yield Line("problem", "endpoint", text, "set OPENAI_MODEL to one that it lists")
    else:
        key = ", and OPENAI_KEY was not refused" if found.has_key else ""
        yield Line("ok", "endpoint", f"{found.host} answers and lists {found.model}{key}")
