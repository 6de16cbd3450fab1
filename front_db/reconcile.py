"""Two sides compared (对账): what a table holds, and what our records say that it must hold.

Form       sums by bucket first (`front_db.sums`); only where these differ, rows by id and digest;
           only where a row's digests differ, its columns
Promises   a table that agrees costs its owner one statement and sends back sums alone; what differs
           is named row by row, up to a number
Not here   what the hub's records say, and whether a difference is one: `shuniu.reconcile`
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from front_db.digest import row_texts
from front_db.moves import id_value
from front_db.rows import Row
from front_db.sums import Bucket, Slice, add, bucket_of, differing, rows_in, sums, total

__all__ = ["Compared", "Digested", "compare", "differing_columns", "rows_by_id"]

Digested = Callable[[], Iterable[tuple[str, str]]]
"""Each row of ours, as its id and digest; may be gone through more than once."""

ROWS_AT_ONCE = 20_000
LOOK_UP = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """
    What was found. *missing*: ids of rows that are ours alone; *extra*: theirs alone; *differ*: both
    have them, not alike. *whole*: no more was left out than was named.
    """

    ours: Bucket
    theirs: Bucket
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    differ: tuple[str, ...] = ()
    whole: bool = True

    @property
    def agree(self) -> bool:
        return self.ours == self.theirs and not (self.missing or self.extra or self.differ)


def compare(connection: Connection, part: Slice, ours: Digested, *, most: int = 1000) -> Compared:
    """Compare *part* with *ours*. *most*: so many differences are named, and a bucket's more."""
    mine: dict[str, Bucket] = {}
    for row_id, digest in ours():
        add(mine, row_id, digest)
    theirs = sums(connection, part)
    uneven = differing(mine, theirs)
    missing: list[str] = []
    extra: list[str] = []
    differ: list[str] = []
    whole = True
    for group in _groups(sorted(uneven), mine, theirs):
        if len(missing) + len(extra) + len(differ) >= most:
            whole = False
            break
        here = {row_id: d for row_id, d in ours() if bucket_of(row_id) in group}
        there = dict(rows_in(connection, part, group))
        missing += sorted(here.keys() - there.keys())
        extra += sorted(there.keys() - here.keys())
        differ += sorted(row for row in here.keys() & there.keys() if here[row] != there[row])
    return Compared(
        ours=total(mine),
        theirs=total(theirs),
        missing=tuple(missing),
        extra=tuple(extra),
        differ=tuple(differ),
        whole=whole,
    )


def rows_by_id(
    connection: Connection, part: Slice, row_ids: Sequence[str]
) -> dict[str, dict[str, object]]:
    """Single rows, whatever ``part.where`` says, by their ids."""
    described = part.described
    row_id = part.table.c[described.control.row_id]
    found: dict[str, dict[str, object]] = {}
    for start in range(0, len(row_ids), LOOK_UP):
        some = [id_value(described, each) for each in row_ids[start : start + LOOK_UP]]
        for row in connection.execute(select(part.table).where(row_id.in_(some))).mappings():
            found[str(row[row_id.name])] = {str(name): value for name, value in row.items()}
    return found


def differing_columns(ours: Row, theirs: Row, part: Slice) -> tuple[str, ...]:
    """The digested columns in which two rows are not alike."""
    mine: Mapping[str, str] = row_texts(ours, part.described)
    told = row_texts(theirs, part.described)
    return tuple(name for name, text in mine.items() if text != told[name])


def _groups(
    names: Sequence[str], ours: Mapping[str, Bucket], theirs: Mapping[str, Bucket]
) -> Iterator[frozenset[str]]:
    """Buckets that are looked into together: as many rows as are held at once."""
    some: set[str] = set()
    count = 0
    empty = Bucket()
    for name in names:
        some.add(name)
        count += max(ours.get(name, empty).count, theirs.get(name, empty).count)
        if count >= ROWS_AT_ONCE:
            yield frozenset(some)
            some, count = set(), 0
    if some:
        yield frozenset(some)
