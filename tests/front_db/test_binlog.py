"""Capture from the binary log of MariaDB, or MySQL: nothing between the first load and the log is missed, whatever breaks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from connectors.front_library import FrontLibrary, Settings
from front_db.binlog import BinlogReader
from front_db.changes import Change
from hub.store import Store
from schemas.errors import Transient
from schemas.message import SystemCode
from tests.front_db.binlog_partner import DESCRIBED, ROWS, BinlogPartner
from tests.front_db.receiver import Receiver, drained, shown

pytestmark = pytest.mark.xdist_group("mariadb_log")

COMMITTED = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"


async def test_first_all_rows_then_each_change_in_its_order(
    logged_partner: BinlogPartner, fresh_binlog: Callable[[], BinlogReader]
) -> None:
    """R-A6: deletes, keys that change, a late commit; not what was rolled back. Values as a driver gives them."""
    partner, reader, receiver = logged_partner, fresh_binlog(), Receiver()
    partner.run(ROWS.format(7))
    assert 7 == len(await drained(reader, receiver))
    assert [] == await drained(reader, receiver)

    with partner.connect(autocommit=False) as late, late.cursor() as cursor:
        cursor.execute("INSERT INTO qyss (tyshxydm, qymc) VALUES ('late', '𠮷')")
        partner.run("SET time_zone = '+00:00'")
        partner.run(
            "INSERT INTO qyss VALUES (1, 'a', '民宿''𝄞', -0.10, '2024-02-29', FROM_UNIXTIME(1772294400), '')"
        )
        early = await drained(reader, receiver)
        late.commit()
    with partner.connect(autocommit=False) as other, other.cursor() as cursor:
        cursor.execute("DELETE FROM qyss")
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


async def test_what_is_not_safe_is_read_again_as_the_same(
    logged_partner: BinlogPartner, fresh_binlog: Callable[[], BinlogReader]
) -> None:
    """A process that ends between handing on and its confirmation."""
    await drained(fresh_binlog(), Receiver())
    logged_partner.run(ROWS.format(3))
    logged_partner.run("UPDATE qyss SET qymc = 'w'")
    first = [change async for change in fresh_binlog().changes()]
    second = [change async for change in fresh_binlog().changes()]

    assert 6 == len(first)
    assert [change.id for change in first] == [change.id for change in second]
    reader = fresh_binlog()
    await drained(reader, Receiver())
    assert [] == [change async for change in fresh_binlog().changes()]


async def test_a_large_transaction_is_told_in_parts_and_goes_on_within(
    logged_partner: BinlogPartner, records: Store
) -> None:
    """Memory holds a part of it, and a process that ends in the middle begins there, not at its beginning."""
    reader = logged_partner.reader(records, part_rows=10)
    receiver = Receiver()
    await drained(reader, receiver)
    logged_partner.run(ROWS.format(100))
    taken: list[Change] = []
    async for change in reader.changes():
        taken.append(change)
        if len(taken) == 47:
            break
    await reader.safe(taken)
    rest = await drained(logged_partner.reader(records, part_rows=10), receiver)

    assert 100 == len({change.key for change in (*taken, *rest)})
    assert 60 == len(rest), (
        "the part in the middle of which it ended comes again, with the same ids"
    )
    assert 7 == len({change.id for change in taken} & {change.id for change in rest})


async def test_what_the_log_tells_of_rows_that_were_rolled_back_is_not_told(
    logged_partner: BinlogPartner, fresh_binlog: Callable[[], BinlogReader]
) -> None:
    """Where a table without transactions takes part, or a transaction is prepared (XA), they stand in the log."""
    partner, receiver = logged_partner, Receiver()
    reader = fresh_binlog()
    await drained(reader, receiver)
    with partner.connect(autocommit=False) as one, one.cursor() as cursor:
        for statement in (
            "INSERT INTO qyss (tyshxydm) VALUES ('before')",
            "SAVEPOINT s",
            "INSERT INTO beside VALUES (1)",
            "INSERT INTO qyss (tyshxydm) VALUES ('undone')",
            "ROLLBACK TO s",
            "INSERT INTO qyss (tyshxydm) VALUES ('after')",
        ):
            cursor.execute(statement)
        one.commit()
        cursor.execute("INSERT INTO qyss (tyshxydm) VALUES ('undone')")
        cursor.execute("CREATE TEMPORARY TABLE mine (a int)")
        one.rollback()
        cursor.execute("DROP TEMPORARY TABLE mine")
        one.commit()  # MySQL begins one with it
        for name, key, end in (("x", "undone", "ROLLBACK"), ("y", "kept", "COMMIT")):
            cursor.execute(f"XA START '{name}'")
            cursor.execute("INSERT INTO qyss (tyshxydm) VALUES (%s)", (key,))
            cursor.execute(f"XA END '{name}'")
            cursor.execute(f"XA PREPARE '{name}'")
            await drained(fresh_binlog(), receiver)
            assert key not in receiver.rows
            cursor.execute(f"XA {end} '{name}'")
    for _ in range(4):
        await drained(fresh_binlog(), receiver)

    assert {"before", "after", "kept"} == set(receiver.rows)
    assert set(partner.rows()) == set(receiver.names)


async def test_a_rate_ends_a_poll_where_the_log_can_be_gone_on_from(
    logged_partner: BinlogPartner, records: Store
) -> None:
    """Else a transaction larger than the rate would begin anew at every poll."""
    settings = Settings.model_validate(
        {
            "url": logged_partner.url,
            "tables": [DESCRIBED.model_dump()],
            "reads": [
                {
                    "table": "qyss",
                    "kind": "firm",
                    "rows_per_minute": 25,
                    "capture": {"mode": "binlog", "settle_s": 0, "part_rows": 10},
                }
            ],
        }
    )
    at = datetime.now(UTC)
    library = FrontLibrary(SystemCode("tax"), settings, clock=lambda: at)
    library.keep_in(records)
    found: list[list[str]] = []
    async with library:
        assert [] == [record async for record in library.records(None)]
        logged_partner.run(ROWS.format(60))
        for _ in range(4):
            some = [record async for record in library.records(None)]
            await library.taken(some)
            found.append([record.key for record in some])
            at += timedelta(minutes=1)

    assert [30, 20, 10, 0] == [len(each) for each in found]
    assert 60 == len({key for each in found for key in each})


async def test_a_table_that_is_emptied_is_so_many_deletes(
    logged_partner: BinlogPartner, fresh_binlog: Callable[[], BinlogReader]
) -> None:
    """TRUNCATE, also of what was inserted in the same poll and is not safe yet."""
    reader, receiver = fresh_binlog(), Receiver()
    logged_partner.run(ROWS.format(5))
    await drained(reader, receiver)
    logged_partner.run("INSERT INTO qyss (tyshxydm, qymc) VALUES ('x', 'v')")
    logged_partner.run("TRUNCATE qyss")
    logged_partner.run("INSERT INTO qyss (tyshxydm, qymc) VALUES ('k1', 'again')")
    await drained(reader, receiver)

    assert {"k1": "again"} == receiver.names
    assert {"k1", "k2", "k3", "k4", "k5", "x"} == set(receiver.rows)


async def test_tables_that_change_places_are_compared(
    logged_partner: BinlogPartner, fresh_binlog: Callable[[], BinlogReader]
) -> None:
    """A nightly load beside, then RENAME: no row of it stands in the log under the table's name."""
    partner, receiver = logged_partner, Receiver()
    partner.run(ROWS.format(5))
    await drained(fresh_binlog(), receiver)
    partner.run("CREATE TABLE anew LIKE qyss")
    partner.run("INSERT INTO anew (tyshxydm, qymc) VALUES ('k1', 'v'), ('k2', 'w'), ('n', 'v')")
    partner.run("RENAME TABLE qyss TO old, anew TO qyss")
    before = len(receiver.told)
    for _ in range(3):
        await drained(fresh_binlog(), receiver)

    assert partner.rows() == receiver.names
    told = {change.key for change in list(receiver.told.values())[before:]}
    assert {"k2", "n", "k3", "k4", "k5"} == told, "k1 is as it was told"


async def test_a_log_that_was_purged_is_noticed_and_the_table_compared(
    logged_partner: BinlogPartner, fresh_binlog: Callable[[], BinlogReader]
) -> None:
    """What happened meanwhile is in no log: no silence, and what is no more is deleted."""
    partner, receiver = logged_partner, Receiver()
    partner.run(ROWS.format(7))
    await drained(fresh_binlog(), receiver)
    partner.run("DELETE FROM qyss WHERE tyshxydm < 'k4'")
    partner.run("UPDATE qyss SET qymc = 'w' WHERE tyshxydm = 'k7'")
    partner.purge()
    await drained(fresh_binlog(), receiver)
    await drained(fresh_binlog(), receiver)

    assert {"k4": "v", "k5": "v", "k6": "v", "k7": "w"} == receiver.names
    figures = (await fresh_binlog().origin.book.open()).figures
    assert (1, "purged") == (figures["log_lost"], figures["log_lost_why"])


async def test_a_log_begun_anew_under_the_same_name_is_noticed(
    logged_partner: BinlogPartner, fresh_binlog: Callable[[], BinlogReader]
) -> None:
    """Reset by its administrator: the place that is kept is in another log now, and may be in the middle of anything."""
    partner, receiver = logged_partner, Receiver()
    partner.begin_anew()
    partner.run(ROWS.format(2))
    await drained(fresh_binlog(), receiver)
    partner.run("INSERT INTO qyss (tyshxydm) VALUES ('a')")
    await drained(fresh_binlog(), receiver)
    born = (await fresh_binlog().origin.book.open()).position
    partner.begin_anew()
    partner.run("DELETE FROM qyss WHERE tyshxydm = 'a'")
    for number in range(20):
        partner.run("INSERT INTO qyss (tyshxydm) VALUES (%s)", f"n{number}")
    for _ in range(3):
        await drained(fresh_binlog(), receiver)

    assert "born" in born
    assert partner.rows() == receiver.names


async def test_a_line_that_breaks_within_a_transaction_loses_no_row(
    logged_partner: BinlogPartner, records: Store
) -> None:
    """What goes on there by itself goes on behind the table's description, and leaves rows out without a word."""
    if logged_partner.setting("binlog_transaction_compression") == "ON":
        pytest.skip("cannot: compressed it is less than a socket holds")
    receiver = Receiver()
    await drained(logged_partner.reader(records), receiver)
    # More than a socket holds, so that the partner still writes when its line is cut.
    logged_partner.run(
        "INSERT INTO qyss (tyshxydm, qymc, bz)"
        " WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < 150)"
        " SELECT CONCAT('n', seq), 'v', REPEAT('文', 80000) FROM n"
    )
    reader = logged_partner.reader(records, part_rows=5)
    with pytest.raises(Transient) as raised:
        async for change in reader.changes():
            receiver.take(change)
            logged_partner.cut()

    assert "target.down" == raised.value.code
    assert 150 > len(receiver.rows)
    await drained(logged_partner.reader(records), receiver)
    assert logged_partner.rows() == receiver.names


async def test_a_random_writer_and_a_reader_that_is_killed_end_equal(
    logged_partner: BinlogPartner, records: Store
) -> None:
    """Inserts, updates, key changes, deletes, rollbacks, late commits, truncation, purges; processes ended at any
    change."""
    random = Random(5)  # noqa: S311 - what happens when
    receiver = Receiver()
    reader = logged_partner.reader(records, part_rows=4)
    # So that it holds its own row alone, and nobody waits for it.
    late = logged_partner.connect(autocommit=False, init_command=COMMITTED)
    for round_ in range(14):
        _write_some(logged_partner, random, round_)
        if round_ % 3 == 0:
            late.commit()
            with late.cursor() as cursor:
                cursor.execute(
                    "REPLACE INTO qyss (tyshxydm, qymc) VALUES (%s, 'v')", (f"a{round_}",)
                )
        if round_ % 4 == 2:
            # It would wait for what is open, and then the whole table is compared.
            late.commit()
            logged_partner.run(f"ALTER TABLE qyss COMMENT = '{round_}'")
        elif random.random() < 0.2:
            _write_some(logged_partner, random, round_)
            logged_partner.purge()
        if random.random() < 0.5:
            reader = logged_partner.reader(records, part_rows=4)
        await _killed_somewhere(reader, random, receiver)
    late.commit()
    late.close()
    # With parts as before: what was given and never confirmed comes again as the same.
    reader = logged_partner.reader(records, part_rows=4)
    before, found = "", list[Change]()
    # A poll that ends because the table is to be compared may have told nothing.
    while found or before != (position := (await reader.origin.book.open()).position):
        before = position
        found = await drained(reader, receiver)

    assert logged_partner.rows() == receiver.names


def _write_some(partner: BinlogPartner, random: Random, round_: int) -> None:
    with partner.connect(autocommit=False, init_command=COMMITTED) as writer:
        for _ in range(random.randrange(1, 9)):
            _write(writer, random, round_)
        if random.random() < 0.2:
            writer.rollback()
        else:
            writer.commit()


def _write(writer: Any, random: Random, round_: int) -> None:
    key, other = (f"k{random.randrange(9)}" for _ in range(2))
    with writer.cursor() as cursor:
        match random.randrange(16):
            case 0:
                cursor.execute("DELETE FROM qyss WHERE tyshxydm LIKE 'k%'")
            case 1 | 2:
                cursor.execute("DELETE FROM qyss WHERE tyshxydm = %s", (key,))
            case 3 | 4:
                cursor.execute("DELETE FROM qyss WHERE tyshxydm = %s", (other,))
                cursor.execute("UPDATE qyss SET tyshxydm = %s WHERE tyshxydm = %s", (other, key))
            case 5:
                cursor.execute("SAVEPOINT s")
                cursor.execute("INSERT INTO beside VALUES (1)")
                cursor.execute("UPDATE qyss SET qymc = 'undone' WHERE tyshxydm LIKE 'k%'")
                cursor.execute("ROLLBACK TO s")
            case _:
                cursor.execute(
                    "INSERT INTO qyss (tyshxydm, qymc) VALUES (%s, %s)"
                    " ON DUPLICATE KEY UPDATE qymc = VALUES(qymc)",
                    (key, f"{round_}-{random.random()}"),
                )


async def _killed_somewhere(reader: BinlogReader, random: Random, receiver: Receiver) -> None:
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
