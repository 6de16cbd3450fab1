"""Rows of the batch path between two tables: the source's text taken apart, the target's put together.

Form       lines as PostgreSQL's COPY writes them: columns parted by tabs, empty for none
Promises   a line comes only of a payload that `front_db.rows.row_of` takes; the glance that most pass
           is compiled for the table, and whatever does not pass is looked at by `row_of`, which decides
Careful    the compiled source holds no text of a declaration: limits and codes are bound by name
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from front_db.contract import Column, ExchangeTable, Kind
from front_db.rows import row_of
from schemas.identifiers import CHECKS, Verdict
from schemas.message import Body, Json

__all__ = [
    "Fits",
    "Texts",
    "compile_content",
    "compile_fits",
    "compile_texts",
    "escaped",
    "joined",
    "told",
    "unescaped",
]

Texts = Callable[[Body], list[str]]
"""The content columns of a payload as texts. Raises `Rejected` with all faults."""

Fits = Callable[[Body], bool]
"""Whether a payload is good for sure."""

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_BACK = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "\\": "\\"}
_SPECIAL, _ESCAPED = re.compile(r"[\\\t\n\r]"), re.compile(r"\\(.)", re.DOTALL)
_DAY = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])").fullmatch
_MOMENT = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])[T ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
).fullmatch


def escaped(text: str) -> str:
    """*text* as it stands in a line."""
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], text)


def joined(columns: Sequence[Iterable[str]]) -> list[str]:
    """Lines of *columns*, each ended."""
    rows = list(zip(*columns, strict=True))
    lines = ["\t".join(row) + "\n" for row in rows]
    tabs = len(columns) - 1
    if _is_plain("".join(lines), len(rows), tabs):
        return lines
    return [
        line if _is_plain(line, 1, tabs) else "\t".join(map(escaped, row)) + "\n"
        for line, row in zip(lines, rows, strict=True)
    ]


def _is_plain(text: str, lines: int, tabs: int) -> bool:
    """Whether nothing in *text*, of so many lines with so many tabs each, has to be escaped."""
    ends, parts = text.count("\n") == lines, text.count("\t") == tabs * lines
    return ends and parts and "\\" not in text and "\r" not in text


def unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: _BACK.get(found[1], found[1]), text)


def told(value: object) -> str:
    """A value of a driver, or of `row_of`, as a column's text; empty for none."""
    match value:
        case None:
            return ""
        case str():
            return value
        case datetime():
            return value.replace(tzinfo=None).isoformat(" ", "seconds")
        case date():
            return value.isoformat()
        case Decimal():
            return format(value, "f")
        case bool():
            return str(int(value))
        case _:
            return str(value)


def compile_content(table: ExchangeTable, names: Sequence[str]) -> Callable[[list[str]], Body]:
    """From the texts of columns *names* to a content, as `front_db.rows.content_of` gives it."""
    changes: dict[str, Callable[[str], Json]] = {}
    whole = {str(table.control.version), table.control.row_id}
    for name in names:
        column = table.column(name)
        kind = Kind.WHOLE if name in whole else column.kind if column else Kind.TEXT
        if kind in {Kind.WHOLE, Kind.FLAG}:
            changes[name] = int
        elif kind is Kind.MOMENT or name == table.control.written_at:
            changes[name] = lambda text: text.partition(".")[0].replace(" ", "T")

    def content(row: list[str]) -> Body:
        found: dict[str, Json] = {n: v for n, v in zip(names, row, strict=True) if v}
        for name, change in changes.items():
            if name in found:
                found[name] = change(str(found[name]))
        return found

    return content


def compile_texts(table: ExchangeTable) -> Texts:
    """As `row_of`, for payloads by the thousand."""
    glance = _compiled(table)

    def texts(payload: Body) -> list[str]:
        found = glance(payload)
        if found is None:
            row = row_of(payload, table)
            return [told(row[column.name]) for column in table.columns]
        return found

    return texts


def compile_fits(table: ExchangeTable) -> Fits:
    """Whether `row_of` takes a payload for sure, at a glance; what does not pass may be good, too."""
    glance = _compiled(table)
    return lambda payload: glance(payload) is not None


def _compiled(table: ExchangeTable) -> Callable[[Body], list[str] | None]:
    names: dict[str, Any] = {"known": frozenset(each.name for each in table.columns)}
    lines = ["def glance(payload):", "    if not payload.keys() <= known: return None"]
    lines.append("    get = payload.get")
    for n, column in enumerate(table.columns):
        names[f"n{n}"] = column.name
        lines.append(f"    v{n} = get(n{n})")
        # An empty text is no value; whether there may be none, `row_of` knows.
        lines.append(f"    if v{n} is None or v{n} == '':")
        lines.append("        return None" if column.needed else f"        v{n} = ''")
        lines += _look(n, column, names)
    values = ", ".join(f"v{n}" for n in range(len(table.columns)))
    lines.append(f"    return [{values}]")
    exec(compile("\n".join(lines), "<texts>", "exec"), names)  # noqa: S102 - written by us alone
    made: Callable[[Body], list[str] | None] = names["glance"]
    return made


def _look(n: int, column: Column, names: dict[str, Any]) -> list[str]:
    """Lines that leave ``v<n>`` a text, or return None."""
    match column.kind:
        case Kind.TEXT:
            fine = f"v{n}.__class__ is str and len(v{n}) <= {column.length} and '\\0' not in v{n}"
            if column.codes:
                names[f"c{n}"] = frozenset(column.codes)
                fine += f" and v{n} in c{n}"
            if column.identifier:
                names[f"i{n}"], names["fault"] = CHECKS[column.identifier], Verdict.FAULT
                fine += f" and i{n}(v{n}) is not fault"
        case Kind.WHOLE if column.digits < 18:
            bound = 10**column.digits
            return [
                f"    elif v{n}.__class__ is int and {-bound} < v{n} < {bound}: v{n} = str(v{n})",
                "    else: return None",
            ]
        case Kind.FLAG:
            names[f"f{n}"] = {1: "1", 0: "0", "1": "1", "0": "0"}  # True and False are 1 and 0 too
            return [
                f"    elif v{n}.__class__ in (int, bool, str) and v{n} in f{n}: v{n} = f{n}[v{n}]",
                "    else: return None",
            ]
        case Kind.DECIMAL:
            whole, places = column.digits - column.places, column.places
            point = rf"(?:\.\d{{1,{places}}})?" if places else ""
            before = rf"\d{{1,{whole}}}" if whole > 0 else "0"
            names[f"m{n}"] = re.compile(rf"-?{before}{point}", re.ASCII).fullmatch
            fine = f"v{n}.__class__ is str and m{n}(v{n})"
        case Kind.DATE | Kind.MOMENT:
            names[f"m{n}"] = _DAY if column.kind is Kind.DATE else _MOMENT
            fine = f"v{n}.__class__ is str and m{n}(v{n})"
        case Kind.LONG:
            fine = f"v{n}.__class__ is str and '\\0' not in v{n}"
        case _:
            fine = "False"
    return [f"    elif not ({fine}): return None"]
