"""Python's interpreter, set for processes through which many short-lived messages pass.

The collector's defaults look for cycles after every 700 new containers, in all that lives; a message
makes dozens of them, and none of them are cycles. Measured on the hop: a fifth of the processor's time.
A thread that comes back from the database waits for its turn as long as the loop computes, 5 ms by
default, several times a statement: batches stood still for a claim that took two. Measured on the hop: a
seventh of the rate.

Units      thresholds in container objects more than were freed; turns in seconds
"""

from __future__ import annotations

import gc
import sys

__all__ = ["tune_interpreter"]

YOUNG, MIDDLE, OLD = 20_000, 20, 50
TURN_S = 0.001


def tune_interpreter() -> None:
    """Look for cycles less often, and never at what stood when the process began its work; take
    shorter turns."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
    sys.setswitchinterval(TURN_S)
