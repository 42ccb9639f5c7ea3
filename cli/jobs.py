"""Commands that ask a server, here or elsewhere: its jobs and what they wait for."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from cli.failing import FAILED
from client import BadAddress, Client
from models.printable import printable
from models.profiles import PROFILES
from serve.running import find
from settings import read_settings
from submission import Origin, Wish, make_folders, submit_files, write_exports

if TYPE_CHECKING:
    from web.shapes import JobShape

FORMATS = {
    "srt": "SRT",
    "vtt": "WebVTT",
    "ttml": "TTML",
    "descriptions": "WebVTT descriptions",
    "chapters": "WebVTT chapters",
    "chapterlist": "a list of chapters",
    "ffmetadata": "chapters for FFmpeg",
    "speechsrt": "what is said, as SRT",
    "speechvtt": "what is said, as WebVTT",
    "edl": "an EDL",
    "fcpxml": "FCPXML",
    "json": "JSON",
    "csv": "CSV",
    "md": "Markdown",
    "txt": "TXT",
    "mp4": "a preview with the text in its pictures",
    "m4a": "the commentary spoken, as M4A",
    "wav": "the commentary spoken, as WAV",
}
"""Export formats and what --help calls them."""


def _server_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command a client of the chosen server."""

    @click.option(
        "--server", metavar="URL", help="Server to talk to  [default: the one of DATA_DIR]"
    )
    @wraps(command)
    def with_client(*arguments: Any, server: str | None, **options: Any) -> Any:
        settings = read_settings()
        running = find(settings.data_dir)
        default = running.url if running else f"http://127.0.0.1:{settings.web_port}"
        secret = settings.token or settings.password
        try:
            client = Client(server or settings.server_url or default, secret)
        except BadAddress as error:
            raise click.UsageError(f"{'--server' if server else 'SERVER_URL'}: {error}") from error
        with client:
            return command(client, *arguments, **options)

    return with_client


def _export_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for name, title in reversed(FORMATS.items()):
        command = click.option(
            f"--{name}",
            metavar="OUT",
            help=f"Write {title}: a file, a folder (one that ends in / is made), or - for standard output.",
        )(command)
    return command


_PARAMETERS = {
    "fps": "capture_fps",
    "frames": "frames_per_inference",
    "stride": "frame_stride",
    "hop": "window_hop",
    "change_threshold": "change_threshold",
    "longest": "max_new_tokens",
    "commentator": "commentator",
    "profile": "profile",
    "instruction": "instruction",
    "system_prompt": "system_prompt",
    "slices": "max_slice_nums",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "repetition_penalty": "repetition_penalty",
    "seed": "seed",
    "priority": "priority",
    "summary": "summary",
    "transcript": "transcript",
}
"""Options of `submit` and what the API calls them."""


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--from-folder", is_flag=True, help="FILES are paths in the server's folder: see `folder`."
)
@click.option("--wait", is_flag=True, help="Wait until every job has ended.")
@_export_options
@click.option("--fps", metavar="N", help="Samples per second of video  [default: the server's]")
@click.option("--frames", metavar="N", help="Frames per window  [default: the server's]")
@click.option(
    "--stride", metavar="N", help="Every N-th sample goes into the window  [default: the server's]"
)
@click.option(
    "--hop", metavar="N", help="Samples between window starts  [default: frames x stride]"
)
@click.option(
    "--change-threshold",
    metavar="D",
    help="Mean pixel difference (0-255) for a new comment; 0: off",
)
@click.option("--longest", metavar="N", help="Longest comment, in tokens  [default: the server's]")
@click.option("--commentator", metavar="NAME", help="Who comments  [default: the server's first]")
@click.option(
    "--profile", metavar="NAME", help=f"What kind of comments: {', '.join(PROFILES)}  [minicpm]"
)
@click.option("--instruction", metavar="TEXT", help="Your own wish for the comments  [networks]")
@click.option(
    "--system-prompt",
    type=click.File(encoding="utf-8"),
    help="File with a system prompt in place of the profile's  [networks]",
)
@click.option("--slices", metavar="N", help="Most slices of a frame; 1: the whole frame  [minicpm]")
@click.option("--temperature", metavar="T", help="0: always the likeliest words  [networks]")
@click.option("--top-p", metavar="P", help="Share of likelihood to choose from  [networks]")
@click.option("--top-k", metavar="K", help="Tokens to choose from; 0: all  [networks]")
@click.option("--repetition-penalty", metavar="R", help="1: none  [networks]")
@click.option("--seed", metavar="N", help="With a temperature: other comments  [networks]")
@click.option(
    "--summary/--no-summary",
    default=None,
    help="Tell the whole video in the end, with chapters  [default: as the server does]",
)
@click.option(
    "--transcript",
    type=click.IntRange(0, 2),
    help="1: write down what is said; 2: and tell the commentator; 0: not  [default: as the server does]",
)
@click.option("--priority", type=int, help="Higher goes first  [default: 0]")
@_server_option
def submit(
    client: Client, files: tuple[str, ...], from_folder: bool, wait: bool, **options: Any
) -> int:
    """Upload FILES and queue them; with an output, wait for the commentary and write it.

    A file that begins with http:// or https:// is fetched by the server, if it does that.
    """
    origins = [_origin(file, from_folder) for file in files]
    outputs = {name: out for name in FORMATS if (out := options[name]) is not None}
    if (prompt := options["system_prompt"]) is not None:
        options["system_prompt"] = prompt.read()
    parameters = {
        field: str(int(value) if isinstance(value := options[option], bool) else value)
        for option, field in _PARAMETERS.items()
        if options[option] is not None
    }
    return submit_files(client, origins, Wish(parameters, outputs, wait or bool(outputs)))


def _origin(file: str, from_folder: bool) -> Origin:
    if from_folder:
        return Origin("paths", file)
    if file.startswith(("http://", "https://")):
        return Origin("urls", file)
    click.Path(exists=True, dir_okay=False).convert(file, None, None)
    return Origin("file", file)


@click.command()
@click.argument("path", default="")
@click.option("--containing", default="", metavar="TEXT", help="Only names that contain it.")
@_server_option
def folder(client: Client, path: str, containing: str) -> None:
    """List the server's folder, or PATH in it: what `submit --from-folder` takes."""
    found = client.folder(path, containing)
    for entry in found["entries"]:
        size = "" if entry["is_folder"] else f"{entry['size_bytes'] / 1e6:.1f} MB"
        ending = "/" if entry["is_folder"] else ""
        click.echo(f"{size:>12}  {printable(entry['path'])}{ending}")
    if found["left"]:
        click.echo(f"note: {found['left']} more are not shown; use --containing", err=True)
    if found["trouble"]:
        click.echo(f"note: {printable(found['trouble'])}", err=True)


@click.command()
@click.option("--retry", metavar="ID", help="Try a refused one again.")
@click.option("--remove", metavar="ID", help="Give one up, or forget that it was refused.")
@_server_option
def fetches(client: Client, retry: str | None, remove: str | None) -> None:
    """List what the server gets by itself and has no job yet: from its folder, or by address."""
    if retry:
        client.retry_fetch(retry)
    if remove:
        client.remove_fetch(remove)
    for fetch in client.all_fetches():
        done, total = fetch["offset_bytes"] / 1e6, (fetch["size_bytes"] or 0) / 1e6
        size = f"{done:.1f}/{total:.1f} MB" if total else f"{done:.1f} MB"
        click.echo(f"{fetch['id']}  {fetch['state']:<8}  {size:>18}  {printable(fetch['address'])}")
        if why := fetch["failure"]["message"] if fetch["failure"] else fetch["trouble"]:
            click.echo(f"  {printable(why)}")


@click.command()
@click.argument("job_id")
@_server_option
def status(client: Client, job_id: str) -> int:
    """Tell how far a job is. Exit status 1 if it failed or was cancelled."""
    job = client.job(job_id)
    click.echo(describe(job))
    for warning in [*job["video"]["warnings"], job["hindrance"] or ""]:
        if warning:
            click.echo(f"  note: {printable(warning)}")
    if job["failure"]:
        click.echo(f"  {job['failure']['kind']}: {printable(job['failure']['message'])}")
    return FAILED if job["state"] in ("failed", "cancelled") else 0


@click.command(name="list")
@click.option("--state", default="", help="Only jobs in this state.")
@click.option("--limit", default=20, show_default=True, help="Longest list.")
@_server_option
def list_jobs(client: Client, state: str, limit: int) -> None:
    """List jobs, newest first."""
    for job in client.jobs(limit, state=state)["jobs"]:
        click.echo(describe(job))


@click.command()
@click.argument("job_id")
@_export_options
@click.option(
    "--text",
    type=click.Choice(["corrected", "original"]),
    help="Texts with people's corrections, or as commented  [default: corrected]",
)
@click.option(
    "--cues",
    type=click.Choice(["split", "merged"]),
    help="One for each window, or joined while nothing changes  [default: split]",
)
@click.option("--voice", metavar="LANGUAGE", help="Who speaks m4a and wav  [default: en-us]")
@_server_option
def export(client: Client, job_id: str, **options: str | None) -> int:
    """Write a job's commentary, as far as it is. Exit status 1 if a file can't be rendered, or isn't there."""
    wanted = {name: out for name in FORMATS if (out := options[name]) is not None}
    if not wanted:
        raise click.UsageError("Name an output, e.g. --srt - or --json talk.json.")
    make_folders(wanted, alone=True)
    choices = {
        name: choice for name in ("text", "cues", "voice") if (choice := options[name]) is not None
    }
    return write_exports(client, client.job(job_id), wanted, alone=True, choices=choices)


def _wish(name: str, help_text: str) -> click.Command:
    @click.command(name=name, help=help_text)
    @click.argument("job_id")
    @_server_option
    def change(client: Client, job_id: str) -> None:
        click.echo(describe(client.change(job_id, name)))

    return change


_WISHES = (
    _wish("cancel", "End a job; its commentary so far stays."),
    _wish("pause", "Let a job's windows under way finish and begin no more."),
    _wish("resume", "Go on with a paused job."),
    _wish("retry", "Go on with a failed or cancelled job at its first missing window."),
)


@click.command()
@click.argument("job_id")
@_server_option
def delete(client: Client, job_id: str) -> None:
    """Delete a job, its commentary, and its video unless another job uses it."""
    client.delete(job_id)


def describe(job: "JobShape") -> str:
    """Return one line about a job: id, state, progress, speed, time left, name."""
    done, total = job["windows_done"], job["windows_total"]
    speed = f"{job['realtime']:.1f}x" if job["realtime"] else "-"
    left = f"{job['eta_ms'] / 1000:.0f} s left" if job["eta_ms"] is not None else "-"
    return (
        f"{job['id']}  {job['state']:<9}  {done}/{total} windows  {speed:>6}  {left:>10}  "
        f"{printable(job['filename'])}"
    )


COMMANDS: Mapping[str, click.Command] = {
    command.name: command
    for command in (submit, folder, fetches, status, list_jobs, export, *_WISHES, delete)
    if command.name
}
