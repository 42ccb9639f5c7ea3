"""What every view works with: the settings, the store, the media folder and the way to the workers."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from celery import Celery
from flask import current_app

from models.media import Media
from models.store import Store
from settings import Settings


@dataclass(frozen=True, slots=True)
class Site:
    settings: Settings
    store: Store
    media: Media
    celery: Celery


def site() -> Site:
    """Return what create_app() built."""
    here: Site = current_app.extensions["reelnotes"]
    return here


def our_version() -> str:
    try:
        return version("reelnotes")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unreleased"
