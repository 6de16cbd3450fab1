"""Capture from PostgreSQL's log: nothing between the first load and the log is missed, whatever breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

import psycopg
import pytest
from sqlalchemy import MetaData, make_url

from front_db.books import Book, let_go_on
from front_db.changes import Change
from front_db.contract import Column, ExchangeTable, Kind
from front_db.database import Database
from front_db.ddl import sql_table
from front_db.logical import LogicalReader
from front_db.modes import LogicalMode
from front_db.origin import Origin
from hub.store import Store
from schemas.errors import Misconfigured
from tests.front_db.receiver import Receiver, drained, shown

DESCRIBED = ExchangeTable(
    name="qyss",
    columns=(
        Column(name="tyshxydm", length=18),
        Column(name="qymc", length=200),
        Column(name="zczb", kind=Kind.DECIMAL, digits=18, places=2),
        Column(name="clrq", kind=Kind.DATE),
        Column(name="gxsj", kind=Kind.MOMENT),
        Column(name="bz", kind=Kind.LONG),
    ),
    business_key=("tyshxydm",),
)
MADE = """
CREATE TABLE qyss (tyshxydm varchar(18) PRIMARY KEY, qymc varchar(200), zczb numeric(18,2), clrq date,
 gxsj timestamp, bz text, inside int);
CREATE PUBLICATION shuniu_qyss FOR TABLE qyss;
"""
SLOT = "SELECT pg_create_logical_replication_slot(%s, 'pgoutput')"


@dataclass
class Partner:
    """The database as its administrator has it. *slot*: names are the server's, not the database's."""

    url: str
    slot: str

    def connect(self) -> psycopg.Connection[Any]:
        # What is not flushed is in no log yet.
        flushed = "-c synchronous_commit=on"
        return psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True, options=flushed)

    def run(self, statement: str, *values: object) -> list[Any]:
        with self.connect() as connection:
            found = connection.execute(statement.encode(), values or None)
            return found.fetchall() if found.description else []

    def drop_slot(self) -> None:
        self.run("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                 " WHERE database = current_database()")  # fmt: skip

    def rows(self) -> dict[str, Any]:
        return {row[0]: row[1] for row in self.run("SELECT tyshxydm, qymc FROM qyss")}


@pytest.fixture
def partner(postgres_url: str) -> Iterator[Partner]:
    made = Partner(postgres_url, f"s_{make_url(postgres_url).database}".lower())
    made.run(MADE)
    made.run(SLOT, made.slot)
    yield made
    made.drop_slot()


@pytest.fixture
def fresh(partner: Partner, records: Store) -> Iterator[Callable[[], LogicalReader]]:
    """A reader as a process that has just started makes it."""
    database = Database(partner.url)
    database.open()

    def made() -> LogicalReader:
        def now() -> datetime:
            return datetime.now(UTC)

        book = Book(records, "tax", DESCRIBED.name, "logical", now)
        origin = Origin(
            database=database,
            described=DESCRIBED,
            table=sql_table(DESCRIBED, MetaData()),
            book=book,
            page_rows=3,
            now=now,
        )
        mode = LogicalMode(slot=partner.slot, publication="shuniu_qyss", keep_mb=16)
        return LogicalReader(origin, mode)

    yield made
    database.close()


async def test_first_all_rows_then_each_change_in_its_order(
    partner: Partner, fresh: Callable[[], LogicalReader]
) -> None:
    """R-A6: deletes, keys that change, a late commit; not what was rolled back. Values as a driver gives them."""
    partner.run(
        "INSERT INTO qyss (tyshxydm, qymc) SELECT 'k' || n, 'v' FROM generate_series(1, 7) n"
    )
    reader, receiver = fresh(), Receiver()
    # The insert stands in the log too, behind the slot's beginning: it is told twice, to no effect.
    assert 14 == len(await drained(reader, receiver))
    assert [] == await drained(reader, receiver)

    with partner.connect() as late:
        late.autocommit = False
        late.execute("INSERT INTO qyss (tyshxydm, qymc) VALUES ('late', '𠮷')")
        partner.run(
            "INSERT INTO qyss VALUES ('a', '民宿''𝄞', -0.10, '2024-02-29', '2026-03-01 00:00:00', '')"
        )
        early = await drained(reader, receiver)
        late.commit()
    with partner.connect() as other:
        other.autocommit = False
        other.execute("DELETE FROM qyss")
        other.rollback()
    partner.run("UPDATE qyss SET qymc = '二' WHERE tyshxydm = 'a'")
    partner.run("UPDATE qyss SET tyshxydm = 'b' WHERE tyshxydm = 'a'")
    partner.run("DELETE FROM qyss WHERE tyshxydm = 'b'")
    found = await drained(reader, receiver)

    assert [("created", "a", "民宿'𝄞")] == shown(early)
    assert {
        "tyshxydm": "a",
        "qymc": "民宿'𝄞",
        "zczb": "-0.10",
        "clrq": "2024-02-29",
        "gxsj": "2026-03-01T00:00:00",
        "bz": "",
    } == early[0].content
    assert [
        ("created", "late", "𠮷"),
        ("updated", "a", "二"),
        ("deleted", "a", None),
        ("created", "b", "二"),
        ("deleted", "b", None),
    ] == shown(found)
    assert partner.rows() == receiver.names


async def test_what_is_not_safe_is_read_again_as_the_same_and_stays_in_the_slot(
    partner: Partner, fresh: Callable[[], LogicalReader]
) -> None:
    """A process that ends between handing on and its confirmation; a large value that was not logged again."""
    await drained(fresh(), Receiver())
    partner.run("INSERT INTO qyss (tyshxydm, qymc, bz) SELECT 'a', 'v', string_agg(md5(n::text), '')"
                " FROM generate_series(1, 500) n")  # fmt: skip
    partner.run("UPDATE qyss SET qymc = 'w'")
    first = [change async for change in fresh().changes()]
    second = [change async for change in fresh().changes()]

    assert 2 == len(first)
    assert [change.id for change in first] == [change.id for change in second]
    assert [16000, 16000] == [len(str(change.content["bz"])) for change in second]
    reader = fresh()
    await drained(reader, Receiver())
    assert [] == [change async for change in fresh().changes()]


async def test_a_table_that_is_emptied_is_so_many_deletes(
    partner: Partner, fresh: Callable[[], LogicalReader]
) -> None:
    """TRUNCATE, also of what was inserted in the same breath and is not safe yet."""
    reader, receiver = fresh(), Receiver()
    partner.run("INSERT INTO qyss (tyshxydm) SELECT 'k' || n FROM generate_series(1, 5) n")
    await drained(reader, receiver)
    await drained(reader, receiver)
    with partner.connect() as one:
        one.autocommit = False
        one.execute("INSERT INTO qyss (tyshxydm, qymc) VALUES ('x', 'v')")
        one.execute("TRUNCATE qyss")
        one.execute("INSERT INTO qyss (tyshxydm, qymc) VALUES ('k1', 'again')")
        one.commit()
    await drained(reader, receiver)

    assert {"k1": "again"} == receiver.names
    assert set(receiver.rows) == {"k1", "k2", "k3", "k4", "k5", "x"}


async def test_a_slot_made_anew_is_noticed_and_the_whole_table_told(
    partner: Partner, fresh: Callable[[], LogicalReader], records: Store
) -> None:
    """What happened meanwhile is in no log: no silence, and what is no more is deleted."""
    partner.run(
        "INSERT INTO qyss (tyshxydm, qymc) SELECT 'k' || n, 'v' FROM generate_series(1, 7) n"
    )
    receiver = Receiver()
    await drained(fresh(), receiver)
    await drained(fresh(), receiver)
    partner.drop_slot()
    partner.run("DELETE FROM qyss WHERE tyshxydm < 'k4'")
    partner.run("UPDATE qyss SET qymc = 'w' WHERE tyshxydm = 'k7'")
    with pytest.raises(Misconfigured) as without:
        await drained(fresh(), receiver)
    partner.run(SLOT, partner.slot)
    await drained(fresh(), receiver)
    await drained(fresh(), receiver)

    assert "front-db.no-slot" == without.value.code
    assert {"k4": "v", "k5": "v", "k6": "v", "k7": "w"} == receiver.names
    figures = (await fresh().origin.book.open()).figures
    assert 1 == figures["log_lost"]


async def test_a_comparison_that_broke_off_hides_no_delete(
    partner: Partner, fresh: Callable[[], LogicalReader]
) -> None:
    """Rows that were told by it have versions above the place that is kept; the log is lost once more meanwhile."""
    partner.run(
        "INSERT INTO qyss (tyshxydm, qymc) SELECT 'k' || n, 'v' FROM generate_series(1, 7) n"
    )
    receiver, reader = Receiver(), fresh()
    async for change in reader.changes():
        receiver.take(change)
        await reader.safe([change])
        if 2 == len(receiver.told):
            break  # in the middle of the first page
    partner.drop_slot()
    partner.run("DELETE FROM qyss WHERE tyshxydm = 'k1'")
    partner.run(SLOT, partner.slot)
    await drained(fresh(), receiver)
    await drained(fresh(), receiver)

    assert partner.rows() == receiver.names


async def test_what_was_handed_on_and_never_noted_is_looked_for(
    partner: Partner, fresh: Callable[[], LogicalReader]
) -> None:
    """The hub dies when a row is handed on and before that is noted; then the row goes, and the log."""
    receiver = Receiver()
    await drained(fresh(), receiver)
    await drained(fresh(), receiver)
    partner.run("INSERT INTO qyss (tyshxydm, qymc) VALUES ('k1', 'v'), ('k2', 'v')")
    async for change in fresh().changes():
        receiver.take(change)
    partner.run("DELETE FROM qyss WHERE tyshxydm = 'k1'")
    partner.drop_slot()
    partner.run(SLOT, partner.slot)
    for _ in range(3):
        await drained(fresh(), receiver)

    assert {"k2": "v"} == partner.rows() == receiver.names


async def test_so_many_deletes_after_a_lost_slot_are_not_told_before_a_person_has_looked(
    partner: Partner, fresh: Callable[[], LogicalReader], records: Store
) -> None:
    """The fuse, as of the modes that compare; rows that receivers hold as they are, are not told once more."""
    partner.run(
        "INSERT INTO qyss (tyshxydm, qymc) SELECT 'k' || n, 'v' FROM generate_series(1, 60) n"
    )
    receiver = Receiver()
    await drained(fresh(), receiver)
    await drained(fresh(), receiver)
    partner.drop_slot()
    partner.run("DELETE FROM qyss WHERE tyshxydm > 'k3'")
    partner.run("UPDATE qyss SET qymc = 'w' WHERE tyshxydm = 'k20'")
    partner.run(SLOT, partner.slot)
    before = len(receiver.told)
    reader = fresh()
    found: list[Misconfigured] = []
    for _ in range(2):
        with pytest.raises(Misconfigured) as raised:
            async for change in reader.changes():
                receiver.take(change)
                await reader.safe([change])
        found.append(raised.value)

    gone = 60 - len(partner.rows())
    assert [("front-db.fuse-log", gone, 60)] * 2 == [
        (each.code, each.facts["lost"], each.facts["known"]) for each in found
    ]
    assert ["k20"] == [each.key for each in list(receiver.told.values())[before:]]
    assert 60 == len(receiver.names)
    assert await records.write(lambda c: let_go_on(c, "tax", "qyss"))
    await drained(fresh(), receiver)
    assert partner.rows() == receiver.names
    capture = await fresh().origin.book.open()
    assert ("", False) == (capture.code, capture.allowed), "it is whole again"


async def test_a_table_that_stands_still_does_not_fill_the_partners_disk(
    partner: Partner, fresh: Callable[[], LogicalReader], records: Store
) -> None:
    """Above the limit its log is given up, and the table told as a whole once a person lets it go on."""
    receiver = Receiver()
    await drained(fresh(), receiver)
    await fresh().origin.book.stop(Misconfigured("front-db.drift", "Changed", table="qyss"))
    partner.run("INSERT INTO qyss (tyshxydm, qymc) VALUES ('a', 'v')")
    for number in range(3):
        partner.run("SELECT pg_switch_wal()")
        partner.run("INSERT INTO qyss (tyshxydm, qymc) VALUES (%s, 'v')", f"n{number}")
    for _ in range(2):
        with pytest.raises(Misconfigured):
            await drained(fresh(), receiver)

    behind = "SELECT pg_current_wal_lsn() - confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = %s"
    assert 16 * 1024 * 1024 > partner.run(behind, partner.slot)[0][0]
    assert await records.write(lambda c: let_go_on(c, "tax", "qyss"))
    await drained(fresh(), receiver)
    assert partner.rows() == receiver.names


async def test_a_key_that_the_log_does_not_tell_is_told_to_whom_it_concerns(
    partner: Partner, fresh: Callable[[], LogicalReader]
) -> None:
    """Else deletes would be lost without a word."""
    await drained(fresh(), Receiver())
    partner.run("ALTER TABLE qyss DROP CONSTRAINT qyss_pkey, ADD PRIMARY KEY (inside)")
    partner.run("INSERT INTO qyss (tyshxydm, inside) VALUES ('a', 1)")

    with pytest.raises(Misconfigured) as raised:
        await drained(fresh(), Receiver())
    assert ("front-db.identity", "tyshxydm") == (raised.value.code, raised.value.facts["missing"])


async def test_a_column_that_was_away_for_a_while_is_taken_from_the_row(
    partner: Partner, fresh: Callable[[], LogicalReader]
) -> None:
    """The log of that while has no such column: it must not stop what is right again."""
    receiver = Receiver()
    await drained(fresh(), receiver)
    partner.run("INSERT INTO qyss (tyshxydm, qymc, bz) VALUES ('a', 'v', 'before')")
    partner.run("ALTER TABLE qyss DROP COLUMN bz")
    partner.run("UPDATE qyss SET qymc = 'w'")
    partner.run("ALTER TABLE qyss ADD COLUMN bz text DEFAULT 'after'")
    await drained(fresh(), receiver)

    content = receiver.rows["a"][1]
    assert content
    assert ("w", "after") == (content["qymc"], content["bz"])


async def test_a_random_writer_and_a_reader_that_is_killed_end_equal(
    partner: Partner, fresh: Callable[[], LogicalReader]
) -> None:
    """Inserts, updates, key changes, deletes, rollbacks, truncation; processes ended at any change."""
    random = Random(5)  # noqa: S311 - what happens when
    receiver, reader = Receiver(), fresh()
    for round_ in range(12):
        with partner.connect() as writer:
            writer.autocommit = False
            for _ in range(random.randrange(1, 9)):
                _write(writer, random, round_)
            if random.random() < 0.2:
                writer.rollback()
            else:
                writer.commit()
        if random.random() < 0.5:
            reader = fresh()
        await _killed_somewhere(reader, random, receiver)
    reader = fresh()
    while await drained(reader, receiver):
        pass

    assert partner.rows() == receiver.names


def _write(writer: psycopg.Connection[Any], random: Random, round_: int) -> None:
    key, other = (f"k{random.randrange(9)}" for _ in range(2))
    match random.randrange(12):
        case 0:
            writer.execute("TRUNCATE qyss")
        case 1 | 2:
            writer.execute("DELETE FROM qyss WHERE tyshxydm = %s", (key,))
        case 3 | 4 if not writer.execute(
            "SELECT 1 FROM qyss WHERE tyshxydm = %s", (other,)
        ).fetchone():
            writer.execute("UPDATE qyss SET tyshxydm = %s WHERE tyshxydm = %s", (other, key))
        case _:
            writer.execute(
                "INSERT INTO qyss (tyshxydm, qymc) VALUES (%s, %s)"
                " ON CONFLICT (tyshxydm) DO UPDATE SET qymc = excluded.qymc",
                (key, f"{round_}-{random.random()}"),
            )


async def _killed_somewhere(reader: LogicalReader, random: Random, receiver: Receiver) -> None:
    """Changes are confirmed by a few; at any of them the process may end."""
    waiting: list[Change] = []
    async for change in reader.changes():
        receiver.take(change)
        waiting.append(change)
        if random.random() < 0.4:
            await reader.safe(waiting)
            waiting = []
        if random.random() < 0.05:
            return
    if random.random() < 0.7:
        await reader.safe(waiting)
