"""What the hub refuses after it took it comes back to the partner's row, with field and reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from connectors.front_library import FrontLibrary, ReadTable, Settings
from hub.store import Store
from hub.store import tables as hub_tables
from schemas.message import Record, SystemCode
from tests.front_db.plain import fresh_store
from tests.front_db.standard import Standard, made

NOW = datetime(2026, 3, 2, 1, 5, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = fresh_store(tmp_path)
    yield store
    store.close()


def refused_by_the_hub(store: Store, record: Record, code: str = "rule.domain") -> None:
    """As its failure store keeps a record that is wrong."""
    fault = {"code": code, "at": "/fee", "facts": {"column": "fee"}}
    texts = dict.fromkeys(
        ("route", "system", "subject", "fingerprint", "note", "kind", "version", "dataschema"), ""
    )
    row: dict[str, Any] = {
        **texts,
        "id": f"f-{record.key}",
        "message_id": f"m-{record.key}",
        "record_id": f"m-{record.key}",
        "stage": "intake",
        "source": "library",
        "resource": record.kind,
        "code": "record.invalid",
        "faults": [fault],
        "attempts": 1,
        "first_at": NOW,
        "last_at": NOW,
        "state": "waiting",
        "headers": {"x-key": record.key},
        "sealed": b"",
    }
    store.write_now(lambda connection: connection.execute(insert(hub_tables.failures), row))


async def read(library: FrontLibrary) -> list[Record]:
    return [record async for record in library.records(None)]


def rows(standard: Standard) -> list[Any]:
    with standard.engine.connect() as connection:
        return list(connection.execute(select(standard.table).order_by(standard.table.c.x_id)))


async def test_a_row_that_the_hub_refuses_later_is_refused_in_its_table(
    partner: Engine, store: Store
) -> None:
    """From taken to refused, in plain Chinese, with a receipt; later rows of its key are held, and go
    once it is mended. One that was mended before it was told stays as it is. R-A6"""
    standard = made(partner)
    for key in ("a", "b", "c"):
        standard.leave(key)
    settings = Settings.model_validate(
        {
            "url": partner.url.render_as_string(hide_password=False),
            "tables": [standard.out],
            "reads": [ReadTable(table="o_test_case", kind="case")],
        }
    )
    library = FrontLibrary(SystemCode("library"), settings, clock=lambda: NOW)
    library.keep_in(store)
    async with library:
        found = await read(library)
        await library.taken(found)
        refused_by_the_hub(store, found[0], "row.number")
        refused_by_the_hub(store, found[1], "row.number")
        change(standard, 2, x_ver=2, x_state="0")
        standard.leave("a", 2)

        assert ["2/2"] == [record.key for record in await read(library)]

        states = [(row.x_state, row.x_code) for row in rows(standard)]
        assert [("3", "row.number"), ("0", None), ("1", None), ("4", "row.held")] == states
        first = rows(standard)[0]
        assert "费用" in first.x_msg or "fee" in first.x_msg
        assert (NOW + timedelta(hours=8)).replace(tzinfo=None) == first.x_done
        receipt = standard.beside.receipt
        with standard.engine.connect() as connection:
            asked = select(receipt.c.r_row, receipt.c.r_field).where(receipt.c.r_stage == "refused")
            assert [("1", "fee")] == [tuple(row) for row in connection.execute(asked)]

        change(standard, 1, x_ver=3, x_state="0", fee=Decimal("1.00"))
        assert ["1/3", "2/2"] == [record.key for record in await read(library)][:2]


def change(standard: Standard, row_id: int, **values: object) -> None:
    table = standard.table
    with standard.engine.begin() as connection:
        connection.execute(update(table).where(table.c.x_id == row_id).values(values))
