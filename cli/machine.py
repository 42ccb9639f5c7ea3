"""Commands of the machine that serves: its processes, its store and its networks."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from backup import BackupFailed, back_up
from cli.failing import FAILED, fails_with
from doctor import report
from models.commentators import check_known
from models.errors import InvalidRequest
from models.hints import answers, connect
from models.parameters import parse_parameters
from models.store import Store
from pull import PullFailed
from pull import pull as run_pull
from serve.programs import gunicorn
from serve.run import CannotServe
from serve.run import demo as run_demo
from serve.run import serve as run_serve
from settings import BadSetting, Settings, read_settings

_Command = fails_with(BackupFailed, CannotServe, PullFailed, SQLAlchemyError)


@click.command(cls=_Command)
def serve() -> int:
    """Run everything on this machine: page, workers, sweep and broker."""
    from worker.commentators import check_commentators

    _keep_private()
    settings = _checked(read_settings())
    check_commentators(settings)
    return run_serve(settings)


@click.command(cls=_Command)
def demo() -> int:
    """Comment the sample clip in a throwaway folder and print its subtitles."""
    return run_demo(read_settings())


@click.command(cls=_Command)
def web() -> None:
    """Run only the page and the API, on WEB_HOST and WEB_PORT."""
    _keep_private()
    settings = _checked(read_settings())
    tmp_dir = settings.data_dir / "tmp"
    tmp_dir.mkdir(parents=True, exist_ok=True)
    command = gunicorn(f"{settings.web_host}:{settings.web_port}", tmp_dir)
    os.execv(command[0], list(command))


@click.command(cls=_Command)
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


@click.command(cls=_Command)
def beat() -> int:
    """Run only the sweep, which finds lost work. One is enough."""
    from worker.app import run_beat

    return run_beat(_with_broker(read_settings()))


@click.command(cls=_Command)
def alive() -> int:
    """Ask over the broker whether a worker or beat of this host answers: exit status 0 if so.

    For health checks. Nobody answers while the broker is away either: no reason to end them.
    """
    settings = _with_broker(read_settings())
    return 0 if answers(connect(settings.redis_url), socket.gethostname()) else FAILED


@click.command(cls=_Command)
def migrate() -> None:
    """Bring the store to this version's schema. Back it up first."""
    from migrations import upgrade

    _keep_private()
    upgrade(Store.open(read_settings().store_url))


@click.command(cls=_Command)
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


@click.command(cls=_Command)
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


@click.command(cls=_Command)
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


def _keep_private() -> None:
    """Make what this process writes, videos and store, readable by this account alone."""
    os.umask(0o077)


COMMANDS: Mapping[str, click.Command] = {
    command.name: command
    for command in (serve, demo, web, worker, beat, alive, migrate, backup, pull, doctor)
    if command.name
}
