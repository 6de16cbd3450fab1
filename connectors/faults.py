"""How a system behind a connector can misbehave: named by the suites, the twin and test systems alike.

Not here   pytest: whoever plays a system may use these names
"""

from __future__ import annotations

from enum import Enum, auto

__all__ = ["Fault"]


class Fault(Enum):
    """What goes wrong with the next call, and with that one only."""

    DOWN = auto()  # the connection is cut
    HANGS = auto()  # nobody answers
    DRIPS = auto()  # answers a byte at a time, for ever: no single read is slow
    BUSY = auto()  # asks to wait seven seconds
    REFUSES = auto()  # one item is out of its domain
    FORBIDS = auto()  # key, grant or address is wrong
    GIBBERISH = auto()  # answers in time, and says nothing that was agreed
    LOSES_ANSWER = auto()  # takes the call, then the connection breaks
