"""Renders: exports that take time, a voice that speaks or a video with the text in it.

    Document ──place_order──▶ Order ──Renders.want──▶ a child process ──▶ media/renders/JOB/NAME

They are made on demand, one after another, and kept until others need the room.
"""

from web.renders.kinds import RENDERINGS, Rendering
from web.renders.orders import Order, place_order
from web.renders.renders import Making, Renders
from web.renders.voices import DEFAULT_VOICE, Voices

__all__ = [
    "DEFAULT_VOICE",
    "RENDERINGS",
    "Making",
    "Order",
    "Rendering",
    "Renders",
    "Voices",
    "place_order",
]
