"""What becomes of the rows of a page: taken, refused, held or superseded. Pure.

Standard   R-A6; GB/T 19488 formats by way of `front_db.rows`
Promises   rows of one key go in the order of their ids, and never to a lower version: while one is
           refused, later ones of its key are held and all other keys flow on. A row that names the
           refused one in ``x_corrects`` goes in its place. One that was mended behind the page that
           is read now goes first all the same: what follows it waits for the next poll
Careful    every fault of a row is found at once: its writer corrects it once, not five times
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from front_db.bulk_rows import Fits
from front_db.contract import Control, ExchangeTable
from front_db.digest import row_digest
from front_db.read import Read
from front_db.rows import row_of
from front_db.states import RowState
from schemas.errors import Fault, Rejected

__all__ = ["Judged", "Standing", "judge", "key_of"]


@dataclass(slots=True)
class Standing:
    """
    What is known of the keys of a page before it is judged.

    *blocked*: ids of the refused and held rows of a key; *refused*: those of them that are refused;
    *earlier*: ids of other new rows of a key, which are not in the page and were not handed on;
    *taken*: the highest version taken of a key; *done*: batches that take no more rows.
    """

    blocked: dict[str, set[int]] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    earlier: dict[str, set[int]] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    done: AbstractSet[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Judged:
    """
    One row with the *state* that it shall have, and why; new: it waits for the next poll. *instead*:
    the refused row that it goes in the place of.
    """

    row: Read
    key: str
    state: RowState
    faults: tuple[Fault, ...] = ()
    instead: int | None = None


def judge(
    rows: Sequence[Read], described: ExchangeTable, standing: Standing, fits: Fits
) -> list[Judged]:
    """A verdict for each of *rows*, which are in the order of their ids; *standing* goes along."""
    return [_judged(row, described, standing, fits) for row in rows]


def key_of(row: Mapping[str, object], described: ExchangeTable) -> str:
    """The row's business key as one text; empty where it has none."""
    parts = [row.get(name) for name in described.key_columns]
    return "/".join("" if part is None else str(part) for part in parts)


def _judged(row: Read, described: ExchangeTable, standing: Standing, fits: Fits) -> Judged:
    raw = row.raw or {}
    key, row_id = key_of(raw, described), int(row.seen.row_id)
    faults = _faults(row, raw, key, described, standing, fits)
    if faults:
        standing.blocked.setdefault(key, set()).add(row_id)
        standing.refused.add(row_id)
        return Judged(row, key, RowState.REFUSED, tuple(faults))
    instead = _instead(raw, described.control, key, standing)
    before = {each for each in standing.blocked.get(key, ()) if each < row_id}
    if before and instead is None:
        standing.blocked[key].add(row_id)
        held = Fault("row.held", "", {"row": str(min(before))})
        return Judged(row, key, RowState.HELD, (held,))
    if instead is None and any(each < row_id for each in standing.earlier.get(key, ())):
        standing.earlier[key].add(row_id)
        return Judged(row, key, RowState.NEW)
    version, highest = row.seen.version or 0, standing.taken.get(key)
    if highest is not None and version < highest:
        old = Fault("row.superseded", "", {"found": version, "highest": highest})
        return Judged(row, key, RowState.SUPERSEDED, (old,))
    if instead is not None:
        standing.blocked[key].discard(instead)
    standing.taken[key] = version
    return Judged(row, key, RowState.TAKEN, instead=instead)


def _instead(
    raw: Mapping[str, object], control: Control, key: str, standing: Standing
) -> int | None:
    told = raw.get(control.corrects) if control.corrects else None
    named = int(told) if isinstance(told, int) else None
    is_refused = named in standing.refused and named in standing.blocked.get(key, ())
    return named if is_refused else None


def _faults(
    row: Read,
    raw: Mapping[str, object],
    key: str,
    described: ExchangeTable,
    standing: Standing,
    fits: Fits,
) -> list[Fault]:
    control = described.control
    if row.fault:
        return [_fault("row.unreadable", row.fault, described)]
    faults = _key_faults(key, raw, described)
    faults += _version_faults(row, raw, key, described, standing)
    code = str(raw.get(str(control.operation)) or "").strip()
    known = control.operation_codes
    if control.operation and code not in known.values():
        allowed = " ".join(known.values())
        faults.append(_fault("row.operation", control.operation, described, allowed=allowed))
    elif code != known.get("deleted"):
        faults += _content_faults(row, described, fits)
    batch = str(raw.get(control.batch)) if control.batch else ""
    if batch in standing.done and raw.get(str(control.handled_version)) is None:
        faults.append(_fault("row.batch-done", str(control.batch), described))
    told = raw.get(control.digest) if control.digest else None
    if not faults and told and str(told).strip().lower() != row_digest(raw, described):
        faults.append(_fault("row.digest", str(control.digest), described))
    return faults


def _key_faults(key: str, raw: Mapping[str, object], described: ExchangeTable) -> list[Fault]:
    name = described.key_columns[0]
    if not key.strip() or key != key.strip():
        # Some databases take "A " and "A" for one key, and '' for none.
        return [_fault("row.key", name, described)]
    deleted = described.control.operation_codes.get("deleted")
    is_delete = str(raw.get(str(described.control.operation))) == deleted
    same = [raw.get(each) for each in described.business_key]
    if described.control.key and same and not (is_delete and same == [None] * len(same)):
        told = "/".join(str(each) for each in same)
        if told != key:
            other = described.business_key[0]
            return [_fault("row.key-differs", name, described, other=other)]
    return []


def _version_faults(
    row: Read, raw: Mapping[str, object], key: str, described: ExchangeTable, standing: Standing
) -> list[Fault]:
    control, version = described.control, row.seen.version or 0
    name, handled = str(control.version), raw.get(str(control.handled_version))
    if version < 1:
        return [_fault("row.version", name, described)]
    if isinstance(handled, int) and version <= handled:
        return [_fault("row.version-not-raised", name, described, highest=handled)]
    if version == standing.taken.get(key):
        return [_fault("row.version-used", name, described, highest=version)]
    return []


def _content_faults(row: Read, described: ExchangeTable, fits: Fits) -> list[Fault]:
    # Some databases keep '' as NULL, so it is no value anywhere.
    content = {
        column.name: value
        for column in described.columns
        if (value := row.content.get(column.name)) not in (None, "")
    }
    if fits(content):
        return []
    try:
        row_of(content, described)
    except Rejected as error:
        return [_fault(f.code, f.at[1:], described, **f.facts) for f in error.faults]
    return []


def _fault(
    code: str, name: str, described: ExchangeTable, **facts: str | float | bool | None
) -> Fault:
    """With the column as its writer knows it: by its title."""
    column = described.column(name)
    return Fault(code, f"/{name}", {**facts, "column": column.shown if column else name})
