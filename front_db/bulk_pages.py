"""What a page of a load is made of: the source's rows, what is written of them, and what is left aside.

Promises   rows of one key go in the order of their ids: behind one that is left aside, the later ones
           of its key are left aside too
Careful    a delete is not converted by a route: it goes the ordinary way, where a route has one
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import repeat
from typing import NamedTuple

from front_db.bulk import Aside, Load, row_prefix
from front_db.bulk_glance import Glance, compile_glance
from front_db.bulk_rows import Texts, compile_content, compile_texts, joined, told
from front_db.contract import ControlValue, ExchangeTable
from front_db.rows import control_of, row_of
from schemas.errors import Fault, Rejected
from schemas.message import Body

__all__ = [
    "CONTROLS",
    "Good",
    "Prepared",
    "Preparer",
    "filled",
    "source_columns",
    "target_content",
]

CONTROLS = 4
"""How many columns stand before the content of a source row: row id, key, version, operation."""
CREATED, UPDATED, DELETED = "created", "updated", "deleted"
AT_ONCE = 500  # rows that are looked at together


class Good(NamedTuple):
    """One row that is loaded; *line*: as PostgreSQL's COPY reads it; *source*: as it was read."""

    row_id: int
    key: str
    version: int
    operation: str
    line: str
    source: list[str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A page: what goes, and what is left aside."""

    good: Sequence[Good]
    aside: Sequence[Aside]

    @property
    def text(self) -> bytes:
        return "".join([each.line for each in self.good]).encode()


def source_columns(load: Load) -> tuple[str, ...]:
    """The columns that are read behind the `CONTROLS`: all, or those that the target has too."""
    if load.convert is not None:
        # What a route may read of a row besides its content.
        stamp = (load.source.control.written_at,) if load.source.control.written_at else ()
        return (*stamp, *(each.name for each in load.source.columns))
    known = {each.name for each in load.target.columns}
    return tuple(each.name for each in load.source.columns if each.name in known)


def target_content(load: Load) -> tuple[str, ...]:
    """The target's content columns, in the order in which they are written."""
    return tuple(each.name for each in load.target.columns)


def filled(load: Load, at: datetime) -> dict[str, object]:
    """
    The target's control columns that a load fills, with the values that all its rows share.

    The key stands first; its value and that of id, version and operation are another in each row.
    """
    control = load.target.control
    value = _value(load, 1, "-", 1, CREATED)
    given = control_of(value, control, at)
    first = {control.key: given[control.key]} if control.key else {}
    return {**first, **{name: found for name, found in given.items() if found is not None}}


@dataclass(frozen=True, slots=True)
class _Taken:
    """Rows of a page that go, as columns: *controls* are row ids, keys, versions and operations;
    *columns* the target's content, as texts."""

    controls: tuple[Sequence[int], Sequence[str], Sequence[int], Sequence[str]]
    columns: Sequence[Sequence[str]]
    source: Sequence[list[str]]


@dataclass(slots=True)
class Preparer:
    """Compiled once for a run; then `prepare` for each page. *blocked*: keys of rows left aside."""

    load: Load
    blocked: set[str] = field(default_factory=set)
    _content: Callable[[list[str]], Body] = field(init=False)
    _glance: Glance | None = field(init=False)
    _texts: Texts = field(init=False)
    _delete: Texts = field(init=False)
    _sparse: ExchangeTable = field(init=False)
    _operations: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        source, target = self.load.source, self.load.target
        names = source_columns(self.load)
        self._glance = None if self.load.convert else compile_glance(source, target, names)
        if self.load.convert is not None:
            control = source.control
            ruled = (control.row_id, source.key_columns[0], str(control.version))
            names = (*ruled, *names, str(control.operation))
        # A delete needs nothing but its key.
        columns = tuple(each.model_copy(update={"needed": False}) for each in target.columns)
        self._sparse = target.model_copy(update={"columns": columns})
        self._content = compile_content(source, names)
        self._texts, self._delete = compile_texts(target), compile_texts(self._sparse)
        codes = source.control.operation_codes
        self._operations = {code: name for name, code in codes.items()}

    def prepare(self, rows: Sequence[list[str]], at: datetime) -> Prepared:
        """*rows*: texts, the `CONTROLS` first, by ascending row id. *at*: Beijing time, no zone."""
        good: list[Good] = []
        aside: list[Aside] = []
        versions: dict[str, int] = {}
        lines = _lines(self.load, at)
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            taken = self._whole(some, versions)
            if taken is None:
                taken, refused = self._one_by_one(some, versions)
                aside += refused
            good += map(Good, *taken.controls, lines(taken), taken.source)
        return Prepared(good, aside)

    def row(self, good: Good, at: datetime) -> dict[str, object]:
        """The target's row as `front_db.write` takes it."""
        value = _value(self.load, good.row_id, good.key, good.version, good.operation)
        table = self._sparse if good.operation == DELETED else self.load.target
        payload = self._payload(good.source)
        return row_of(payload, table) | control_of(value, self.load.target.control, at)

    def _whole(self, rows: Sequence[list[str]], versions: dict[str, int]) -> _Taken | None:
        """All of *rows*, where each is as good as it looks; none, where one has to be looked at."""
        if self._glance is None:
            return None
        row_ids, keys, told_versions, codes, *content = zip(*rows, strict=True)
        operations = {code: self._operations.get(code.strip(), "") for code in set(codes)}
        distinct = set(keys)
        if (
            not {CREATED, UPDATED}.issuperset(operations.values())
            or len(distinct) < len(keys)
            or not versions.keys().isdisjoint(distinct)
            or not self.blocked.isdisjoint(distinct)
            or any(not key or key != key.strip() for key in keys)
            or "" in told_versions
        ):
            return None
        numbers = list(map(int, told_versions))
        columns = self._glance(content)
        if columns is None or min(numbers) <= 0:
            return None
        versions.update(zip(keys, numbers, strict=True))
        names = [operations[code] for code in codes]
        return _Taken((list(map(int, row_ids)), keys, numbers, names), columns, rows)

    def _one_by_one(
        self, rows: Sequence[list[str]], versions: dict[str, int]
    ) -> tuple[_Taken, Sequence[Aside]]:
        good: list[tuple[int, str, int, str]] = []
        texts: list[list[str]] = []
        sources: list[list[str]] = []
        aside: list[Aside] = []
        for row in rows:
            row_id, key, version = int(row[0]), row[1], int(row[2] or 0)
            operation = self._operations.get(row[3].strip(), "")
            faults = self._faults(key, version, operation, versions)
            if key in self.blocked:
                faults = (Fault("row.behind", "", {}),)
            if not faults:
                try:
                    as_texts = self._delete if operation == DELETED else self._texts
                    texts.append(as_texts(self._payload(row)))
                except Rejected as error:
                    faults = tuple(error.faults) or (Fault(error.code, "", {}),)
            if faults:
                self.blocked.add(key)
                aside.append(Aside(row_id, key, faults))
                continue
            versions[key] = version
            good.append((row_id, key, version, operation))
            sources.append(row)
        if not good:
            return _Taken(([], [], [], []), (), ()), aside
        row_ids, keys, numbers, operations = zip(*good, strict=True)
        controls = (row_ids, keys, numbers, operations)
        return _Taken(controls, list(zip(*texts, strict=True)), sources), aside

    def _faults(
        self, key: str, version: int, operation: str, versions: Mapping[str, int]
    ) -> tuple[Fault, ...]:
        control = self.load.source.control
        name = str(control.operation)
        if not operation:
            allowed = " ".join(control.operation_codes.values())
            return (Fault("row.operation", f"/{name}", {"column": name, "allowed": allowed}),)
        if self.load.convert is not None and operation == DELETED:
            return (Fault("row.delete-aside", "", {}),)
        if not key.strip() or key != key.strip():
            name = self.load.source.key_columns[0]
            return (Fault("row.key", f"/{name}", {"column": name}),)
        if version <= versions.get(key, 0):
            return (Fault("row.version", f"/{control.version}", {"column": control.version}),)
        return ()

    def _payload(self, row: list[str]) -> Body:
        if self.load.convert is None:
            return self._content(row[CONTROLS:])
        return self.load.convert(self._content([*row[:3], *row[CONTROLS:], row[3]]))


def _lines(load: Load, at: datetime) -> Callable[[_Taken], list[str]]:
    """Puts lines together: control columns in the order of `filled`, then the content."""
    control, shared = load.target.control, filled(load, at)
    fixed = {name: told(value) for name, value in shared.items()}
    codes, prefix = control.operation_codes, row_prefix(load)

    def lines(taken: _Taken) -> list[str]:
        row_ids, keys, versions, operations = taken.controls
        known = {
            control.key: keys,
            control.row_id: [f"{prefix}{n}/{v}" for n, v in zip(row_ids, versions, strict=True)],
            control.version: list(map(str, versions)),
            control.operation: [codes.get(name, name) for name in operations],
        }
        columns = [known.get(name) or repeat(value, len(keys)) for name, value in fixed.items()]
        return joined([*columns, *taken.columns])

    return lines


def _value(load: Load, row_id: int, key: str, version: int, operation: str) -> ControlValue:
    return ControlValue(
        row_id=f"{row_prefix(load)}{row_id}/{version}",
        batch=load.name,
        operation=operation,
        version=version,
        key=key,
    )
