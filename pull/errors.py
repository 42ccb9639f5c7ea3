"""What ends a pull, told in a sentence that says what to do.

PullFailed
├── NotThere      the hub has no such repository, or doesn't show it
└── Unreachable   no hub answers
Interrupted       a connection broke: worth another try, never shown as it is
"""


class PullFailed(Exception):
    """The weights could not be fetched."""


class NotThere(PullFailed):
    """No repository of this name."""


class Unreachable(PullFailed):
    """The hub can't be reached, after several tries."""


class Interrupted(Exception):
    """A connection broke, or the hub is busy."""
