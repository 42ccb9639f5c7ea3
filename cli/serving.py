"""Commands that serve: everything on this machine, or the page alone."""

import os
from collections.abc import Mapping

import click

from cli.beginning import checked
from cli.failing import fails_with
from cli.privacy import keep_private
from serve.programs import WEB_MEMORY, gunicorn
from serve.run import CannotServe
from serve.run import demo as run_demo
from serve.run import serve as run_serve
from settings import read_settings
from worker.commentators import check_commentators

_Command = fails_with(CannotServe)


@click.command(cls=_Command)
def serve() -> int:
    """Run everything on this machine: page, workers, sweep and broker."""
    keep_private()
    settings = checked(read_settings())
    check_commentators(settings)
    return run_serve(settings)


@click.command(cls=_Command)
def demo() -> int:
    """Comment the sample clip in a throwaway folder and print its subtitles."""
    return run_demo(read_settings())


@click.command(cls=_Command)
def web() -> None:
    """Run only the page and the API, on WEB_HOST and WEB_PORT."""
    keep_private()
    settings = checked(read_settings())
    tmp_dir = settings.data_dir / "tmp"
    tmp_dir.mkdir(parents=True, exist_ok=True)
    command = gunicorn(f"{settings.web_host}:{settings.web_port}", tmp_dir)
    for name, value in WEB_MEMORY.items():
        os.putenv(name, value)
    os.execv(command[0], list(command))


COMMANDS: Mapping[str, click.Command] = {
    command.name: command for command in (serve, demo, web) if command.name
}
