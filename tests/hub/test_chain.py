"""The ledger's chain: whoever changes a row behind the ledger's back is found, and the row named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SM3, Hash
from sqlalchemy import Connection, delete, func, insert, select, text, update

from hub.audit import Break, all_heads, verify
from hub.store import Store
from hub.store.append import lock
from hub.store.chain import chained, first_link, row_bytes
from hub.store.checkpoints import checkpoint
from hub.store.tables import ledger, ledger_checkpoints, ledger_partitions
from tests.hub.ledger_rows import a_row, breaks, keep, kept, whole
from tests.records import shape

AT = datetime(2026, 11, 5, 8, tzinfo=UTC)
PART = "2026-11"
c = ledger.c


@pytest.fixture
def records(database_url: str) -> Iterator[Store]:
    """Ten rows of one month, k1 to k10, and one of another."""
    store = Store(database_url)
    shape(store)
    rows = [a_row(f"k{n}", at=AT, subject=f"A{n}") for n in range(1, 11)]
    keep(store, rows, now=AT)
    keep(store, [a_row("other", at=datetime(2026, 10, 31, tzinfo=UTC))], now=AT)
    yield store
    store.close()


def _sm3(content: bytes) -> bytes:
    digest = Hash(SM3())
    digest.update(content)
    return digest.finalize()


def _tamper(store: Store, *statements: Any) -> None:
    def change(connection: Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    store.write_now(change)


def _change(seq: int, **values: Any) -> Any:
    return update(ledger).where(c.part == PART, c.seq == seq).values(**values)


def _copy(row: Any, **values: Any) -> Any:
    told = {name: value for name, value in row.items() if name != "id"}
    return insert(ledger).values({**told, **values})


def test_a_link_is_the_sm3_of_the_one_before_and_the_row() -> None:
    """Reckoned by hand, from the form that the module's docstring gives."""
    row = a_row("k", at=datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), message_id="m", attempt=2)
    row |= {"part": "1970-01", "seq": 1, "faults": [{"facts": {}, "code": "x", "at": "/a"}]}
    told = (
        b'[1,"1970-01",1,"k",1000000,"delivery.done","m","","","","","","","","",2,"",'
        b'[{"at":"/a","code":"x","facts":{}}],[],"",0,"","","",null]'
    )

    first = _sm3(b"shuniu ledger 1 1970-01")

    assert told == row_bytes(row)
    assert first == first_link("1970-01")
    assert _sm3(first + told) == chained(first, row)


def test_an_untouched_ledger_is_whole(records: Store) -> None:
    """Both months, the rest, and the checkpoints."""
    found = {verdict.partition: (verdict.rows, verdict.whole) for verdict in verify(records)}

    assert {
        "checkpoints": (0, True),
        "2026-10": (1, True),
        "2026-11": (10, True),
        "rest": (0, True),
    } == found


CHANGES: dict[str, Callable[[], Any]] = {
    "subject": lambda: {"subject": "B"},
    "at": lambda: {"at": AT.replace(hour=9)},
    "faults": lambda: {"faults": [{"code": "a", "at": "", "facts": {}}]},
    "by": lambda: {"by": "somebody"},
    "envelope": lambda: {"envelope": {"region": "x"}},
    "link": lambda: {"link": bytes(32)},
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_row_is_named(records: Store, what: str) -> None:
    """Whichever column; its neighbours are not blamed."""
    _tamper(records, _change(4, **CHANGES[what]()))

    assert {PART: [Break("audit.changed", 4, 4, "k4")]} == breaks(records)


def test_the_last_row_changed(records: Store) -> None:
    """Nothing follows it that would tell; its own link does."""
    _tamper(records, _change(10, subject="B"))

    assert {PART: [Break("audit.changed", 10, 10, "k10")]} == breaks(records)


def test_a_row_and_its_link_changed_together(records: Store) -> None:
    """Whoever reckons a new link for it breaks the next one, or the head."""
    fourth = kept(records)[3]
    forged = {**fourth, "subject": "B"}
    before = kept(records)[2]["link"]
    _tamper(records, _change(4, subject="B", link=chained(before, forged)))

    assert {PART: [Break("audit.changed", 5, 5, "k5")]} == breaks(records)


def test_removed_rows_are_named(records: Store) -> None:
    """In the middle and at the beginning, as a span."""
    _tamper(records, delete(ledger).where(c.part == PART, c.seq.in_([1, 5, 6])))

    assert {PART: [Break("audit.removed", 1, 1), Break("audit.removed", 5, 6)]} == breaks(records)


def test_a_removed_end_is_named(records: Store) -> None:
    """What follows is nothing, but the head knows how many there were."""
    _tamper(records, delete(ledger).where(c.part == PART, c.seq >= 9))

    assert {PART: [Break("audit.removed", 9, 10)]} == breaks(records)


def test_all_rows_removed(records: Store) -> None:
    """An empty partition is not an untouched one."""
    _tamper(records, delete(ledger).where(c.part == PART))

    assert {PART: [Break("audit.removed", 1, 10)]} == breaks(records)


def test_an_inserted_row_is_named(records: Store) -> None:
    """A copy of the third under another key."""
    _tamper(records, _copy(kept(records)[2], key="forged"))

    assert {PART: [Break("audit.added", 3, 3, "forged")]} == breaks(records)


def test_a_row_appended_with_a_right_link(records: Store) -> None:
    """Whoever knows the form can reckon a link, but the head has not moved."""
    last = kept(records)[9]
    forged = {**last, "seq": 11, "key": "forged"}
    forged["link"] = chained(last["link"], forged)
    _tamper(records, _copy(forged))

    assert {PART: [Break("audit.added", 11, 11)]} == breaks(records)


def test_swapped_rows_are_named(records: Store) -> None:
    """Two rows that change their places, whole."""
    ids = {row["seq"]: row["id"] for row in kept(records) if row["part"] == PART}
    spare = max(ids.values()) + 1000
    move = [(ids[3], spare), (ids[4], ids[3]), (spare, ids[4])]

    _tamper(records, *(update(ledger).where(c.id == a).values(id=b) for a, b in move))

    assert {PART: [Break("audit.moved", 3, 3, "k3")]} == breaks(records)


def test_contents_exchanged_under_their_links(records: Store) -> None:
    """Places and links stay, what two rows say is exchanged: both are named."""
    _tamper(records, _change(3, subject="A7"), _change(7, subject="A3"))

    named = [(found.what, found.key) for found in breaks(records)[PART]]
    assert [("audit.changed", "k3"), ("audit.changed", "k7")] == named


def test_a_head_turned_back_is_found_by_a_checkpoint(records: Store) -> None:
    """The last rows removed and the head made to fit: the checkpoint remembers them."""
    _checkpoint(records)
    eighth = next(row for row in kept(records) if row["part"] == PART and row["seq"] == 8)
    back = update(ledger_partitions).where(ledger_partitions.c.name == PART)
    _tamper(
        records,
        delete(ledger).where(c.part == PART, c.seq > 8),
        back.values(rows=8, link=eighth["link"]),
    )

    named = [(found.what, found.seq, found.last) for found in breaks(records)[PART]]
    assert ("audit.removed", 9, 10) in named


def test_a_changed_checkpoint_is_named(records: Store) -> None:
    """And so is one that was taken out before another."""
    _checkpoint(records)
    keep(records, [a_row("k11", at=AT)], now=AT)
    _checkpoint(records)
    rows = ledger_checkpoints.c
    first = records.read_now(lambda x: x.scalar(select(func.min(rows.id))))

    _tamper(records, delete(ledger_checkpoints).where(rows.id == first))

    assert "checkpoints" in breaks(records)


def test_a_partition_out_of_the_register(records: Store) -> None:
    """Its rows are still looked at, and that it is not registered is told."""
    _tamper(records, delete(ledger_partitions).where(ledger_partitions.c.name == "2026-10"))

    found = [each for each in breaks(records).values() if each[0].what == "audit.partition"]
    assert 1 == len(found)


def test_a_row_put_into_another_partition(records: Store) -> None:
    """Its time moved by a month: it is missing here or does not fit there."""
    _tamper(records, _change(5, at=datetime(2026, 10, 30, tzinfo=UTC), part="2026-10"))

    assert not whole(records)


def test_verifying_reads_in_pieces(records: Store) -> None:
    """More rows than one piece has; and a change in the last piece is found."""
    keep(records, [a_row(f"more{n}", at=AT) for n in range(4500)], now=AT)
    assert whole(records)

    _tamper(records, _change(4400, code="x"))

    assert [4400] == [found.seq for found in breaks(records)[PART]]


def _checkpoint(store: Store) -> None:
    def make(connection: Connection) -> None:
        lock(connection)
        for head in all_heads(connection).values():
            checkpoint(connection, head, AT)

    store.write_now(make)


def test_a_signature_has_its_place(records: Store) -> None:
    """None as yet; what it will sign is there."""
    _checkpoint(records)
    query = text("SELECT count(*), count(signature) FROM ledger_checkpoints")

    assert (2, 0) == tuple(records.read_now(lambda x: x.execute(query).one()))
    assert whole(records)
