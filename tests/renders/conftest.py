"""Clips."""

from tests.web.conftest import clip

__all__ = ["clip"]
