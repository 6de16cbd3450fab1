"""The fuse: when so much of a table would vanish or change at once that a person has to look first.

Promises   a table whose fuse melts is told no more until it is let go on; one that is let go on tells
           what was found, and its fuse is whole again behind it
"""

from __future__ import annotations

import structlog

from front_db.books import Capture
from front_db.modes import Fuse
from front_db.origin import Origin
from schemas.errors import Misconfigured

__all__ = ["go_on", "melted"]

log = structlog.get_logger("front_db.fuse")


def melted(
    fuse: Fuse,
    capture: Capture,
    origin: Origin,
    *,
    lost: int,
    known: int,
    code: str = "front-db.fuse",
) -> Misconfigured | None:
    """Why *lost* of *known* rows may not be told; none where they may, or a person has said so. *code*: of a
    reader that compares again only when it is let go on, ``front-db.fuse-log``."""
    if capture.allowed or not fuse.melts(lost, known):
        return None
    return Misconfigured(
        code,
        "So many rows would vanish or change that nothing is told",
        table=origin.described.name,
        lost=lost,
        known=known,
    )


async def go_on(capture: Capture, origin: Origin) -> None:
    """What was found may be told: the table stands still no longer."""
    if capture.code:
        log.info("capture.resumed", table=origin.described.name, allowed=capture.allowed)
        await origin.book.go_on()
