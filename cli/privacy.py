"""Who may read what a command writes."""

import os


def keep_private() -> None:
    """Make what this process writes, videos and store, readable by this account alone."""
    os.umask(0o077)
