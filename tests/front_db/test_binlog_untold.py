"""What a binary log does not tell, and what it tells otherwise: named to whom it concerns, never lost in silence."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from front_db.binlog import BinlogReader
from front_db.books import let_go_on
from front_db.contract import Column, ExchangeTable, Kind
from hub.store import Store
from schemas.errors import Misconfigured
from tests.front_db.binlog_partner import ROWS, BinlogPartner
from tests.front_db.receiver import Receiver, drained, shown

NATIVE = "innodb_native_foreign_keys"  # from MySQL 9.6 on

pytestmark = pytest.mark.xdist_group("mariadb_log")


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        ("binlog_format", "MIXED"),
        ("binlog_row_image", "MINIMAL"),
        ("binlog_row_metadata", "MINIMAL"),
        ("log_bin_compress", "ON"),
        ("binlog_row_value_options", "PARTIAL_JSON"),
    ],
)
async def test_a_log_that_tells_too_little_is_told_with_what_to_type(
    logged_partner: BinlogPartner,
    fresh_binlog: Callable[[], BinlogReader],
    setting: str,
    wrong: str,
) -> None:
    """Else changes would be lost without a word."""
    was = logged_partner.setting(setting)
    if was is None:
        pytest.skip("cannot: this server has no such setting")
    logged_partner.run(f"SET GLOBAL {setting} = '{wrong}'")
    try:
        with pytest.raises(Misconfigured) as raised:
            await drained(fresh_binlog(), Receiver())
    finally:
        logged_partner.run(f"SET GLOBAL {setting} = %s", was)

    found = raised.value
    assert ("front-db.binlog-setting", setting) == (found.code, found.facts["setting"])


def test_the_self_check_says_what_the_administrator_must_type(
    logged_partner: BinlogPartner,
) -> None:
    """R-A6: before the first row, all at once, in the words of the statement that mends it."""
    assert ["PASS"] == [each.result for each in logged_partner.checked()]
    logged_partner.run("SET GLOBAL binlog_row_image = 'MINIMAL'")
    logged_partner.run("SET GLOBAL binlog_format = 'STATEMENT'")
    try:
        found = logged_partner.checked()
    finally:
        logged_partner.run("SET GLOBAL binlog_row_image = 'FULL'")
        logged_partner.run("SET GLOBAL binlog_format = 'ROW'")
    assert ["FAIL", "FAIL"] == [each.result for each in found]
    assert "SET GLOBAL binlog_format = ROW;" in found[0].say("zh")
    assert "SET GLOBAL binlog_row_image = FULL;" in found[1].say("zh")
    logged_partner.run(f"REVOKE REPLICATION SLAVE ON *.* FROM {logged_partner.name}@'127.0.0.1'")
    (denied,) = logged_partner.checked()
    assert "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.*" in denied.say("zh")


async def test_rows_that_a_statement_changes_stop_the_table_until_it_was_compared(
    logged_partner: BinlogPartner, fresh_binlog: Callable[[], BinlogReader], records: Store
) -> None:
    """A session may write statements into the log, which tell no rows."""
    partner, receiver = logged_partner, Receiver()
    partner.run(ROWS.format(3))
    await drained(fresh_binlog(), receiver)
    with partner.connect() as one, one.cursor() as cursor:
        cursor.execute("SET SESSION binlog_format = 'STATEMENT'")
        cursor.execute("UPDATE qyss SET qymc = 'w' WHERE tyshxydm = 'k1'")
    for _ in range(2):
        with pytest.raises(Misconfigured) as raised:
            await drained(fresh_binlog(), receiver)
        assert "front-db.binlog-statement" == raised.value.code, raised.value.facts
    assert await records.write(lambda c: let_go_on(c, "tax", "qyss"))
    await drained(fresh_binlog(), receiver)

    assert {"k1": "w", "k2": "v", "k3": "v"} == receiver.names


async def test_rows_that_a_foreign_key_changes_are_in_no_log(
    logged_partner: BinlogPartner, fresh_binlog: Callable[[], BinlogReader]
) -> None:
    """InnoDB deletes them by itself: such a table is not begun."""
    if logged_partner.setting(NATIVE) == "OFF":
        pytest.skip("cannot: this server has them in its log")
    logged_partner.run("CREATE TABLE kinds (id int PRIMARY KEY)")
    logged_partner.run(
        "ALTER TABLE qyss ADD CONSTRAINT of_kind FOREIGN KEY (inside) REFERENCES kinds (id) ON DELETE CASCADE"
    )
    with pytest.raises(Misconfigured) as raised:
        await drained(fresh_binlog(), Receiver())

    found = raised.value
    assert ("front-db.binlog-cascade", "of_kind") == (found.code, found.facts["keys"])


async def test_rows_that_a_foreign_key_changes_are_told_where_the_log_has_them(
    logged_partner: BinlogPartner, fresh_binlog: Callable[[], BinlogReader]
) -> None:
    """MySQL from 9.6 on does it as statements do, unless its administrator has it the old way."""
    partner, receiver = logged_partner, Receiver()
    if partner.setting(NATIVE) != "OFF":
        pytest.skip("cannot: this server has foreign keys done by InnoDB")
    partner.run("CREATE TABLE kinds (id int PRIMARY KEY)")
    partner.run("INSERT INTO kinds VALUES (1), (2)")
    partner.run(
        "ALTER TABLE qyss ADD CONSTRAINT of_kind FOREIGN KEY (inside) REFERENCES kinds (id) ON DELETE CASCADE"
    )
    partner.run("INSERT INTO qyss (inside, tyshxydm, qymc) VALUES (1, 'a', 'v'), (2, 'b', 'v')")
    await drained(fresh_binlog(), receiver)
    partner.run("DELETE FROM kinds WHERE id = 1")
    found = await drained(fresh_binlog(), receiver)

    assert [("deleted", "a", None)] == shown(found)
    assert ["PASS"] == [each.result for each in partner.checked()]


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("binlog_row_image", "MINIMAL", "binlog_row_image"),
        ("binlog_row_value_options", "PARTIAL_JSON", "binlog_row_value_options"),
    ],
)
async def test_a_session_that_logs_otherwise_stops_the_table(
    logged_partner: BinlogPartner, records: Store, setting: str, value: str, told: str
) -> None:
    """Each session may say so for itself, whatever the server's own setting is."""
    partner = logged_partner
    if partner.setting(setting) is None:
        pytest.skip("cannot: this server has no such setting")
    partner.run("CREATE TABLE kinds (id varchar(18) PRIMARY KEY, doc json)")
    partner.run("INSERT INTO kinds VALUES ('a', JSON_OBJECT('b', REPEAT('x', 1000), 'c', 1))")
    kinds = ExchangeTable(
        name="kinds",
        columns=(Column(name="id", length=18), Column(name="doc", kind=Kind.LONG)),
        business_key=("id",),
    )
    await drained(partner.reader(records, kinds), Receiver())
    with partner.connect() as one, one.cursor() as cursor:
        cursor.execute(f"SET SESSION {setting} = '{value}'")
        cursor.execute("UPDATE kinds SET doc = JSON_SET(doc, '$.c', 2)")
    with pytest.raises(Misconfigured) as raised:
        await drained(partner.reader(records, kinds), Receiver())

    found = raised.value
    assert ("front-db.binlog-event", told) == (found.code, found.facts["found"])


async def test_a_transaction_that_is_compressed_is_told_as_any_other(
    logged_partner: BinlogPartner, records: Store
) -> None:
    """By the session's own setting here, or the server's: its rows in parts, and what comes behind it. R-A6"""
    partner, receiver = logged_partner, Receiver()
    if partner.setting("binlog_transaction_compression") is None:
        pytest.skip("cannot: this server has no such setting")
    await drained(partner.reader(records), receiver)
    with partner.connect(autocommit=False) as one, one.cursor() as cursor:
        cursor.execute("SET SESSION binlog_transaction_compression = ON")
        for statement in (
            ROWS.format(20),
            "INSERT INTO beside VALUES (1)",
            "UPDATE qyss SET qymc = REPEAT('长', 200) WHERE tyshxydm IN ('k1', 'k2')",
            "DELETE FROM qyss WHERE tyshxydm = 'k3'",
        ):
            cursor.execute(statement)
        one.commit()
    partner.run("UPDATE qyss SET qymc = 'w' WHERE tyshxydm = 'k4'")
    newest = partner.run("SHOW BINARY LOGS")[-1][0]
    events = [row[2] for row in partner.run(f"SHOW BINLOG EVENTS IN '{newest}'")]
    assert "Transaction_payload" in events
    await drained(partner.reader(records, part_rows=4), receiver)

    assert partner.rows() == receiver.names


async def test_a_right_that_is_missing_is_named(
    logged_partner: BinlogPartner, fresh_binlog: Callable[[], BinlogReader]
) -> None:
    """Both the right to ask for the log's place, and that to read it."""
    name = logged_partner.name
    await drained(fresh_binlog(), Receiver())
    logged_partner.run(ROWS.format(1))
    found = []
    for right in ("REPLICATION SLAVE", "REPLICATION CLIENT"):
        logged_partner.run(f"REVOKE {right} ON *.* FROM {name}@'127.0.0.1'")
        with pytest.raises(Misconfigured) as raised:
            await drained(fresh_binlog(), Receiver())
        found.append(raised.value.code)

    assert ["front-db.binlog-grant"] * 2 == found


KINDS = ExchangeTable(
    name="kinds",
    columns=(
        Column(name="id", length=18),
        Column(name="big", kind=Kind.DECIMAL, digits=20),
        Column(name="small", kind=Kind.WHOLE),
        Column(name="word"),
        Column(name="many"),
        Column(name="old_word"),
        Column(name="old_name", length=40),
        Column(name="part", kind=Kind.DECIMAL, digits=12, places=6),
        Column(name="fixed", length=60),
        Column(name="flag", kind=Kind.FLAG),
        Column(name="raw", kind=Kind.LONG),
        Column(name="doc", kind=Kind.LONG),
        Column(name="none", kind=Kind.DATE),
        Column(name="spoken"),
        Column(name="year", kind=Kind.WHOLE),
        Column(name="precise", kind=Kind.DECIMAL, digits=30, places=12),
    ),
    business_key=("id",),
)


async def test_values_of_every_kind_are_told_by_the_log_as_by_the_table(
    logged_partner: BinlogPartner, records: Store
) -> None:
    """Unsigned numbers, words of old character sets, sets in their order, days that are none."""
    logged_partner.run(
        "CREATE TABLE kinds (id varchar(18) PRIMARY KEY, big bigint unsigned, small tinyint unsigned,"
        " word enum('甲','乙'), many set('b','a','c'), old_word enum('中','文') CHARACTER SET gbk,"
        " old_name varchar(40) CHARACTER SET gbk, part float, fixed char(60), flag bit(1), raw blob, doc json,"
        " none date, spoken time, year year, precise decimal(30,12))"
    )
    reader = logged_partner.reader(records, KINDS)
    await drained(reader, Receiver())
    with logged_partner.connect() as one, one.cursor() as cursor:
        cursor.execute("SET sql_mode = ''")
        cursor.execute(
            "INSERT INTO kinds VALUES ('a', 18446744073709551615, 200, '乙', 'c,b', '文', '中文', 1.1, '定  ', 1,"
            " x'00ff', '{\"a\": 1}', '0000-00-00', '-10:30:00', 2024, -0.000000000001), ('b', 0, 0, '甲', '', NULL,"
            " '', 1234567, '', 0, '', NULL, NULL, NULL, NULL, 123456789012345678.5)"
        )
    by_log = {change.key: dict(change.content) for change in await drained(reader, Receiver())}
    logged_partner.run("FLUSH BINARY LOGS")
    logged_partner.run("ALTER TABLE kinds COMMENT 'looked at'")
    other = logged_partner.reader(records, KINDS.model_copy(update={"title": "again"}))
    other.origin.book.system = "other"
    by_table = {change.key: dict(change.content) for change in await drained(other, Receiver())}

    assert by_table == by_log
    assert "18446744073709551615" == by_log["a"]["big"]
    assert ("乙", "b,c", "文", "中文") == tuple(
        by_log["a"][name] for name in ("word", "many", "old_word", "old_name")
    )
