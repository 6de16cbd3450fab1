"""A capture process as the hub runs it, from ``o_test_case`` into ``i_test_case``, to be killed."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from threading import Event

from sqlalchemy import Connection, Engine

from front_db.batches import settle_batches
from front_db.capture import Captured, Outgoing, acknowledge, begin, next_page
from front_db.contract import ControlValue
from front_db.database import Limits, make_engine
from front_db.read import Place
from front_db.rows import control_of, row_of
from front_db.troubles import translated
from front_db.write import Written, write_rows
from schemas.errors import Transient
from tests.front_db.standard import LEFT_AT, Shape

__all__ = ["capture_for_ever", "incoming_row"]

AT = LEFT_AT + timedelta(minutes=1)
PAGE_ROWS = 7
OPERATIONS = {"I": "created", "U": "updated", "D": "deleted"}
LIMITS = Limits(lock_s=5, call_s=10, connections=2)


def capture_for_ever(url: str, shape: Shape) -> None:
    """Poll, write, acknowledge, each in a transaction of its own: a kill falls between any two."""
    engine, idle = make_engine(url, LIMITS), Event()
    while True:
        with suppress(Transient), translated():
            _poll(engine, shape)
        idle.wait(0.02)


def _poll(engine: Engine, shape: Shape) -> None:
    source = Outgoing(shape.out, shape.table, shape.beside)
    with _writing(engine) as connection, connection.begin():
        settle_batches(connection, source, AT)
        progress = begin(connection, source, AT)
    place: Place | None = None
    while progress is not None:
        with _writing(engine) as connection, connection.begin():
            page = next_page(connection, source, progress, after=place, limit=PAGE_ROWS, at=AT)
        with _writing(engine) as connection, connection.begin():
            rows = [incoming_row(shape, each) for each in page.rows]
            done = write_rows(connection, shape.into, shape.in_sql, rows) if rows else []
        assert all(isinstance(each, Written) for each in done)
        with _writing(engine) as connection, connection.begin():
            acknowledge(connection, source, page.rows, AT)
        if (place := page.place) is None:
            return


def _writing(engine: Engine) -> Connection:
    return engine.connect().execution_options(shuniu_write=True)


def incoming_row(shape: Shape, captured: Captured) -> dict[str, object]:
    """The row that is left for the receiver of *captured*."""
    content = captured.content
    operation = OPERATIONS[str(content["x_op"])]
    names = {column.name for column in shape.into.columns}
    payload = {name: value for name, value in content.items() if name in names}
    if operation == "deleted":
        payload |= {"case_no": captured.judged.key, "applicant_name": "-"}
    version = captured.seen.version or 0
    value = ControlValue(
        row_id=f"{captured.seen.row_id}/{version}",
        batch="test",
        operation=operation,
        version=version,
        key=captured.judged.key,
    )
    return row_of(payload, shape.into) | control_of(value, shape.into.control, AT)
