"""How much of a network and how many windows fit into a device's memory. Pure: bytes in, a plan out."""

from dataclasses import dataclass

MOST_SLOTS = 64
LEAST_SLOTS = 4  # with fewer, slower ways to save memory come first


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes."""

    free: int  # on the device
    weights: int  # all but the table of token vectors, which stays on the host
    slot: int  # keys and values of one window
    token: int  # ... of one token of it
    view: int  # what is seen of a view


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is worked on at once, and how much is kept for later."""

    tokens: int  # read at once
    views: int  # looked at at once
    kept_tokens: int  # of shared beginnings
    kept_views: int
    captured_tokens: int  # up to which prefill is captured

    def workspace(self, sizes: Sizes) -> int:
        """Bytes beside weights and slots.

        Measured on the full-size network: about 0.13 MB for each token read and 45 MB for each view,
        which don't fall together; 0.45 GB for scores, unpacked weights and captured steps.

        What is captured works in a pool of its own, as large as its largest graph. By arithmetic a
        look at `views` (0.18 GB frugally, 0.72 else) is more than the prefill of `captured_tokens`:
        0.15 of 384, 0.37 of 2048, the largest part of a weight that is unpacked (0.1) among it. So
        these add nothing to what looks have taken, and what is launched directly is as before. The
        driver keeps 5 MB for each prefill graph, six of them up to 384 tokens, 20 up to 2048, and
        each its scores, 0.6 MB for a prompt.
        """
        tokens = max(self.tokens, sizes.slot // sizes.token)  # a longer prompt is read in one go
        work = max(tokens * 130_000, self.views * 45_000_000) + 450_000_000
        work += self.captured_tokens * 100_000
        return work + self.kept_tokens * sizes.token + self.kept_views * sizes.view


FAST = Limits(tokens=8192, views=16, kept_tokens=2048, kept_views=256, captured_tokens=2048)
FRUGAL = Limits(tokens=2048, views=4, kept_tokens=512, kept_views=64, captured_tokens=384)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to load and how to work, so that it fits."""

    slots: int  # windows written at once
    limits: Limits


class TooSmall(Exception):
    """Not even one window fits; `needed` bytes would do."""

    def __init__(self, needed: int) -> None:
        super().__init__(f"{needed / 1e9:.1f} GB are needed")
        self.needed = needed


def plan(sizes: Sizes, slots: int | None = None) -> Plan:
    """Choose the fastest way to work in the free memory; with `slots`, one that has so many.

    Raises TooSmall.
    """
    for limits in (FAST, FRUGAL):
        fitting = (sizes.free - needed(sizes, limits, 0)) // sizes.slot
        if fitting >= (slots or LEAST_SLOTS):
            break
    if fitting < (slots or 1):
        raise TooSmall(needed(sizes, limits, slots or 1))
    return Plan(min(slots or MOST_SLOTS, fitting), limits)


def needed(sizes: Sizes, limits: Limits, slots: int) -> int:
    """Bytes on the device for so many windows; one slot more is there that no window has."""
    return sizes.weights + limits.workspace(sizes) + (slots + 1) * sizes.slot
