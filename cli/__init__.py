"""The command line: `reelnotes serve`, `submit`, `status` …

Exit status: 0 it worked; 1 a job failed, was cancelled or its file was refused; 2 wrong usage or
setting; 3 no server answers; 130 interrupted.
"""

import sys
from collections.abc import Mapping
from importlib import import_module

import click

from cli.failing import FAILED, UNREACHABLE, Failed
from client import Refused, Unreachable
from models.errors import AppError
from models.printable import printable
from settings import BadSetting

ROOMS: Mapping[str, tuple[str, ...]] = {
    "cli.serving": ("serve", "demo", "web"),
    "cli.queue": ("worker", "beat", "alive"),
    "cli.store": ("migrate", "backup"),
    "cli.parts": ("pull", "doctor"),
    "cli.access": ("token",),
    "cli.jobs": (
        *("submit", "folder", "fetches", "status", "list", "export"),
        *("cancel", "pause", "resume", "retry", "delete"),
    ),
}
"""The modules of the commands. One is imported when a command of its is called: store and queue take seconds."""


class Commands(click.Group):
    """The commands of all rooms."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(name for names in ROOMS.values() for name in names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for room, names in ROOMS.items():
            if cmd_name in names:
                commands: Mapping[str, click.Command] = import_module(room).COMMANDS
                return commands[cmd_name]
        return None


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="reelnotes")
def cli() -> None:
    """Comment what happens in video files. Settings are environment variables: see README."""


def main() -> None:
    """Run the command line; errors a person can act on are one sentence, not a traceback."""
    try:
        sys.exit(cli.main(prog_name="reelnotes", standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BadSetting as error:
        _die(2, error)
    except Unreachable as error:
        _die(UNREACHABLE, error)
    except (Failed, Refused, AppError, OSError) as error:
        _die(FAILED, error)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)


def _die(status: int, error: Exception) -> None:
    click.echo(f"reelnotes: {printable(str(error))}", err=True)
    sys.exit(status)
