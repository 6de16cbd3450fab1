"""The connector on tables of the standard contract: captured by state, answered in the table itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, delete, insert, select, update

from connectors.front_library import FrontLibrary, ReadTable, Settings
from front_db.database import Limits, make_engine
from schemas.errors import Misconfigured, Rejected
from schemas.message import Operation, Record, SystemCode
from tests.front_db.standard import LEFT_AT, Standard, made
from tests.simulators.exchange import a_delivery


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def partner(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = make_engine(request.getfixturevalue(f"{request.param}_url"), Limits())
    yield engine
    engine.dispose()


@pytest.fixture
def standard(partner: Engine) -> Standard:
    return made(partner)


@pytest.fixture
async def library(standard: Standard) -> AsyncIterator[FrontLibrary]:
    url = standard.engine.url.render_as_string(hide_password=False)
    settings = Settings(
        url=SecretStr(url),
        tables=(standard.out, standard.into),
        reads=(ReadTable(table="o_test_case", kind="case"),),
        results=(ReadTable(table="i_test_case", kind="acknowledgement"),),
        page_rows=3,
        refused_value_rows=1,
    )
    async with FrontLibrary(SystemCode("library"), settings) as library:
        yield library


async def read(library: FrontLibrary) -> list[Record]:
    return [record async for record in library.records(None)]


def rows(standard: Standard) -> list[Any]:
    with standard.engine.connect() as connection:
        return list(connection.execute(select(standard.table).order_by(standard.table.c.x_id)))


async def test_rows_are_handed_on_marked_and_answered(
    library: FrontLibrary, standard: Standard
) -> None:
    """In pages; the bad one is answered where it stands, and what is empty is no value."""
    for n in range(7):
        standard.leave(f"k{n}", level_="" if n else None)
    standard.leave("bad", applicant_name=None)

    found = await read(library)
    assert [f"{n}/1" for n in range(1, 8)] == [record.key for record in found]
    assert all("level_" not in record.body for record in found)
    await library.taken(found[:4])
    await library.taken(found[4:])

    assert "11111113" == "".join(row.x_state for row in rows(standard))
    assert "必填" in rows(standard)[7].x_msg
    assert [] == await read(library)


async def test_a_change_between_reading_and_marking_comes_again(
    library: FrontLibrary, standard: Standard
) -> None:
    """Its writer raised the version; the mark missed, and the record has a key of its own."""
    standard.leave("a")
    seen = await read(library)
    with standard.engine.begin() as connection:
        connection.execute(update(standard.table).values(x_ver=2, applicant_name="新"))

    await library.taken(seen)

    assert [("1/2", "新")] == [(r.key, r.body["applicant_name"]) for r in await read(library)]


async def test_a_table_that_is_too_dirty_stops_and_says_so(
    library: FrontLibrary, standard: Standard
) -> None:
    """After the poll in which its bad rows were answered; withdrawing one sets it going again. The
    heartbeat goes on meanwhile."""
    for key in ("a", "b"):
        standard.leave(key, applicant_name=None)
    assert [] == await read(library)

    standard.leave("c")
    with standard.engine.begin() as connection:
        connection.execute(delete(standard.beside.beat))
    with pytest.raises(Misconfigured) as caught:
        await read(library)
    assert ("front-db.too-dirty", 2) == (caught.value.code, caught.value.facts["count"])

    with standard.engine.begin() as connection:
        assert ["hub"] == list(connection.scalars(select(standard.beside.beat.c.h_side)))
        connection.execute(
            update(standard.table).where(standard.table.c.x_id == 1).values(x_state="5")
        )
    assert ["3/1"] == [record.key for record in await read(library)]


async def test_the_partners_switch_stops_reading(library: FrontLibrary, standard: Standard) -> None:
    """``*`` stops all tables."""
    standard.leave("a")
    with standard.engine.begin() as connection:
        connection.execute(insert(standard.beside.switch), {"s_table": "*", "s_paused": "Y"})

    assert [] == await read(library)


async def test_rows_of_a_batch_are_read_when_it_agrees(
    library: FrontLibrary, standard: Standard
) -> None:
    """Not before its header is sealed with the right count."""
    standard.leave("a", x_batch="B1")
    assert [] == await read(library)
    header = {"b_table": "o_test_case", "b_no": "B1", "b_state": "1", "b_count": 1}
    with standard.engine.begin() as connection:
        connection.execute(insert(standard.beside.batch), {**header, "b_sealed_at": LEFT_AT})

    assert ["1/1"] == [record.key for record in await read(library)]


async def test_a_delivery_is_a_row_with_its_business_key(
    library: FrontLibrary, standard: Standard
) -> None:
    """Key, version and operation are the message's, so that the receiver can order and compare."""
    delivery = a_delivery(
        "i_test_case", {"case_no": "A-1", "applicant_name": "𠮷"}, operation=Operation.UPDATED
    )

    await library.deliver(delivery)

    with standard.engine.connect() as connection:
        row = connection.execute(select(standard.in_sql)).one()
    message = delivery.message
    assert (message.id, "U", message.subject, message.sequence, "0") == (
        row.x_id,
        row.x_op,
        row.x_key,
        row.x_ver,
        row.x_state,
    )
    assert ("A-1", "𠮷") == (row.case_no, row.applicant_name)


async def test_a_delete_is_a_row_with_its_key_alone(
    library: FrontLibrary, standard: Standard
) -> None:
    """What the table needs of a row that is there, it does not need of one that is gone."""
    gone = a_delivery("i_test_case", {"case_no": "A-1"}, operation=Operation.DELETED)
    await library.deliver(gone)
    lacking = a_delivery("i_test_case", {"case_no": "A-1"}, operation=Operation.UPDATED)

    with pytest.raises(Rejected) as caught:
        await library.deliver(lacking)

    assert ["/applicant_name"] == [fault.at for fault in caught.value.faults]
    with standard.engine.connect() as connection:
        row = connection.execute(select(standard.in_sql)).one()
    assert ("D", gone.message.subject, "A-1", None) == (
        row.x_op,
        row.x_key,
        row.case_no,
        row.applicant_name,
    )


async def test_what_the_receiver_says_comes_back_as_a_record(
    library: FrontLibrary, standard: Standard
) -> None:
    """Its state, code and reason, once; until it is acknowledged it comes again."""
    delivery = a_delivery("i_test_case", {"case_no": "A-1", "applicant_name": "甲"})
    await library.deliver(delivery)
    assert [] == await read(library)
    with standard.engine.begin() as connection:
        said = {"x_state": "3", "x_code": "E702", "x_msg": "编号重复"}
        connection.execute(update(standard.in_sql).values(said))

    found = await read(library)
    assert found == await read(library)
    await library.taken(found)

    body = found[0].body
    assert ("acknowledgement", delivery.message.id) == (found[0].kind, body["row_id"])
    assert ("refused", "E702", "编号重复") == (body["state"], body["code"], body["reason"])
    assert [] == await read(library)
