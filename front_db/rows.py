"""Between a payload (text, as routes write it) and a row (values of the database's types).

Standard   GB/T 7408: dates ``YYYY-MM-DD``, times ``YYYY-MM-DDThh:mm:ss``; Beijing time, no zone
Promises   every fault of a payload is found here, each with its column, before the database is
           asked: not all databases name the column, and one without strict mode cuts a text short
Careful    `content_of` takes what the driver gave, not what the column says: SQLite holds anything
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

import orjson

from front_db.contract import Column, Control, ControlValue, ExchangeTable, Kind
from front_db.states import RowState
from schemas.errors import Fault, Misconfigured, Rejected
from schemas.identifiers import CHECKS, Verdict
from schemas.message import Body, Json

__all__ = ["Row", "Unreadable", "content_of", "contents", "control_of", "row_of"]

Row = Mapping[str, object]
WHOLE_LIMIT = 2**63
DIGITS_OF_WHOLE = 18  # from here on the 64 bits decide


class Unreadable(Exception):
    """A row of the partner's that is no content. *column* is where. Caught by `front_db.read`."""

    def __init__(self, column: str) -> None:
        super().__init__(f"column {column} holds no text, number or time")
        self.column = column


def row_of(payload: Body, table: ExchangeTable, *, deleted: bool = False) -> dict[str, object]:
    """
    The content columns of one row. Raises `Rejected` with all faults of *payload*.

    *deleted*: what happened to it stands in a column of its own, and it needs nothing but its key.
    """
    needed = _needed_of_a_delete(table) if deleted and table.control.operation else None
    faults: list[Fault] = []
    row: dict[str, object] = {}
    for column in table.columns:
        given = payload.get(column.name)
        if given is None or (given == "" and column.kind is not Kind.TEXT):
            if column.needed and (needed is None or column.name in needed):
                faults.append(_fault("row.missing", column.name))
            row[column.name] = None
            continue
        found = READERS[column.kind](column, given)
        if isinstance(found, Fault):
            faults.append(found)
        else:
            row[column.name] = found
    known = {column.name for column in table.columns}
    faults += (
        _fault("row.unknown-column", name, table=table.name)
        for name in payload
        if name not in known
    )
    if faults:
        raise Rejected("target.refused", "The row does not fit its table", faults=faults)
    return row


def _needed_of_a_delete(table: ExchangeTable) -> tuple[str, ...]:
    """Its key, where that has no column of its own; where nobody has named one, all."""
    if table.control.key:
        return ()
    return table.business_key or tuple(column.name for column in table.columns)


def control_of(value: ControlValue, control: Control, at: datetime) -> dict[str, object]:
    """The control columns of one row, in the partner's form. *at*: Beijing time, without zone."""
    if len(value.batch) > control.batch_length and control.batch:
        raise Misconfigured(
            "front-db.batch-too-long",
            "The route's name does not fit the table's batch column",
            route=value.batch,
            limit=control.batch_length,
        )
    written: object = at.replace(microsecond=0)
    if control.written_at_format:
        written = at.strftime(control.written_at_format)
    given: dict[str | None, object] = {
        control.row_id: value.row_id,
        control.batch: value.batch,
        control.operation: control.operation_codes.get(value.operation, value.operation),
        control.written_at: written,
        control.source: control.source_value,
        control.version: value.version,
        control.key: value.key,
        control.state: control.word(RowState.NEW) if control.state else None,
        control.error: None,
        control.code: None,
        control.handled_at: None,
        control.handled_version: None,
        control.told: None,
    }
    return {name: found for name, found in given.items() if name}


def content_of(row: Row, table: ExchangeTable) -> dict[str, Json]:
    """
    One row read, as a record's body: text, integers, decimals as text, times as GB/T 7408 text.

    Empty columns are left out. Raises `Unreadable` for a value that is none of these.
    """
    return contents(table)(row)


def contents(table: ExchangeTable) -> Callable[[Row], dict[str, Json]]:
    """`content_of` for many rows of *table*."""
    kinds = {column.name: column.kind for column in table.columns}

    def content(row: Row) -> dict[str, Json]:
        body: dict[str, Json] = {}
        for name, value in row.items():
            if value is None:
                continue
            kind = kinds.get(name, Kind.TEXT)
            # A driver's name may be a subclass of text, which JSON does not take as a key.
            if isinstance(value, str) and kind is not Kind.MOMENT:
                body[str(name)] = value
            else:
                body[str(name)] = _shown(value, name, kind)
        return body

    return content


def _shown(value: object, name: str, kind: Kind) -> Json:
    match value:
        case datetime() if kind is Kind.DATE:
            # Oracle's DATE, and that of databases like it, has a time of day.
            return value.date().isoformat()
        case datetime():
            return value.replace(microsecond=0, tzinfo=None).isoformat()
        case date():
            return value.isoformat()
        case Decimal() | float():
            return str(value)
        case int():
            return int(value)
        case str() if kind is Kind.MOMENT:
            # SQLite keeps times as text: "2026-03-02 09:00:00.000000".
            return value.partition(".")[0].replace(" ", "T")
        case str():
            return value
        case _:
            raise Unreadable(name)


def _fault(code: str, name: str, **facts: str | int) -> Fault:
    return Fault(code, f"/{name}", {"column": name, **facts})


def _text(column: Column, given: Json) -> object:
    if isinstance(given, bool) or not isinstance(given, str | int):
        return _fault("row.type", column.name)
    text = str(given)
    if column.identifier and CHECKS[column.identifier](text) is Verdict.FAULT:
        return _fault("row.identifier", column.name)
    if len(text) > column.length:
        return _fault("row.too-long", column.name, limit=column.length, found_length=len(text))
    if column.codes and text not in column.codes:
        return _fault("row.domain", column.name, allowed=" ".join(column.codes)[:200])
    if "\x00" in text:
        # PostgreSQL has no such character, and says so in a way that names no column.
        return _fault("row.type", column.name)
    return text


def _whole(column: Column, given: Json) -> object:
    try:
        number = int(given) if isinstance(given, str | int) else None
    except ValueError:
        number = None
    if number is None or isinstance(given, bool) or not -WHOLE_LIMIT <= number < WHOLE_LIMIT:
        return _fault("row.number", column.name)
    if abs(number) >= 10**column.digits and column.digits < DIGITS_OF_WHOLE:
        return _fault("row.digits", column.name, limit=column.digits)
    return number


def _decimal(column: Column, given: Json) -> object:
    try:
        number = Decimal(given) if isinstance(given, str | int) else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(given, bool) or not number.is_finite():
        return _fault("row.number", column.name)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > column.places:
        return _fault("row.places", column.name, limit=column.places)
    whole_digits = column.digits - column.places
    if abs(number) >= Decimal(10) ** whole_digits:
        return _fault("row.digits", column.name, limit=whole_digits)
    return number


def _day(column: Column, given: Json) -> object:
    try:
        return (
            date.fromisoformat(given) if isinstance(given, str) else _fault("row.date", column.name)
        )
    except ValueError:
        return _fault("row.date", column.name)


def _moment(column: Column, given: Json) -> object:
    try:
        found = datetime.fromisoformat(given) if isinstance(given, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None:
        return _fault("row.date", column.name)
    return found


def _flag(column: Column, given: Json) -> object:
    found = {True: 1, False: 0, "1": 1, "0": 0, "true": 1, "false": 0}
    is_one = isinstance(given, bool | int | str) and given in found
    return found[given] if is_one else _fault("row.flag", column.name)


def _long(column: Column, given: Json) -> object:
    """Text of any length; a list or a group is kept as JSON."""
    if isinstance(given, Mapping | list | tuple):
        return orjson.dumps(given).decode()
    if isinstance(given, bool) or not isinstance(given, str | int) or "\x00" in str(given):
        return _fault("row.type", column.name)
    return str(given)


READERS: Mapping[Kind, Callable[[Column, Json], object]] = {
    Kind.TEXT: _text,
    Kind.WHOLE: _whole,
    Kind.DECIMAL: _decimal,
    Kind.DATE: _day,
    Kind.MOMENT: _moment,
    Kind.FLAG: _flag,
    Kind.LONG: _long,
}
