"""The story of a whole video: what of its commentary is told together, and where chapters begin.

    segments → outline → passages of level 0 → passages of level 1 → … → the summary

Each passage is told from a bounded number of texts of bounded length, so a ten-hour video asks no
longer questions than a short one; it asks more of them. Times come from segments only.
"""

from worker.story.steps import story_steps

__all__ = ["story_steps"]
