"""The connector for exchange tables, on the databases that partners use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace
from pydantic import SecretStr, ValidationError
from sqlalchemy import Engine, MetaData, Table, insert, make_url, select, text, update

from connectors.front_library import FrontLibrary, ReadTable, Settings
from front_db.contract import Column, Control, ExchangeTable, Kind
from front_db.database import Limits, make_engine
from front_db.ddl import sql_table
from hub.port import Sink, Source, Traits
from schemas.errors import Misconfigured, Rejected, Transient
from schemas.message import Body, Operation, Record, SystemCode
from tests.simulators.exchange import a_delivery

NOON = datetime.fromisoformat("2026-03-02T12:00:00+08:00")
IN = ExchangeTable(
    name="cases",
    columns=(
        Column(name="project_no", length=50, needed=True),
        Column(name="name", length=100),
        Column(name="days", kind=Kind.WHOLE),
        Column(name="accepted", kind=Kind.MOMENT),
    ),
    control=Control(
        row_id="row_guid", batch="cd_batch", operation="cd_operation", written_at="cd_time"
    ),
)
OUT = ExchangeTable(
    name="news",
    columns=(Column(name="case_no", length=50), Column(name="said", length=100)),
    control=Control(
        row_id="id",
        version="version",
        state="state",
        written_at="changed_at",
        written_at_format="%Y%m%d%H%M%S",
        error="error",
    ),
)


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def url(request: pytest.FixtureRequest) -> str:
    address: str = request.getfixturevalue(f"{request.param}_url")
    return address


class Partner:
    """The partner's own line to its database, and its tables."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine: Engine = make_engine(url, Limits())
        metadata = MetaData()
        self.cases, self.news = sql_table(IN, metadata), sql_table(OUT, metadata)
        metadata.create_all(self.engine)

    def rows(self, table: Table) -> Sequence[Any]:
        with self.engine.connect() as connection:
            return connection.execute(select(table)).mappings().all()

    def leaves(self, row_id: str, said: object, *, version: int = 1) -> None:
        row = {"id": row_id, "version": version, "state": "0", "changed_at": "20260302090000"}
        with self.engine.begin() as connection:
            connection.execute(insert(self.news), {**row, "case_no": row_id, "said": said})

    def changes(self, row_id: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(self.news).where(self.news.c.id == row_id).values(values))


@pytest.fixture
def partner(url: str) -> Any:
    partner = Partner(url)
    yield partner
    partner.engine.dispose()


def settings(url: str, **more: object) -> Settings:
    given = {
        "url": SecretStr(url),
        "tables": (IN, OUT),
        "reads": (ReadTable(table="news", kind="news"),),
        "lock_s": 0.3,
        "call_s": 5.0,
    }
    return Settings.model_validate({**given, **more})


@pytest.fixture
async def library(partner: Partner) -> AsyncIterator[FrontLibrary]:
    made = FrontLibrary(SystemCode("library"), settings(partner.url), clock=lambda: NOON)
    async with made as library:
        yield library


def test_it_is_what_the_port_asks_for() -> None:
    """Checked by the type checker: a sink and a source."""
    library = FrontLibrary(SystemCode("x"), settings("sqlite://"))
    sink: Sink = library
    source: Source = library

    assert sink.traits == source.traits == Traits(idempotent=True, says_why=True)


async def read(library: FrontLibrary) -> list[Record]:
    return [record async for record in library.records(None)]


async def test_a_delivery_is_a_row_of_its_table(library: FrontLibrary, partner: Partner) -> None:
    """Content as it was, Chinese included; the row's id is the message's, its batch the route."""
    payload: Body = {
        "project_no": "A-1",
        "name": "民宿𠮷",
        "days": 3,
        "accepted": "2026-03-02T09:00:00",
    }
    delivery = a_delivery("cases", payload, operation=Operation.UPDATED)

    answer = await library.deliver(delivery)

    (row,) = partner.rows(partner.cases)
    assert (delivery.message.id, "test") == (row["row_guid"], row["cd_batch"])
    assert ("A-1", "民宿𠮷", 3) == (row["project_no"], row["name"], row["days"])
    assert datetime.fromisoformat("2026-03-02T09:00:00") == row["accepted"]
    assert ("U", datetime.fromisoformat("2026-03-02T12:00:00")) == (
        row["cd_operation"],
        row["cd_time"],
    )
    assert (row["row_guid"], False) == (answer.number, answer.repeated)


async def test_a_repeat_is_answered_with_the_same_number(
    library: FrontLibrary, partner: Partner
) -> None:
    """Also when the repeats come at the same time, as after a time-out of ours."""
    delivery = a_delivery("cases", {"project_no": "A-1"})

    first = await library.deliver(delivery)
    more = await asyncio.gather(*(library.deliver(replace(delivery, attempt=n)) for n in (2, 3, 4)))

    assert {(first.number, True)} == {(again.number, again.repeated) for again in more}
    assert 1 == len(partner.rows(partner.cases))


async def test_many_at_once_are_all_held(library: FrontLibrary, partner: Partner) -> None:
    """They share transactions, and each gets its own answer."""
    deliveries = [a_delivery("cases", {"project_no": f"A-{n}"}) for n in range(60)]

    answers = await asyncio.gather(*map(library.deliver, deliveries))

    assert [delivery.message.id for delivery in deliveries] == [a.number for a in answers]
    assert {d.message.id for d in deliveries} == {
        r["row_guid"] for r in partner.rows(partner.cases)
    }


async def test_a_refusal_names_the_column(library: FrontLibrary, partner: Partner) -> None:
    """And never quotes the value: it may be a citizen's."""
    with pytest.raises(Rejected) as caught:
        await library.deliver(a_delivery("cases", {"project_no": "机密" * 30, "days": "x"}))

    assert {"/project_no", "/days"} == {fault.at for fault in caught.value.faults}
    assert "机密" not in f"{caught.value} {caught.value.faults}"
    assert [] == list(partner.rows(partner.cases))


async def test_a_refusal_of_the_database_names_the_column(
    library: FrontLibrary, partner: Partner
) -> None:
    """The partner tightened a column without telling us."""
    with partner.engine.begin() as connection:
        connection.execute(text("DROP TABLE cases"))
        strict = sql_table(
            IN.model_copy(
                update={
                    "columns": tuple(c.model_copy(update={"needed": True}) for c in IN.columns),
                }
            ),
            MetaData(),
        )
        strict.create(connection)

    with pytest.raises(Rejected) as caught:
        await library.deliver(
            a_delivery("cases", {"project_no": "A-1", "days": 1, "accepted": "2026-03-02T09:00:00"})
        )

    assert ("target.refused", "/name") == (caught.value.code, caught.value.at)


async def test_a_table_that_nobody_described_stops_the_route(library: FrontLibrary) -> None:
    """A route's call is wrong, or the profile lacks a table; neither gets better by retrying."""
    for call in ("payments", "news"):
        with pytest.raises(Misconfigured) as caught:
            await library.deliver(a_delivery(call, {}))
        assert "target.unknown-table" == caught.value.code


async def test_rows_are_read_and_marked(library: FrontLibrary, partner: Partner) -> None:
    """Until they are marked they come again; afterwards they do not."""
    partner.leaves("N1", "已受理")

    first, again = await read(library), await read(library)
    await library.taken(first)

    assert first == again
    assert ("news", "N1/1") == (first[0].kind, first[0].key)
    assert ("已受理", 1) == (first[0].body["said"], first[0].body["version"])
    assert [] == await read(library)
    assert "1" == partner.rows(partner.news)[0]["state"]


async def test_a_change_while_we_read_is_another_record(
    library: FrontLibrary, partner: Partner
) -> None:
    """Marked at the version we saw, so the newer one comes out under a key of its own."""
    partner.leaves("N1", "同意")
    seen = await read(library)
    partner.changes("N1", said="同意（更正）", version=2)

    await library.taken(seen)

    assert [("N1/2", "同意（更正）")] == [(r.key, r.body["said"]) for r in await read(library)]


async def test_all_pages_are_read(partner: Partner) -> None:
    """More rows than fit a page, all of one second."""
    for n in range(7):
        partner.leaves(f"N{n}", "x")
    paged = settings(partner.url, page_rows=3)
    async with FrontLibrary(SystemCode("library"), paged) as library:
        assert [f"N{n}/1" for n in range(7)] == [record.key for record in await read(library)]


async def test_columns_may_tell_a_repeat_in_another_row(partner: Partner) -> None:
    """The partner wrote the same thing twice, with two row ids: the records have one key."""
    partner.leaves("N1", "x")
    partner.leaves("N2", "x")
    partner.changes("N2", case_no="N1")
    keyed = settings(
        partner.url, reads=({"table": "news", "kind": "news", "key": ("case_no", "version")},)
    )
    async with FrontLibrary(SystemCode("library"), keyed) as library:
        assert ["N1/1", "N1/1"] == [record.key for record in await read(library)]


async def test_a_row_that_cannot_be_read_is_given_back_with_a_reason(sqlite_url: str) -> None:
    """Bytes where text should be: the others go on, and its writer is told in its own table."""
    partner = Partner(sqlite_url)
    partner.leaves("N1", "x")
    partner.leaves("N2", "x")
    with partner.engine.begin() as connection:
        connection.execute(text("UPDATE news SET said = x'D0A1' WHERE id = 'N1'"))
    async with FrontLibrary(SystemCode("library"), settings(sqlite_url)) as library:
        assert ["N2/1"] == [record.key for record in await read(library)]

    row = next(row for row in partner.rows(partner.news) if row["id"] == "N1")
    assert "9" == row["state"]
    assert "said" in row["error"]
    partner.engine.dispose()


async def test_the_check_notices_and_changes_nothing(
    library: FrontLibrary, partner: Partner
) -> None:
    """A table that is gone is told by name."""
    await library.check()
    assert [] == list(partner.rows(partner.cases))
    with partner.engine.begin() as connection:
        connection.execute(text("DROP TABLE news"))

    with pytest.raises(Misconfigured) as caught:
        await library.check()

    assert ("target.no-table", "news") == (caught.value.code, caught.value.facts["table"])


async def test_an_account_without_grants_stops_the_route(postgres_url: str) -> None:
    """Reading is granted, writing is not: the check says so before the first delivery."""
    partner = Partner(postgres_url)
    user = f"reader_{make_url(postgres_url).database}"
    with partner.engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {user} LOGIN PASSWORD 'secret-of-reader'"))
        connection.execute(text(f"GRANT SELECT ON cases, news TO {user}"))
    address = make_url(postgres_url).set(username=user, password="secret-of-reader")
    wrong = settings(address.render_as_string(hide_password=False))
    async with FrontLibrary(SystemCode("library"), wrong) as library:
        with pytest.raises(Misconfigured) as checked:
            await library.check()
        with pytest.raises(Misconfigured) as delivered:
            await library.deliver(a_delivery("cases", {"project_no": "A-1", "name": "民宿一件事"}))

    assert "target.denied" == checked.value.code == delivered.value.code
    shown = f"{delivered.value} {delivered.value.facts} {delivered.value.__cause__}"
    assert "secret-of-reader" not in shown
    assert "民宿一件事" not in shown
    with partner.engine.begin() as connection:
        connection.execute(text(f"DROP OWNED BY {user}"))
        connection.execute(text(f"DROP ROLE {user}"))
    partner.engine.dispose()


async def test_it_opens_again_after_closing(library: FrontLibrary) -> None:
    """Routes are stopped and started all day."""
    await library.__aexit__(None, None, None)
    with pytest.raises(Transient):
        await library.deliver(a_delivery("cases", {"project_no": "A-1"}))
    await library.__aenter__()

    assert (await library.deliver(a_delivery("cases", {"project_no": "A-1"}))).number


async def test_a_lock_ends_as_transient_and_cancelling_is_at_once(
    library: FrontLibrary, partner: Partner
) -> None:
    """The partner's batch job holds the row we want."""
    delivery = a_delivery("cases", {"project_no": "A-1"})
    row = {
        "row_guid": delivery.message.id,
        "cd_operation": "I",
        "cd_time": datetime.fromisoformat("2026-03-02T12:00:00"),
        "project_no": "A-1",
    }
    with partner.engine.connect().execution_options(shuniu_write=True) as theirs, theirs.begin():
        theirs.execute(insert(partner.cases), row)

        waiting = asyncio.create_task(library.deliver(delivery))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(waiting, timeout=0.2)
        with pytest.raises(Transient) as caught:
            await library.deliver(delivery)

        assert "target.locked" == caught.value.code
        theirs.get_transaction().rollback()  # type: ignore[union-attr] # there is one


def test_it_says_what_it_can_do() -> None:
    """Tables that are read make a source, all others a sink."""
    both = FrontLibrary(SystemCode("x"), settings("sqlite://"))
    sink = FrontLibrary(SystemCode("x"), settings("sqlite://", tables=(IN,), reads=()))
    source = FrontLibrary(SystemCode("x"), settings("sqlite://", tables=(OUT,)))

    assert {"deliver", "records"} == both.abilities
    assert {"deliver"} == sink.abilities
    assert {"records"} == source.abilities


def test_a_profile_that_does_not_fit_together_is_refused() -> None:
    """Reading a table that nobody described, and one kind for two tables."""
    for reads in (
        ({"table": "nowhere", "kind": "x"},),
        ({"table": "news", "kind": "x"}, {"table": "news", "kind": "x"}),
    ):
        with pytest.raises(ValidationError):
            settings("sqlite://", reads=reads)


async def test_a_read_table_needs_a_version() -> None:
    """Said when it is opened, not when a change was swallowed."""
    unfit = settings("sqlite://", reads=({"table": "cases", "kind": "x"},))
    with pytest.raises(Misconfigured) as caught:
        await FrontLibrary(SystemCode("x"), unfit).__aenter__()

    assert "front-db.not-readable" == caught.value.code


def test_the_address_does_not_show() -> None:
    """It holds the password of the partner's database."""
    library = FrontLibrary(SystemCode("x"), settings("postgresql+psycopg://u:topsecret@h/d"))

    assert "topsecret" not in f"{library!r} {library._settings!r} {library._database!r}"
