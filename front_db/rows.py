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

from front_db.contract import Column, Control, ControlValue, ExchangeTable, Kind
from schemas.errors import Fault, Misconfigured, Rejected
from schemas.message import Body, Json

__all__ = ["Row", "Unreadable", "content_of", "control_of", "row_of"]

Row = Mapping[str, object]
WHOLE_LIMIT = 2**63


class Unreadable(Exception):
    """A row of the partner's that is no content. *column* is where. Caught by `front_db.read`."""

    def __init__(self, column: str) -> None:
        super().__init__(f"column {column} holds no text, number or time")
        self.column = column


def row_of(payload: Body, table: ExchangeTable) -> dict[str, object]:
    """The content columns of one row. Raises `Rejected` with all faults of *payload*."""
    faults: list[Fault] = []
    row: dict[str, object] = {}
    for column in table.columns:
        given = payload.get(column.name)
        if given is None or (given == "" and column.kind is not Kind.TEXT):
            if column.needed:
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
        control.state: control.state_new,
        control.error: None,
    }
    return {name: found for name, found in given.items() if name}


def content_of(row: Row, table: ExchangeTable) -> dict[str, Json]:
    """
    One row read, as a record's body: text, integers, decimals as text, times as GB/T 7408 text.

    Empty columns are left out. Raises `Unreadable` for a value that is none of these.
    """
    body: dict[str, Json] = {}
    for name, value in row.items():
        if value is None:
            continue
        column = table.column(name)
        # A driver's name may be a subclass of text, which JSON does not take as a key.
        body[str(name)] = _shown(value, name, column.kind if column else Kind.TEXT)
    return body


def _shown(value: object, name: str, kind: Kind) -> Json:
    match value:
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


READERS: Mapping[Kind, Callable[[Column, Json], object]] = {
    Kind.TEXT: _text,
    Kind.WHOLE: _whole,
    Kind.DECIMAL: _decimal,
    Kind.DATE: _day,
    Kind.MOMENT: _moment,
}
