"""The command line: `reelnotes serve`, `submit`, `status` …

Exit status: 0 it worked; 1 a job failed, was cancelled or its file was refused; 2 wrong usage or
setting; 3 no server answers; 130 interrupted.
"""

import os
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from sqlalchemy.exc import SQLAlchemyError

from backup import BackupFailed, back_up
from client import Client, Refused, Unreachable
from doctor import report
from models import tokens
from models.commentators import check_known
from models.errors import AppError, InvalidRequest
from models.hints import answers, connect
from models.parameters import parse_parameters
from models.printable import printable
from models.profiles import PROFILES
from models.store import Store
from pull import PullFailed
from pull import pull as run_pull
from serve import CannotServe, find, gunicorn
from serve import demo as run_demo
from serve import serve as run_serve
from settings import BadSetting, Settings, read_settings
from submission import Origin, Wish, submit_files, write_exports

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

FAILED = 1
UNREACHABLE = 3


def main() -> None:
    """Run the command line; errors a person can act on are one sentence, not a traceback."""
    try:
        sys.exit(cli.main(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BadSetting as error:
        _die(2, error)
    except (BackupFailed, CannotServe, PullFailed) as error:
        _die(FAILED, error)
    except Refused as error:
        _die(FAILED, error)
    except Unreachable as error:
        _die(UNREACHABLE, error)
    except (AppError, OSError, SQLAlchemyError) as error:
        _die(FAILED, error)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)


def _die(status: int, error: Exception) -> None:
    click.echo(f"reelnotes: {printable(str(error))}", err=True)
    sys.exit(status)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="reelnotes")
def cli() -> None:
    """Comment what happens in video files. Settings are environment variables: see README."""


@cli.command()
def serve() -> int:
    """Run everything on this machine: page, workers, sweep and broker."""
    from worker.commentators import check_commentators

    _keep_private()
    settings = _checked(read_settings())
    check_commentators(settings)
    return run_serve(settings)


@cli.command()
def demo() -> int:
    """Comment the sample clip in a throwaway folder and print its subtitles."""
    return run_demo(read_settings())


@cli.command()
def web() -> None:
    """Run only the page and the API, on WEB_HOST and WEB_PORT."""
    _keep_private()
    settings = _checked(read_settings())
    tmp_dir = settings.data_dir / "tmp"
    tmp_dir.mkdir(parents=True, exist_ok=True)
    command = gunicorn(f"{settings.web_host}:{settings.web_port}", tmp_dir)
    os.execv(command[0], list(command))


@cli.command()
@click.option("--name", default="worker", show_default=True, help="Name of this worker in the log.")
@click.option(
    "--commentator", metavar="NAME", help="Who comments  [default: the first in COMMENTATOR]"
)
def worker(name: str, commentator: str | None) -> int:
    """Run only a worker, for one commentator: it comments until it gets SIGTERM."""
    from worker.app import run_worker  # the networks' libraries are heavy

    _keep_private()
    settings = _with_broker(_checked(read_settings()))
    return run_worker(settings, name, commentator or settings.commentators[0])


@cli.command()
def beat() -> int:
    """Run only the sweep, which finds lost work. One is enough."""
    from worker.app import run_beat

    return run_beat(_with_broker(read_settings()))


@cli.command()
def alive() -> int:
    """Ask over the broker whether a worker or beat of this host answers: exit status 0 if so.

    For health checks. Nobody answers while the broker is away either: no reason to end them.
    """
    settings = _with_broker(read_settings())
    return 0 if answers(connect(settings.redis_url), socket.gethostname()) else FAILED


@cli.command()
def migrate() -> None:
    """Bring the store to this version's schema. Back it up first."""
    from migrations import upgrade

    _keep_private()
    upgrade(_store())


@cli.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def backup(folder: Path) -> None:
    """Copy store and media into FOLDER while everything runs; again, only what is new.

    FOLDER then serves as DATA_DIR; rows of a Postgres lie in it as store.dump, for pg_restore. Media in
    object storage (MEDIA_URL) are not copied.
    """
    _keep_private()
    copied = back_up(read_settings(), folder)
    if copied.left_at:
        click.echo(f"the store: {folder}. Videos and stills stay in {copied.left_at}")
        if copied.missing:
            click.echo(f"note: {copied.missing} videos that rows know are not there", err=True)
        return
    click.echo(f"{copied.files} new files, {copied.bytes / 1e6:.1f} MB, and the store: {folder}")
    if copied.missing:
        click.echo(f"note: {copied.missing} videos were deleted before they were copied", err=True)


@cli.group()
def token() -> None:
    """Let programs in: each gets a token of its own, which can be revoked. Needs the store."""


@token.command(name="add")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in tokens.Scope]),
    help="What it may do; may be given more than once  [default: everything]",
)
def add_token(name: str, scopes: tuple[str, ...]) -> None:
    """Make a token called NAME and print it: once, for only its digest is stored.

    Scopes: read what is there; submit files, runs and renders; manage (change, delete) what is there; admin
    registers webhooks.
    """
    wanted = [tokens.Scope(scope) for scope in scopes] or list(tokens.Scope)
    with _store().write() as session:
        secret = tokens.add_token(session, name, wanted)
    click.echo(secret)
    if not read_settings().password:
        click.echo("note: without PASSWORD the server lets in everybody who reaches it", err=True)


@token.command(name="list")
def list_tokens() -> None:
    """List the tokens: name, when made, when last used (UTC, to the minute), what they may do."""
    with _store().read() as session:
        for token in tokens.list_tokens(session):
            used = _moment(token.used_ms) if token.used_ms else "never"
            scopes = tokens.scopes_of(token)
            may = ",".join(scope for scope in tokens.Scope if scope in scopes)
            click.echo(f"{token.name}  made {_moment(token.created_ms)}  used {used}  {may}")


@token.command(name="revoke")
@click.argument("name")
def revoke_token(name: str) -> None:
    """End a token at once, on every web process."""
    with _store().write() as session:
        tokens.revoke_token(session, name)


def _keep_private() -> None:
    """Make what this process writes, videos and store, readable by this account alone."""
    os.umask(0o077)


def _store() -> Store:
    return Store.open(read_settings().store_url)


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


@cli.command()
@click.argument("repository", required=False)
def pull(repository: str | None) -> None:
    """Fetch a network's weights into DATA_DIR/models; the one of MODEL_PATH, or REPOSITORY.

    Goes on where it was interrupted; checks every file's hash.
    """
    settings = read_settings()
    wanted = repository or settings.model_path
    folder = run_pull(wanted, settings.data_dir / "models", settings.hub_url, settings.hub_token)
    if folder not in (settings.model_folder, settings.transformers_folder):
        name = folder.relative_to(settings.data_dir / "models")
        click.echo(
            f"To use it: MODEL_PATH={name} if it is a MiniCPM-o 4.5, else TRANSFORMERS_MODEL={name}"
        )


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.option(
    "--check-model",
    is_flag=True,
    help="Also load the weights, try them on a picture and judge them.",
)
def doctor(as_json: bool, check_model: bool) -> int:
    """Say what this machine can run and what to do next.

    Exit status 1 if anything is wrong for the chosen COMMENTATOR. `python -m doctor` does the same
    where packages are missing.
    """
    return report(as_json, check_model)


def _checked(settings: Settings) -> Settings:
    """Refuse defaults that no job could have. Raises BadSetting."""
    check_known(settings)
    try:
        for commentator in settings.commentators:
            parse_parameters({"commentator": commentator}, settings)
    except InvalidRequest as refusal:
        raise BadSetting(f"COMMENTATOR or a job's settings can't be used. {refusal}") from refusal
    return settings


def _with_broker(settings: Settings) -> Settings:
    if not settings.redis_url:
        raise BadSetting(
            "REDIS_URL is not set, so there is no queue to listen to. Use `reelnotes serve`, which starts "
            "a broker of its own, or name a Redis or Valkey server."
        )
    return settings


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
        with Client(server or settings.server_url or default, secret) as client:
            return command(client, *arguments, **options)

    return with_client


def _export_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for name, title in reversed(FORMATS.items()):
        command = click.option(
            f"--{name}",
            metavar="OUT",
            help=f"Write {title}: a file, a folder, or - for standard output.",
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


@cli.command()
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


@cli.command()
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


@cli.command()
@click.option("--retry", metavar="ID", help="Try a refused one again.")
@click.option("--remove", metavar="ID", help="Give one up, or forget that it was refused.")
@_server_option
def fetches(client: Client, retry: str | None, remove: str | None) -> None:
    """List what the server gets by itself and has no job yet: from its folder, or by address."""
    if retry:
        client.retry_fetch(retry)
    if remove:
        client.remove_fetch(remove)
    for fetch in client.fetches()["fetches"]:
        done, total = fetch["offset_bytes"] / 1e6, (fetch["size_bytes"] or 0) / 1e6
        size = f"{done:.1f}/{total:.1f} MB" if total else f"{done:.1f} MB"
        click.echo(f"{fetch['id']}  {fetch['state']:<8}  {size:>18}  {printable(fetch['address'])}")
        if why := fetch["failure"]["message"] if fetch["failure"] else fetch["trouble"]:
            click.echo(f"  {printable(why)}")


@cli.command()
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


@cli.command(name="list")
@click.option("--state", default="", help="Only jobs in this state.")
@click.option("--limit", default=20, show_default=True, help="Longest list.")
@_server_option
def list_jobs(client: Client, state: str, limit: int) -> None:
    """List jobs, newest first."""
    for job in client.jobs(limit, state=state)["jobs"]:
        click.echo(describe(job))


@cli.command()
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
    """Write a job's commentary, as far as it is. Exit status 1 if a file can't be rendered."""
    wanted = {name: out for name in FORMATS if (out := options[name]) is not None}
    if not wanted:
        raise click.UsageError("Name an output, e.g. --srt - or --json talk.json.")
    choices = {
        name: choice for name in ("text", "cues", "voice") if (choice := options[name]) is not None
    }
    return write_exports(client, client.job(job_id), wanted, alone=True, choices=choices)


def _add_wish(name: str, help_text: str) -> None:
    @cli.command(name=name, help=help_text)
    @click.argument("job_id")
    @_server_option
    def change(client: Client, job_id: str) -> None:
        click.echo(describe(client.change(job_id, name)))


_add_wish("cancel", "End a job; its commentary so far stays.")
_add_wish("pause", "Let a job's windows under way finish and begin no more.")
_add_wish("resume", "Go on with a paused job.")
_add_wish("retry", "Go on with a failed or cancelled job at its first missing window.")


@cli.command()
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


if __name__ == "__main__":
    main()
