"""What the network saw in a view, kept for the next window that shows it too."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from worker.minicpm.preprocess import View

Look = Callable[[Sequence[View]], Tensor]
"""Views → (views, queries, hidden)."""


class VisionCache:
    """A frame that overlapping windows share, or that stands still, is looked at once.

    `most` views are kept; the one that was not used for longest goes.
    """

    def __init__(self, look: Look, most: int) -> None:
        self._look, self._most = look, most
        self._known: OrderedDict[bytes, Tensor] = OrderedDict()  # each (queries, hidden)

    def look(self, views: Sequence[View]) -> Tensor:
        """Return the vectors of all views. (views, queries, hidden)"""
        new = {view.digest: view for view in views if view.digest not in self._known}
        fresh = self._look(list(new.values()))
        found = dict(zip(new, fresh.unbind(0), strict=True))
        if len(found) == len(views):  # all new and none twice: in order already
            self._keep(found)
            return fresh
        found |= {v.digest: self._known[v.digest] for v in views if v.digest not in new}
        self._keep(found)
        return torch.stack([found[view.digest] for view in views])

    def clear(self) -> None:
        self._known.clear()

    def _keep(self, used: dict[bytes, Tensor]) -> None:
        for digest, vectors in used.items():
            if digest not in self._known:
                self._known[digest] = vectors.clone()  # else it would hold all that came with it
            self._known.move_to_end(digest)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
