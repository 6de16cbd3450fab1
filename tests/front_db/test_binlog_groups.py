"""What a binary log's events mean for one table, told without a server: MySQL's order of them too."""

from __future__ import annotations

import pytest

from front_db.binlog_groups import Grouping, Spot, Told, What
from front_db.logged import Doubtful, Kept, LogEvent, Reached, Row, Truncated, Unfollowed

END = Spot(file="bin.000009", pos=9000)


def told(*events: Told, part_rows: int = 100, spot: Spot | None = None) -> list[LogEvent]:
    begun = spot or Spot(file="bin.000001", pos=4)
    grouping = Grouping("tax", "qyss", begun, END, part_rows)
    return [found for event in events for found in grouping.feed(event)]


def at(pos: int, what: What, *, text: str = "", schema: str = "tax", rows: int = 0) -> Told:
    some = [Row("qyss", frozenset("k"), Kept.INSERT, {"k": str(n)}, None) for n in range(rows)]
    return Told(what=what, file="bin.000001", pos=pos, text=text, schema=schema, rows=some)


def said(found: list[LogEvent]) -> list[str]:
    return [type(each).__name__ for each in found]


def statement(text: str, schema: str = "tax") -> list[LogEvent]:
    return told(at(100, What.STATEMENT, text=text, schema=schema))


def test_a_transaction_is_told_at_its_end_alone() -> None:
    """Its rows, then a place to go on from; none before it is committed."""
    events = (at(10, What.STATEMENT, text="BEGIN"), at(20, What.ROWS, rows=2))
    assert [] == told(*events)
    assert ["Row", "Row", "Reached"] == said(told(*events, at(30, What.COMMIT)))
    assert ["Doubtful"] == said(told(*events, at(30, What.STATEMENT, text="ROLLBACK")))


def test_a_part_of_a_transaction_is_a_place_within_it() -> None:
    """Behind the rows that were told, before the transaction: it is read again from its beginning."""
    events = (at(10, What.BEGIN), at(20, What.ROWS, rows=3), at(30, What.COMMIT))
    found = told(*events, part_rows=2)
    (part, end) = [Spot.of(each.at) for each in found if isinstance(each, Reached)]

    assert ["Row", "Row", "Reached", "Row", "Reached"] == said(found)
    assert (4, 2) == (part.pos, part.skip)
    assert (30, 0) == (end.pos, end.skip)
    assert ["Row", "Reached"] == said(told(*events, spot=part))


def test_a_prepared_transaction_is_told_by_a_comparison_once_it_is_committed() -> None:
    """Its rows stand in the log long before that, or are rolled back."""
    begun = (
        at(10, What.STATEMENT, text="XA START X'78',X'',1"),
        at(20, What.ROWS, rows=1),
        at(30, What.STATEMENT, text="XA END X'78',X'',1"),
        at(40, What.PREPARE),
    )
    kept = told(*begun)
    assert ["Reached"] == said(kept)
    assert isinstance(kept[-1], Reached)
    spot = Spot.of(kept[-1].at)
    assert ("x'78',x'',1",) == spot.prepared
    for end, wanted in (("COMMIT", "Doubtful"), ("ROLLBACK", "Reached")):
        text = f"XA {end} X'78',X'',1"
        assert [wanted] == said(told(at(50, What.STATEMENT, text=text), spot=spot))


@pytest.mark.parametrize(
    ("text", "schema", "wanted"),
    [
        ("TRUNCATE TABLE qyss", "tax", ["Truncated", "Reached"]),
        ("truncate `tax`.`QYSS`", "", ["Truncated", "Reached"]),
        ("TRUNCATE qyss", "other", ["Reached"]),
        ("TRUNCATE qyss_old", "tax", ["Reached"]),
        ("ALTER TABLE qyss MODIFY qymc varchar(10)", "tax", ["Doubtful"]),
        ("/* by a tool */ ALTER ONLINE TABLE qyss ADD x int", "tax", ["Doubtful"]),
        ("/*!40000 ALTER TABLE `qyss` DISABLE KEYS */", "tax", ["Doubtful"]),
        ("SET STATEMENT max_statement_time=1 FOR UPDATE qyss SET a=1", "tax", ["Unfollowed"]),
        ("RENAME TABLE qyss TO a, b TO qyss", "tax", ["Doubtful"]),
        ("DROP DATABASE tax", "", ["Doubtful"]),
        ("CREATE INDEX i ON qyss (qymc)", "tax", ["Reached"]),
        ("OPTIMIZE TABLE qyss", "tax", ["Reached"]),
        ("GRANT SELECT ON qyss TO a", "tax", ["Reached"]),
        ("UPDATE qyss SET a = 1", "tax", ["Unfollowed"]),
        ("DELETE FROM neighbour", "tax", ["Unfollowed"]),
        ("INSERT INTO tax.qyss VALUES (1)", "other", ["Unfollowed"]),
        ("INSERT INTO a VALUES (1)", "other", ["Reached"]),
        ("SELECT `tax`.`changes`()", "tax", ["Unfollowed"]),
    ],
)
def test_a_statement_is_known_by_what_it_does(text: str, schema: str, wanted: list[str]) -> None:
    """What changes rows without telling them stops the table; what changes its shape has it compared."""
    assert wanted == said(statement(text, schema))


def test_a_log_of_another_birth_is_compared_from_where_it_ends() -> None:
    """The place that is kept says nothing there."""
    spot = Spot(file="bin.000001", pos=700, born="7/1")
    assert [] == told(at(700, What.BORN, text="7/1"), spot=spot)
    (found,) = told(at(700, What.BORN, text="8/1"), spot=spot)
    assert isinstance(found, Doubtful)
    assert (True, END) == (found.lost, Spot.of(found.at))


def test_what_cannot_be_read_is_named() -> None:
    """A log that is compressed hides its rows."""
    (found,) = told(at(10, What.STRANGE, text="log_bin_compress"))
    assert isinstance(found, Unfollowed)
    assert ("front-db.binlog-event", "log_bin_compress") == (
        found.error.code,
        found.error.facts["found"],
    )
    assert not isinstance(found, Truncated)


def test_a_transaction_that_a_crash_has_cut_off_is_not_told() -> None:
    """The next file begins in the middle of it; where a part was told, the table is compared."""
    events = (at(10, What.BEGIN), at(20, What.ROWS, rows=3))
    following = Told(what=What.FILE, file="bin.000002", pos=4)
    assert ["Reached"] == said(told(*events, following))
    assert "Doubtful" == said(told(*events, following, part_rows=2))[-1]
