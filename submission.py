"""Submits files from the command line, waits for their commentary and writes it."""

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from client import Client, Refused

if TYPE_CHECKING:
    from web.shapes import JobShape

_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Wish:
    """What to do with each file."""

    parameters: Mapping[str, str]
    outputs: Mapping[str, str]  # format → file, folder or "-"
    wait: bool


def submit_files(client: Client, files: Sequence[Path], wish: Wish) -> int:
    """Submit all, then wait for all; a bad file doesn't stop the others. Return the exit status."""
    alone = len(files) == 1
    _check_outputs(wish.outputs, alone)
    results: Counter[str] = Counter()
    jobs = []
    for path in files:
        try:
            jobs.append(_upload(client, path, wish))
        except Refused as refusal:
            results["refused"] += 1
            click.echo(f"refused ({refusal.kind}): {printable(str(refusal))}", err=True)
    for job in jobs:
        if wish.wait:
            job = _wait(client, job)
            write_exports(client, job, wish.outputs, alone=alone)
        results[job["state"]] += 1
    if not alone:
        totals = ", ".join(f"{count} {result}" for result, count in sorted(results.items()))
        click.echo(totals, err=True)
    return 1 if results.keys() & {"refused", "failed", "cancelled"} else 0


def _upload(client: Client, path: Path, wish: Wish) -> "JobShape":
    with click.progressbar(
        length=path.stat().st_size, label=f"upload {printable(path.name)[:40]}", file=sys.stderr
    ) as bar:
        job = client.submit(path, wish.parameters, bar.update)
    click.echo(job["id"], err=bool(wish.outputs))
    for warning in job["video"]["warnings"]:
        click.echo(f"note: {printable(warning)}", err=True)
    return job


def _wait(client: Client, job: "JobShape") -> "JobShape":
    label = f"comment {printable(job['filename'])[:39]}"
    with click.progressbar(length=job["windows_total"], label=label, file=sys.stderr) as bar:
        while True:
            job = client.job(job["id"])
            bar.update(job["windows_done"] - bar.pos)
            if job["state"] in ("done", "failed", "cancelled"):
                break
            time.sleep(_POLL_S)
    if job["failure"]:
        click.echo(
            f"failed ({job['failure']['kind']}): {printable(job['failure']['message'])}", err=True
        )
    return job


def write_exports(
    client: Client, job: "JobShape", outputs: Mapping[str, str], *, alone: bool
) -> None:
    """Write each wanted format; in a folder, a file is called after the video."""
    for export_format, out in outputs.items():
        text = client.export(job["id"], export_format)
        if out == "-":
            click.echo(text, nl=False)
            continue
        target = Path(out)
        if target.is_dir() or not alone:
            target = target / f"{_stem(job)}.{export_format}"
        try:
            target.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise click.FileError(str(target), error.strerror) from error


def _check_outputs(outputs: Mapping[str, str], alone: bool) -> None:
    """Refuse before any work what could not be written after it."""
    for export_format, out in outputs.items():
        if out == "-":
            continue
        folder = Path(out) if Path(out).is_dir() or not alone else Path(out).parent
        if not folder.is_dir():
            raise click.UsageError(f"--{export_format}: there is no folder {str(folder)!r}.")


def _stem(job: "JobShape") -> str:
    """Name a file after the video without ever leaving the folder."""
    name = Path(job["filename"]).name.lstrip(".-")
    return f"{Path(name).stem or 'video'}-{job['id']}"


def printable(text: str) -> str:
    """Make hostile text harmless to a terminal: what doesn't print is shown as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
