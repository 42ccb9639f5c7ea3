"""The command line: `reelnotes serve`, `submit`, `status` …

Exit status: 0 it worked; 1 a job failed, was cancelled or its file was refused; 2 wrong usage or
setting; 3 no server answers; 130 interrupted.
"""

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from sqlalchemy.exc import SQLAlchemyError

from client import Client, Refused, Unreachable
from models.errors import AppError, InvalidRequest
from models.parameters import parse_parameters
from serve import CannotServe, find, gunicorn
from serve import demo as run_demo
from serve import serve as run_serve
from settings import BadSetting, Settings, read_settings
from submission import Wish, printable, submit_files, write_exports

if TYPE_CHECKING:
    from web.shapes import JobShape

FORMATS = ("srt", "vtt", "json", "csv", "txt")

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
    except CannotServe as error:
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
    return run_serve(_checked(read_settings()))


@cli.command()
def demo() -> int:
    """Comment the sample clip in a throwaway folder and print its subtitles."""
    return run_demo(read_settings())


@cli.command()
def web() -> None:
    """Run only the page and the API, on WEB_HOST and WEB_PORT."""
    settings = _checked(read_settings())
    tmp_dir = settings.data_dir / "tmp"
    tmp_dir.mkdir(parents=True, exist_ok=True)
    command = gunicorn(f"{settings.web_host}:{settings.web_port}", tmp_dir)
    os.execv(command[0], list(command))


@cli.command()
@click.option("--name", default="worker", show_default=True, help="Name of this worker in the log.")
def worker(name: str) -> int:
    """Run only a worker: it comments until it gets SIGTERM."""
    from worker.app import run_worker  # the networks' libraries are heavy

    return run_worker(_with_broker(_checked(read_settings())), name)


@cli.command()
def beat() -> int:
    """Run only the sweep, which finds lost work. One is enough."""
    from worker.app import run_beat

    return run_beat(_with_broker(read_settings()))


@cli.command()
def migrate() -> None:
    """Bring the store to this version's schema. Back it up first."""
    from migrations import upgrade
    from models.store import Store

    upgrade(Store.open(read_settings().store_url))


def _checked(settings: Settings) -> Settings:
    """Refuse defaults that no job could have. Raises BadSetting."""
    try:
        parse_parameters({}, settings)
    except InvalidRequest as refusal:
        raise BadSetting(
            f"COMMENTATOR or a window's settings can't be used. {refusal}"
        ) from refusal
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
        with Client(server or settings.server_url or default, settings.password) as client:
            return command(client, *arguments, **options)

    return with_client


def _export_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for name in reversed(FORMATS):
        command = click.option(
            f"--{name}",
            metavar="OUT",
            help=f"Write {name.upper()} to a file, a folder, or - for standard output.",
        )(command)
    return command


@cli.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
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
@click.option("--priority", type=int, help="Higher goes first  [default: 0]")
@_server_option
def submit(client: Client, files: tuple[Path, ...], wait: bool, **options: Any) -> int:
    """Upload FILES and queue them; with an output, wait for the commentary and write it."""
    outputs = {name: out for name in FORMATS if (out := options[name]) is not None}
    names = {
        "capture_fps": "fps",
        "frames_per_inference": "frames",
        "frame_stride": "stride",
        "window_hop": "hop",
        "change_threshold": "change_threshold",
        "priority": "priority",
    }
    parameters = {
        field: str(options[option])
        for field, option in names.items()
        if options[option] is not None
    }
    return submit_files(client, files, Wish(parameters, outputs, wait or bool(outputs)))


@cli.command()
@click.argument("job_id")
@_server_option
def status(client: Client, job_id: str) -> int:
    """Tell how far a job is. Exit status 1 if it failed or was cancelled."""
    job = client.job(job_id)
    click.echo(describe(job))
    for warning in job["video"]["warnings"]:
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
@_server_option
def export(client: Client, job_id: str, **outputs: str | None) -> None:
    """Write a job's commentary, as far as it is."""
    wanted = {name: out for name, out in outputs.items() if out is not None}
    if not wanted:
        raise click.UsageError("Name an output, e.g. --srt - or --json talk.json.")
    write_exports(client, client.job(job_id), wanted, alone=True)


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
