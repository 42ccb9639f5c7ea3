"""Submits files from the command line, waits for their commentary and writes it."""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from shutil import copymode
from typing import IO, TYPE_CHECKING
from uuid import uuid4

import click

from client import PATIENCE_S, Client, ClientError, Refused, outlast
from models.printable import printable

if TYPE_CHECKING:
    from web.shapes import JobShape

EXTENSIONS = {
    "descriptions": "descriptions.vtt",
    "chapters": "chapters.vtt",
    "chapterlist": "chapters.txt",
    "speechsrt": "speech.srt",
    "speechvtt": "speech.vtt",
}
"""Of formats that aren't called after their extension."""

SPOKEN = ("m4a", "wav")

_BAD = {"unreadable", "refused", "failed", "cancelled", "not written"}

_LONGEST_NAME = 255  # bytes, on common file systems
_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a video is: here, in the server's folder, or at an address."""

    kind: str  # "file", "paths" or "urls"
    address: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What to do with each file."""

    parameters: Mapping[str, str]
    outputs: Mapping[str, str]  # format → file, folder or "-"
    wait: bool


class _Unreadable(Exception):
    """A file here can't be read, or not to its end; the text names it."""


def submit_files(client: Client, files: Sequence[Origin], wish: Wish) -> int:
    """Submit all, then wait for all; a bad file doesn't stop the others. Return the exit status."""
    alone = len(files) == 1
    make_folders(wish.outputs, alone=alone)
    results: Counter[str] = Counter()
    jobs = []
    for origin in files:
        try:
            jobs.append(_submit(client, origin, wish))
        except Refused as refusal:
            results["refused"] += 1
            click.echo(f"refused ({refusal.kind}): {printable(str(refusal))}", err=True)
        except _Unreadable as error:  # it is gone, or its disk is
            results["unreadable"] += 1
            click.echo(f"not sent: {printable(str(error))}", err=True)
    for job in jobs:
        try:
            if wish.wait:
                job = _wait(client, job)
                if write_exports(client, job, wish.outputs, alone=alone):
                    results["not written"] += 1
            results[job["state"]] += 1
        except Refused as refusal:  # it was deleted meanwhile
            results["refused"] += 1
            click.echo(f"refused ({refusal.kind}): {printable(str(refusal))}", err=True)
    if not alone:
        totals = ", ".join(f"{count} {result}" for result, count in sorted(results.items()))
        click.echo(totals, err=True)
    return 1 if results.keys() & _BAD else 0


def _submit(client: Client, origin: Origin, wish: Wish) -> "JobShape":
    if origin.kind == "file":
        job = _upload(client, Path(origin.address), wish)
    else:
        job = _fetch(client, origin, wish)
    click.echo(job["id"], err=bool(wish.outputs))
    for warning in job["video"]["warnings"]:
        click.echo(f"note: {printable(warning)}", err=True)
    return job


def _upload(client: Client, path: Path, wish: Wish) -> "JobShape":
    """Raises Refused or _Unreadable."""
    try:
        size = path.stat().st_size
        try:
            return _send(client, path, size, wish)
        finally:  # also of one that was refused: this may be why
            with suppress(OSError):  # it may be gone by now, but what was sent stays sent
                if path.stat().st_size > size:
                    told = f"{printable(path.name)} grows; sent is what it was at first"
                    click.echo(f"note: {told}", err=True)
    except OSError as error:
        raise _Unreadable(f"{path}: {error.strerror or error}") from error


def _send(client: Client, path: Path, size: int, wish: Wish) -> "JobShape":
    label = f"upload {printable(path.name)[:40]}"
    with click.progressbar(length=size, label=label, file=sys.stderr) as bar:
        return client.submit(path, wish.parameters, bar.update)


def _fetch(client: Client, origin: Origin, wish: Wish) -> "JobShape":
    """Wait until the server has got the file. Raises Refused; interrupted, the server goes on."""
    fetch = client.fetch(origin.kind, origin.address, wish.parameters)
    label = f"fetch {printable(fetch['filename'])[:41]}"
    trouble = None
    with click.progressbar(length=1000, label=label, file=sys.stderr) as bar:
        while fetch["job"] is None and fetch["failure"] is None:
            if fetch["trouble"] != trouble and (trouble := fetch["trouble"]):
                click.echo(f"\nnote: {printable(trouble)}", err=True)
            if fetch["size_bytes"]:
                bar.update(1000 * fetch["offset_bytes"] // fetch["size_bytes"] - bar.pos)
            time.sleep(_POLL_S)
            fetch = outlast(partial(client.fetch_state, fetch["id"]), _tell_lost)
    if fetch["failure"]:
        raise Refused(fetch["failure"]["kind"], fetch["failure"]["message"])
    return client.job(fetch["job"] or "")


def _wait(client: Client, job: "JobShape") -> "JobShape":
    label = f"comment {printable(job['filename'])[:39]}"
    with click.progressbar(length=job["windows_total"], label=label, file=sys.stderr) as bar:
        job = client.wait(
            job["id"], lambda now: bar.update(now["windows_done"] - bar.pos), _tell_lost
        )
    if job["failure"]:
        click.echo(
            f"failed ({job['failure']['kind']}): {printable(job['failure']['message'])}", err=True
        )
    return job


def _tell_lost(error: ClientError) -> None:
    minutes = round(PATIENCE_S / 60)
    told = f"waiting up to {minutes} minutes for the server: {printable(str(error))}"
    click.echo(f"\nnote: {told}", err=True)


def write_exports(
    client: Client,
    job: "JobShape",
    outputs: Mapping[str, str],
    *,
    alone: bool,
    choices: Mapping[str, str] | None = None,
) -> int:
    """Write each wanted format; in a folder, a file is called after the video. Return the exit status.

    `choices` go to the formats that know them. What the server refuses, or can't be written, is told; the
    others are written.
    """
    status = 0
    for export_format, out in outputs.items():
        fitting = _fitting(export_format, choices or {})
        try:
            if export_format in job["links"]["renders"] and not _render(
                client, job, export_format, fitting
            ):
                status = 1
                continue
            first, pieces = outlast(
                partial(_begin, client, job["id"], export_format, fitting), _tell_lost
            )
        except Refused as refusal:  # chapters, speech or a voice that isn't there
            click.echo(f"no {export_format}: {printable(str(refusal))}", err=True)
            status = 1
            continue
        if out == "-":
            for piece in chain([first], pieces):
                click.echo(piece, nl=False)
            continue
        target = Path(out)
        if target.is_dir() or not alone:
            target = target / _name(job, EXTENSIONS.get(export_format, export_format))
        try:
            with _replacing(target) as file:
                file.writelines(chain([first], pieces))
        except OSError as error:
            click.echo(f"not written: {printable(str(target))}: {error.strerror}", err=True)
            status = 1
    return status


def _begin(
    client: Client, job_id: str, export_format: str, choices: Mapping[str, str]
) -> tuple[bytes, Iterator[bytes]]:
    """Return the first piece of an export, and the others. Raises what client.save() raises."""
    pieces = client.save(job_id, export_format, choices)
    return next(pieces, b""), pieces


@contextmanager
def _replacing(target: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of another once it is whole. Raises OSError."""
    there = target.exists()
    if there and not target.is_file():  # a pipe or a device
        with target.open("wb") as file:
            yield file
        return
    target = target.resolve()  # a link goes on leading there
    if there:
        target.open("r+b").close()  # one that is write-protected is meant to stay
    part = target.with_name(f".{uuid4()}.part")
    try:
        with part.open("xb") as file:
            if there:
                copymode(target, part)
            yield file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _fitting(export_format: str, choices: Mapping[str, str]) -> dict[str, str]:
    heeded = {"text", "voice" if export_format in SPOKEN else "cues"}
    return {name: value for name, value in choices.items() if name in heeded}


def _render(
    client: Client, job: "JobShape", export_format: str, choices: Mapping[str, str]
) -> bool:
    """Wait until a file that takes time is there; False if it failed. Raises Refused."""
    want = partial(
        client.want_render, job["id"], export_format, choices
    )  # done once, if sent twice
    with click.progressbar(length=1000, label=f"render {export_format}", file=sys.stderr) as bar:
        render = outlast(want, _tell_lost)
        while True:
            if render["state"] == "none":  # the server was restarted meanwhile
                render = outlast(want, _tell_lost)
            bar.update(round(render["progress"] * 1000) - bar.pos)
            if render["state"] in ("ready", "failed"):
                break
            time.sleep(_POLL_S)
            render = outlast(partial(client.render, job["id"], export_format, choices), _tell_lost)
    for note in render["notes"]:
        click.echo(f"note: {printable(note)}", err=True)
    if render["message"]:
        click.echo(f"not rendered: {printable(render['message'])}", err=True)
    return render["state"] == "ready"


def make_folders(outputs: Mapping[str, str], *, alone: bool) -> None:
    """Make those named with a slash at the end. Refuse before any work what could not be written after it."""
    for export_format, out in outputs.items():
        if out == "-":
            continue
        if out.endswith(os.sep):
            try:
                Path(out).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise click.UsageError(
                    f"--{export_format}: the folder {out!r} can't be made: {error.strerror}."
                ) from error
        folder = Path(out) if Path(out).is_dir() or not alone else Path(out).parent
        if not folder.is_dir():
            raise click.UsageError(f"--{export_format}: there is no folder {str(folder)!r}.")


def _name(job: "JobShape", extension: str) -> str:
    """Name a file after the video without ever leaving the folder, in no more bytes than a name may have."""
    stem = Path(Path(job["filename"]).name.lstrip(".-")).stem or "video"
    ending = f"-{job['id']}.{extension}"
    return stem.encode()[: _LONGEST_NAME - len(ending)].decode(errors="ignore") + ending
