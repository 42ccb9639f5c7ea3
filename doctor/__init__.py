"""`reelnotes doctor`: what this machine can run, and what to do next.

`look` gathers facts, `advice` judges them. At import nothing but the standard library is needed, so
that a broken installation can be looked at: `python -m doctor`.
"""

from doctor.report import report

__all__ = ["report"]
