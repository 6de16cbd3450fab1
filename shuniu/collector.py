"""Python's garbage collector, set for processes through which many short-lived messages pass.

The defaults look for cycles after every 700 new containers, in all that lives; a message makes dozens
of them, and none of them are cycles. Measured on the hop: a fifth of the processor's time.

Units      thresholds in container objects more than were freed
"""

from __future__ import annotations

import gc

__all__ = ["calm_collector"]

YOUNG, MIDDLE, OLD = 20_000, 20, 50


def calm_collector() -> None:
    """Look less often, and never at what stood when the process began its work."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
