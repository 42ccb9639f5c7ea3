"""Commands that keep the store: its schema, and a copy of it."""

from collections.abc import Mapping
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from backup import BackupFailed, back_up
from cli.failing import fails_with
from cli.privacy import keep_private
from migrations import upgrade
from models.store import Store
from settings import read_settings

_Command = fails_with(BackupFailed, SQLAlchemyError)


@click.command(cls=_Command)
def migrate() -> None:
    """Bring the store to this version's schema. Back it up first."""
    keep_private()
    upgrade(Store.open(read_settings().store_url))


@click.command(cls=_Command)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def backup(folder: Path) -> None:
    """Copy store and media into FOLDER while everything runs; again, only what is new.

    FOLDER then serves as DATA_DIR; rows of a Postgres lie in it as store.dump, for pg_restore. Media in
    object storage (MEDIA_URL) are not copied.
    """
    keep_private()
    copied = back_up(read_settings(), folder)
    if copied.left_at:
        click.echo(f"the store: {folder}. Videos and stills stay in {copied.left_at}")
        if copied.missing:
            click.echo(f"note: {copied.missing} videos that rows know are not there", err=True)
        return
    click.echo(f"{copied.files} new files, {copied.bytes / 1e6:.1f} MB, and the store: {folder}")
    if copied.missing:
        click.echo(f"note: {copied.missing} videos were deleted before they were copied", err=True)


COMMANDS: Mapping[str, click.Command] = {
    command.name: command for command in (migrate, backup) if command.name
}
