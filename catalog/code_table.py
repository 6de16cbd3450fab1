"""Code tables as rows: of a CSV or xlsx file that somebody has, and as a site keeps large ones.

Form       columns by their headings: ``code`` (代码), ``name`` (名称), and where there are such
           ``english`` (英文名称) and ``parent`` (上级代码); a site's file is ``codes/<name>.csv``, UTF-8,
           beside the declaration in YAML that names it as its ``table``
Promises   all faults of a file at once, each at its row: no code, no name, a code twice, one name
           twice under one parent, a parent that is none or leads round, codes of one level of
           different length
Careful    CSV because it is read a hundred times as fast as YAML: every command reads the site
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from typing import Any

from catalog.model import CodeList
from schemas.errors import Fault, Rejected

__all__ = ["MOST_ROWS", "CodeRow", "check_rows", "csv_text", "filled", "read_csv", "rows_of"]

MOST_ROWS = 100_000
LONGEST = 64
_HEADINGS = {
    "code": ("code", "代码", "编码"),
    "name": ("name", "名称", "代码名称"),
    "english": ("english", "英文名称"),
    "parent": ("parent", "上级代码", "父级代码"),
}


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One code. *row* counts from 1, the headings too."""

    row: int
    code: str
    name: str
    english: str = ""
    parent: str = ""


def read_csv(text: str) -> tuple[CodeRow, ...]:
    """Raises `Rejected`: ``codes.headings``, ``codes.too-many``, ``codes.unreadable``."""
    try:
        return rows_of(csv.reader(StringIO(text.removeprefix("\ufeff")), strict=True))
    except csv.Error as error:
        raise Rejected("codes.unreadable", "Not CSV", why=str(error)) from error


def rows_of(cells: Iterable[Sequence[Any]]) -> tuple[CodeRow, ...]:
    """Lines of cells, the headings first. Raises `Rejected` (``codes.headings``, ``codes.too-many``)."""
    lines = iter(cells)
    columns = _columns(next(lines, ()))
    found = []
    for row, line in enumerate(lines, start=2):
        if row > MOST_ROWS:
            raise Rejected("codes.too-many", "Too many rows", limit=MOST_ROWS)
        told = {name: _text(line[at]) if at < len(line) else "" for name, at in columns.items()}
        if any(told.values()):
            found.append(CodeRow(row, **told))
    return tuple(found)


def _columns(headings: Sequence[Any]) -> Mapping[str, int]:
    said = [_text(each).lower() for each in headings]
    found = {
        name: next(said.index(word) for word in words if word in said)
        for name, words in _HEADINGS.items()
        if set(words) & set(said)
    }
    if not {"code", "name"} <= found.keys():
        raise Rejected("codes.headings", "Headings are missing", found=" ".join(said)[:200])
    return found


def _text(value: Any) -> str:
    """Spreadsheets make numbers of codes; a leading zero that is lost so shows as another length."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()


def check_rows(rows: Sequence[CodeRow]) -> tuple[Fault, ...]:
    """All that is wrong; *at* of a fault is its row."""
    known = {each.code: each for each in rows if each.code}
    found = [*_of_codes(rows), *_of_names(rows)]
    found += _of_parents(rows, known)
    if not found:
        found += _of_lengths(rows, known)
    return tuple(sorted(found, key=lambda fault: int(fault.at)))


def _of_codes(rows: Sequence[CodeRow]) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for each in rows:
        if not each.code or not each.name:
            yield _fault("codes.blank", each)
        elif len(each.code) > LONGEST or not each.code.isprintable() or " " in each.code:
            yield _fault("codes.form", each, limit=LONGEST)
        elif first.setdefault(each.code, each.row) != each.row:
            yield _fault("codes.duplicate", each, first=first[each.code])


def _of_names(rows: Sequence[CodeRow]) -> Iterator[Fault]:
    first: dict[tuple[str, str], CodeRow] = {}
    for each in rows:
        other = first.setdefault((each.parent, each.name), each)
        if other.code != each.code and each.name:
            yield _fault("codes.duplicate-name", each, name=each.name, first=other.row)


def _of_parents(rows: Sequence[CodeRow], known: Mapping[str, CodeRow]) -> Iterator[Fault]:
    for each in rows:
        if each.parent and each.parent not in known:
            yield _fault("codes.parent", each, parent=each.parent)
        elif _depth(each, known) is None:
            yield _fault("codes.round", each, parent=each.parent)


def _of_lengths(rows: Sequence[CodeRow], known: Mapping[str, CodeRow]) -> Iterator[Fault]:
    """Codes of one level are of one length: what differs from most has lost or won a character."""
    if not any(each.parent for each in rows):
        levels = dict.fromkeys(known, 0)
    else:
        levels = {code: _depth(each, known) or 0 for code, each in known.items()}
    usual = {
        level: Counter(len(code) for code in known if levels[code] == level).most_common(1)[0]
        for level in set(levels.values())
    }
    for each in rows:
        length, many = usual[levels[each.code]]
        others = sum(1 for level in levels.values() if level == levels[each.code]) - many
        # A level whose lengths are mixed anyway (1 … 10) has no usual length.
        if len(each.code) != length and others * 10 <= many:
            yield _fault("codes.length", each, length=length)


def _depth(row: CodeRow, known: Mapping[str, CodeRow]) -> int | None:
    """How many lie above; None where the way up leads round."""
    depth, seen, at = 0, {row.code}, row
    while at.parent in known:
        at = known[at.parent]
        if at.code in seen:
            return None
        seen.add(at.code)
        depth += 1
    return depth


def _fault(code: str, row: CodeRow, **facts: str | int) -> Fault:
    return Fault(code, str(row.row), {"row": row.row, "code": row.code[:LONGEST], **facts})


def filled(declared: CodeList, text: str) -> CodeList:
    """*declared* with the codes of its table. Raises `Rejected` with all that is wrong with it."""
    rows = _sound(text)
    return declared.model_copy(
        update={
            "codes": {each.code: each.name for each in rows},
            "english": {each.code: each.english for each in rows if each.english},
            "parents": {each.code: each.parent for each in rows if each.parent},
        }
    )


@lru_cache(maxsize=64)
def _sound(text: str) -> tuple[CodeRow, ...]:
    rows = read_csv(text)
    if faults := check_rows(rows):
        raise Rejected(faults[0].code, "The table cannot be used", faults=faults)
    return rows


def csv_text(rows: Iterable[CodeRow]) -> str:
    """As a site keeps it."""
    written = StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(("code", "name", "english", "parent"))
    writer.writerows((each.code, each.name, each.english, each.parent) for each in rows)
    return written.getvalue()
