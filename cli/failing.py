"""How a command ends that could not do what it was asked for."""

from typing import Any

import click

FAILED = 1
UNREACHABLE = 3


class Failed(RuntimeError):
    """A command can't do what it was asked for; the text says why."""


def fails_with(*errors: type[Exception]) -> type[click.Command]:
    """Return a kind of command whose failures are these errors: their texts are for people."""

    class Telling(click.Command):
        def invoke(self, ctx: click.Context) -> Any:
            try:
                return super().invoke(ctx)
            except errors as error:
                raise Failed(str(error)) from error

    return Telling
