"""The rows of a table that is not ours, as we know them: what was told of each key, and what is in hand.

Form       a row's ``digest`` is of what its receivers were told, "" while they were told nothing;
           ``handed`` of what was handed on and is not safe yet ("" is a delete); ``found`` of what a
           comparison found instead ("" is nothing) and is still to be told
Promises   what is handed on has its version written down first: read again after a crash and found
           the same, it has the same version and so is the same message; found otherwise, a higher one
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from front_db.book_tables import captures, rows

__all__ = [
    "GONE",
    "Hand",
    "Known",
    "different",
    "find",
    "forget",
    "hand",
    "known_count",
    "known_of",
    "known_part",
    "lost_count",
    "orphans",
    "settle",
    "told_keys",
]

AT_ONCE = 500
GONE = ""
c = rows.c


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one key."""

    key: str
    digest: str = GONE
    handed: str | None = None
    handed_version: int | None = None
    part: int | None = None
    found: str | None = None

    def is_told(self, digest: str) -> bool:
        """Whether receivers hold just that: of what is in hand nobody knows whether it arrived."""
        return self.handed is None and self.digest == digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """A row to be handed on. *digest*: of what it holds now, `GONE` where it is no more. *deleted*: it
    is there, and its writer says that it counts as deleted."""

    key: str
    digest: str
    known: Known | None = None
    part: int | None = None
    stamp: str | None = None
    deleted: bool = False


_SHOWN = (c.key, c.digest, c.handed, c.handed_version, c.part, c.found)


def known_of(connection: Connection, capture: int, keys: Sequence[str]) -> dict[str, Known]:
    """Those of *keys* of which anything is known."""
    found: dict[str, Known] = {}
    for start in range(0, len(keys), AT_ONCE):
        some = c.key.in_(keys[start : start + AT_ONCE])
        asked = select(*_SHOWN).where(c.capture == capture, some)
        found |= {row.key: Known(*row) for row in connection.execute(asked)}
    return found


def known_part(connection: Connection, capture: int, part: int) -> dict[str, Known]:
    """All rows of a range of keys."""
    asked = select(*_SHOWN).where(c.capture == capture, c.part == part)
    return {row.key: Known(*row) for row in connection.execute(asked)}


def hand(connection: Connection, capture: int, hands: Sequence[Hand]) -> list[int]:
    """Write down that *hands* are handed on; the version of each."""
    fresh = [each for each in hands if not _again(each)]
    version = _reserved(connection, capture, len(fresh)) if fresh else 0
    versions: list[int] = []
    told: list[dict[str, Any]] = []
    for each in hands:
        if _again(each) and each.known:
            versions.append(each.known.handed_version or 0)
        else:
            version += 1
            versions.append(version)
        before = each.known.digest if each.known else GONE
        kept = {"digest": before, "version": 0, "part": each.part, "stamp": each.stamp}
        told.append(
            {"capture": capture, "key": each.key, **kept}
            | {"handed": each.digest, "handed_version": versions[-1]}
        )
    # What the caller knows nothing of stays as another has written it.
    more = [name for name in ("part", "stamp") if any(each[name] is not None for each in told)]
    _put(connection, told, ("handed", "handed_version", *more))
    return versions


def settle(connection: Connection, capture: int, told: Iterable[tuple[str, int]]) -> None:
    """Keys at versions that were handed on are safe."""
    pairs = list(told)
    for start in range(0, len(pairs), AT_ONCE):
        some = pairs[start : start + AT_ONCE]
        # A version is given once in a table, so the pair need not be compared as one.
        mine = (
            c.capture == capture,
            c.key.in_([key for key, _ in some]),
            c.handed_version.in_([version for _, version in some]),
        )
        connection.execute(delete(rows).where(*mine, c.handed == GONE))
        safe = {"digest": c.handed, "version": c.handed_version, "found": None}
        connection.execute(
            update(rows).where(*mine).values(**safe, handed=None, handed_version=None)
        )


def find(
    connection: Connection, capture: int, found: Mapping[str, str | None], part: int | None = None
) -> None:
    """Write down what a comparison *found* by key, and in which range; none: what is known is right
    after all. What nobody was told of and is no more is forgotten."""
    told = [
        {"capture": capture, "key": key, "digest": GONE, "version": 0, "part": part}
        | {"found": digest}
        for key, digest in found.items()
    ]
    _put(connection, told, ("found",) if part is None else ("found", "part"))
    untold = (c.capture == capture, c.digest == GONE, c.handed.is_(None))
    gone = [key for key, digest in found.items() if not digest]
    for start in range(0, len(gone), AT_ONCE):
        some = c.key.in_(gone[start : start + AT_ONCE])
        connection.execute(delete(rows).where(*untold, some))


def orphans(connection: Connection, capture: int) -> None:
    """Rows that are told of, or may be, and that no range holds, after all ranges were compared: they
    are gone."""
    may_be_told = or_(c.digest != GONE, c.handed.is_not(None))
    mine = (c.capture == capture, c.part.is_(None), may_be_told)
    connection.execute(update(rows).where(*mine).values(found=GONE))


def different(connection: Connection, capture: int, after: str, limit: int) -> list[Known]:
    """Up to *limit* rows found different, behind the key *after* in our own order."""
    mine = (c.capture == capture, c.found.is_not(None), c.key > after)
    asked = select(*_SHOWN).where(*mine).order_by(c.key).limit(limit)
    return [Known(*row) for row in connection.execute(asked)]


def forget(connection: Connection, capture: int, below: str) -> None:
    """What is safe and has a stamp *below* is not read again."""
    mine = (c.capture == capture, c.handed_version.is_(None), c.stamp < below)
    connection.execute(delete(rows).where(*mine))


def known_count(connection: Connection, capture: int) -> int:
    """Rows that receivers were told of and that are there still."""
    asked = select(func.count()).where(c.capture == capture, c.digest != GONE)
    return connection.scalar(asked) or 0


def told_keys(connection: Connection, capture: int, after: str, limit: int) -> list[str]:
    """Keys that receivers were told are there, behind *after* in our own order."""
    mine = (c.capture == capture, c.digest != GONE, c.key > after)
    return list(connection.scalars(select(c.key).where(*mine).order_by(c.key).limit(limit)))


def lost_count(connection: Connection, capture: int) -> int:
    """Rows that receivers were told of and that are found gone or changed."""
    lost = (c.digest != GONE, c.found.is_not(None))
    return connection.scalar(select(func.count()).where(c.capture == capture, *lost)) or 0


def _again(each: Hand) -> bool:
    """It was handed on before with the same content."""
    return each.known is not None and each.known.handed == each.digest


def _reserved(connection: Connection, capture: int, many: int) -> int:
    """*many* versions behind the one returned are the caller's."""
    mine = captures.c.id == capture
    connection.execute(update(captures).where(mine).values(version=captures.c.version + many))
    highest: int = connection.execute(select(captures.c.version).where(mine)).scalar_one()
    return highest - many


def _put(connection: Connection, told: list[dict[str, Any]], names: Sequence[str]) -> None:
    """Insert; of keys that are known, change *names* alone."""
    if not told:
        return
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    made = insert(rows)
    changed = {name: made.excluded[name] for name in names}
    made = made.on_conflict_do_update(index_elements=[c.capture, c.key], set_=changed)
    connection.execute(made, told)
