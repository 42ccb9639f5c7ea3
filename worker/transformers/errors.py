"""What can go wrong with a network of the hub. Each text is a clause that says what."""


class NetworkError(Exception):
    """All of them but Cancelled."""


class CannotLoad(NetworkError):
    """The folder's files make no network that takes pictures and is asked in words."""


class PromptRefusedHere(NetworkError):
    """Asked the same again, it would be refused again."""


class OutOfDeviceMemory(NetworkError):
    """Not even one window alone has room."""


class EngineStopped(NetworkError):
    """The engine can do nothing more in this process."""


class Cancelled(Exception):
    """Nobody wants the reply any more."""
