"""`reelnotes pull`: a network's weights from the hub into DATA_DIR/models, whole or not at all.

Knows files, hashes and HTTP, and nothing of what is in them.
"""

from pull.errors import PullFailed
from pull.folder import MANIFEST
from pull.run import pull

__all__ = ["MANIFEST", "PullFailed", "pull"]
