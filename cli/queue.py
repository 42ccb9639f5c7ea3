"""Commands that listen to the queue, or ask who does."""

import socket
from collections.abc import Mapping

import click
from sqlalchemy.exc import SQLAlchemyError

from cli.beginning import checked
from cli.failing import FAILED, fails_with
from cli.privacy import keep_private
from models.hints import answers, connect
from settings import BadSetting, Settings, read_settings

_Command = fails_with(SQLAlchemyError)


@click.command(cls=_Command)
@click.option("--name", default="worker", show_default=True, help="Name of this worker in the log.")
@click.option(
    "--commentator", metavar="NAME", help="Who comments  [default: the first in COMMENTATOR]"
)
def worker(name: str, commentator: str | None) -> int:
    """Run only a worker, for one commentator: it comments until it gets SIGTERM."""
    from worker.app import run_worker  # the networks' libraries are heavy

    keep_private()
    settings = _with_broker(checked(read_settings()))
    return run_worker(settings, name, commentator or settings.commentators[0])


@click.command(cls=_Command)
def beat() -> int:
    """Run only the sweep, which finds lost work. One is enough."""
    from worker.beat import run_beat

    return run_beat(_with_broker(read_settings()))


@click.command(cls=_Command)
def alive() -> int:
    """Ask over the broker whether a worker or beat of this host answers: exit status 0 if so.

    For health checks. Nobody answers while the broker is away either: no reason to end them.
    """
    settings = _with_broker(read_settings())
    return 0 if answers(connect(settings.redis_url), socket.gethostname()) else FAILED


def _with_broker(settings: Settings) -> Settings:
    if not settings.redis_url:
        raise BadSetting(
            "REDIS_URL is not set, so there is no queue to listen to. Use `reelnotes serve`, which starts "
            "a broker of its own, or name a Redis or Valkey server."
        )
    return settings


COMMANDS: Mapping[str, click.Command] = {
    command.name: command for command in (worker, beat, alive) if command.name
}
