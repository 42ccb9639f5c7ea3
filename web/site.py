"""What every view works with: the settings, the store, the media folder and the way to the workers."""

from dataclasses import dataclass

from celery import Celery
from flask import current_app

from models.media import Media
from models.store import Store
from settings import Settings
from web.playback import Playbacks
from web.renders import Renders, Voices
from web.shared import SharedAnswers


@dataclass(frozen=True, slots=True)
class Site:
    settings: Settings
    store: Store
    media: Media
    celery: Celery
    answers: SharedAnswers
    playbacks: Playbacks
    renders: Renders
    voices: Voices


def site() -> Site:
    """Return what create_app() built."""
    here: Site = current_app.extensions["reelnotes"]
    return here
