"""The commands that let programs in."""

from collections.abc import Mapping
from datetime import UTC, datetime

import click
from sqlalchemy.exc import SQLAlchemyError

from cli.failing import fails_with
from models import tokens
from models.store import Store
from settings import read_settings

_Command = fails_with(SQLAlchemyError)


@click.group()
def token() -> None:
    """Let programs in: each gets a token of its own, which can be revoked. Needs the store."""


@token.command(cls=_Command, name="add")
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


@token.command(cls=_Command, name="list")
def list_tokens() -> None:
    """List the tokens: name, when made, when last used (UTC, to the minute), what they may do."""
    with _store().read() as session:
        for token in tokens.list_tokens(session):
            used = _moment(token.used_ms) if token.used_ms else "never"
            scopes = tokens.scopes_of(token)
            may = ",".join(scope for scope in tokens.Scope if scope in scopes)
            click.echo(f"{token.name}  made {_moment(token.created_ms)}  used {used}  {may}")


@token.command(cls=_Command, name="revoke")
@click.argument("name")
def revoke_token(name: str) -> None:
    """End a token at once, on every web process."""
    with _store().write() as session:
        tokens.revoke_token(session, name)


def _store() -> Store:
    return Store.open_made(read_settings().store_url)


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


COMMANDS: Mapping[str, click.Command] = {"token": token}
