"""The items of a resource as the rows of a table: an item or a group a row, its members below it.

Form       a row's fields are named ``items.<key>.…``; ``row`` tells the keys in order, ``depth`` how deep it
           stands. A key is the place that the row had in the text (``3-1``), or ``n`` and a number for a new one
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from catalog.forms.fields import Field, Shown, shown, taken
from catalog.forms.text import Told
from web.guard import Form

__all__ = [
    "ACTS",
    "ITEM_FIELDS",
    "SHARES",
    "WAYS",
    "Row",
    "RowAct",
    "acted",
    "added",
    "items_of",
    "may_act",
    "rows_given",
    "rows_of",
]

RowAct = Literal["up", "down", "in", "out", "add", "drop"]
ACTS: tuple[RowAct, ...] = ("add", "up", "down", "in", "out", "drop")
MOST_ROWS, MOST_DEEP = 500, 8
_KEY = re.compile(r"n\d{1,4}|\d{1,4}(-\d{1,4}){0,8}")
SHARES = ("unconditional", "conditional", "none")
WAYS = ("front-database", "interface", "file", "database")

ITEM_FIELDS: Mapping[str, Field] = {
    each.path: each
    for each in (
        Field(
            path="element",
            label="catalogue.form.item",
            hint="catalogue.hint.item",
            suggest="elements",
            needed=True,
            code=True,
            most=100,
        ),
        Field(
            path="group",
            label="catalogue.form.group",
            hint="catalogue.hint.group",
            needed=True,
            code=True,
            most=100,
        ),
        Field(path="required", label="catalogue.mandatory", kind="flag"),
        Field(
            path="max_occurs",
            label="catalogue.col.occurs",
            kind="number",
            hint="catalogue.hint.occurs",
            otherwise="1",
            code=True,
            most=6,
        ),
        Field(
            path="share.type",
            label="catalogue.form.own-share",
            kind="choice",
            options=("", *SHARES),
            of="catalogue.share.",
            hint="catalogue.form.as-resource",
        ),
        Field(path="name.zh", label="catalogue.form.name-zh", most=200),
        Field(path="name.en", label="catalogue.form.name-en", most=200),
        Field(
            path="share.way",
            label="catalogue.col.way",
            kind="choice",
            options=("", *WAYS),
            of="catalogue.way.",
            hint="catalogue.form.as-resource",
        ),
        Field(path="share.open", label="catalogue.form.open", kind="flag"),
        Field(path="share.condition", label="catalogue.col.condition", kind="area"),
        Field(path="share.open_condition", label="catalogue.form.open-condition", kind="area"),
        Field(path="note", label="catalogue.col.note", kind="area"),
    )
}


@dataclass(frozen=True, slots=True)
class Row:
    """An item, or a group, *depth* groups deep."""

    key: str
    depth: int
    group: bool
    shown: Shown

    @property
    def prefix(self) -> str:
        return f"items.{self.key}."

    @property
    def is_blank(self) -> bool:
        """New, and nothing is said in it."""
        usual = {path: field.otherwise for path, field in ITEM_FIELDS.items()}
        return self.key.startswith("n") and all(
            not value.strip() or value == usual.get(path) for path, value in self.shown.items()
        )

    @property
    def more(self) -> bool:
        """Whether it says anything beyond what every row shows."""
        beside = ("name.", "note", "share.")
        return any(
            value and path != "share.type"
            for path, value in self.shown.items()
            if path.startswith(beside)
        )


def rows_of(items: Sequence[Told], depth: int = 0, above: str = "") -> list[Row]:
    """As they are declared."""
    rows: list[Row] = []
    for number, item in enumerate(items):
        key = f"{above}{number}"
        rows.append(Row(key, depth, "group" in item, shown(item, tuple(ITEM_FIELDS.values()))))
        rows += rows_of(item.get("items") or [], depth + 1, f"{key}-")
    return rows


def rows_given(given: Form) -> list[Row]:
    """As they were sent; none deeper than a row above it lets it be."""
    rows: list[Row] = []
    for key in dict.fromkeys(given.get("row", [])[:MOST_ROWS]):
        if not _KEY.fullmatch(key):
            continue
        start = f"items.{key}."
        told = {path: given.get(f"{start}{path}", [""])[0] for path in ITEM_FIELDS}
        deep = given.get(f"{start}depth", ["0"])[0]
        depth = min(int(deep) if deep.isascii() and deep.isdigit() else 0, MOST_DEEP)
        depth = min(depth, rows[-1].depth + 1 if rows else 0)
        rows.append(Row(key, depth, given.get(f"{start}kind", [""])[0] == "group", told))
    return rows


def items_of(
    rows: Sequence[Row], given: Form, items: Sequence[Told], way: str
) -> tuple[list[Told], dict[str, str]]:
    """
    The items that *rows* say, and by the path of each (``items.0``) the beginning of its fields' names.

    *items*: as they were, of which stays what the form does not show; *way*: in which the resource is shared,
    for an item with sharing of its own that does not say.
    """
    made: list[Told] = []
    paths: dict[str, str] = {}
    inside: list[tuple[str, list[Told], Told | None]] = [("items", made, None)]
    for row in rows:
        if row.is_blank:
            continue
        del inside[row.depth + 1 :]
        at, beside, around = inside[-1]
        if around is not None:
            around["items"] = beside
        item = _item(row, given, _was(items, row.key), way)
        path = f"{at}.{len(beside)}"
        paths[path] = row.prefix
        beside.append(item)
        below: list[Told] = []
        if "items" in item:
            item["items"] = below
        inside.append((f"{path}.items", below, item))
    return made, paths


def acted(rows: Sequence[Row], act: RowAct, key: str) -> tuple[list[Row], str]:
    """*rows* after one was moved, added or taken out, and the row that is looked at then."""
    made = list(rows)
    at = next((n for n, row in enumerate(made) if row.key == key), None)
    if at is None:
        return made, ""
    end = _end(made, at)
    block = made[at:end]
    if act not in _possible(made, at):
        return made, key
    match act:
        case "up":
            to = _before(made, at) or 0
            made[to:end] = [*block, *made[to:at]]
        case "down":
            to = _end(made, end)
            made[at:to] = [*made[end:to], *block]
        case "in":
            made[at:end] = [replace(row, depth=row.depth + 1) for row in block]
        case "out":
            to = _end(made, _parent(made, at))
            moved = [replace(row, depth=row.depth - 1) for row in block]
            made[at:to] = [*made[end:to], *moved]
        case "add":
            row = made[at]
            deep = row.depth + 1 if row.group else row.depth
            fresh = added(made, depth=deep)
            made.insert(at + 1 if row.group else end, fresh)
            return made, fresh.key
        case "drop":
            del made[at:end]
            return made, made[min(at, len(made) - 1)].key if made else ""
    return made, key


def added(rows: Sequence[Row], *, depth: int = 0, group: bool = False) -> Row:
    """A row that is none of *rows* yet."""
    numbers = [int(row.key[1:]) for row in rows if row.key.startswith("n")]
    usual = {path: field.otherwise for path, field in ITEM_FIELDS.items()}
    return Row(f"n{max(numbers, default=0) + 1}", depth, group, usual)


def may_act(rows: Sequence[Row]) -> dict[str, frozenset[RowAct]]:
    """What can be done with each row."""
    return {row.key: frozenset(_possible(rows, at)) for at, row in enumerate(rows)}


def _possible(rows: Sequence[Row], at: int) -> set[RowAct]:
    row, end, before = rows[at], _end(rows, at), _before(rows, at)
    found: set[RowAct] = {"add", "drop"}
    if before is not None:
        found.add("up")
        if rows[before].group and row.depth < MOST_DEEP:
            found.add("in")
    if end < len(rows) and rows[end].depth == row.depth:
        found.add("down")
    if row.depth:
        found.add("out")
    return found


def _end(rows: Sequence[Row], at: int) -> int:
    """Where the row at *at* ends, with all that stands in it."""
    end = at + 1
    while end < len(rows) and rows[end].depth > rows[at].depth:
        end += 1
    return end


def _before(rows: Sequence[Row], at: int) -> int | None:
    """The row before it in the same group."""
    for number in range(at - 1, -1, -1):
        if rows[number].depth <= rows[at].depth:
            return number if rows[number].depth == rows[at].depth else None
    return None


def _parent(rows: Sequence[Row], at: int) -> int:
    return next(n for n in range(at - 1, -1, -1) if rows[n].depth < rows[at].depth)


def _was(items: Sequence[Told], key: str) -> Told:
    item: Told = {}
    if not key.startswith("n"):
        for step in key.split("-"):
            beside: Any = item.get("items", ()) if item else items
            if int(step) >= len(beside):
                return {}
            item = beside[int(step)]
    return item


def _item(row: Row, given: Form, was: Told, way: str) -> Told:
    other = "element" if row.group else "group"
    fields = [each for path, each in ITEM_FIELDS.items() if path != other]
    item = taken(was, given, fields, row.prefix)
    share = item.get("share")
    if not isinstance(share, dict):
        return item
    if not row.shown["share.type"].strip() and "share" in was:
        # Who chooses the resource's sharing again has no use for the rest.
        del item["share"]
    elif "way" not in share and way:
        share["way"] = way
    return item
