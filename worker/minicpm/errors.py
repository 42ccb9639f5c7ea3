"""What can go wrong here, each told in a sentence a person can act on.

MiniCPMError
├── CheckpointError      the folder holds no whole MiniCPM-o 4.5
├── PromptTooLong        the prompt leaves no room in the context
├── OutOfDeviceMemory    one window alone does not fit
├── Cancelled            the caller gave up
└── EngineStopped        the engine was closed, or ended by a fault
"""


class MiniCPMError(Exception):
    """Root of everything raised on purpose by this package."""


class CheckpointError(MiniCPMError):
    """The checkpoint can't be used; the text names the file and the reason."""


class PromptTooLong(MiniCPMError):
    """The prompt does not fit, even with a single picture left."""


class OutOfDeviceMemory(MiniCPMError):
    """The device has too little memory for one window."""


class Cancelled(MiniCPMError):
    """The request was cancelled before its end."""


class EngineStopped(MiniCPMError):
    """The engine takes no more requests."""
