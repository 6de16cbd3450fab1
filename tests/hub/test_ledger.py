"""Appending to the ledger: each row once, in its partition, bodies once; SQLite and PostgreSQL."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from hub.crypto import Sm4Seal, sm3
from hub.payloads import compressed, unpacked
from hub.store import Store
from hub.store.append import fitted
from hub.store.tables import ledger_partitions, payloads
from schemas.errors import Misconfigured
from tests.hub.ledger_rows import a_row, keep, kept, whole
from tests.records import shape

SEAL = Sm4Seal(bytes(16))
NOVEMBER = datetime(2026, 11, 30, 23, 59, 59, 999_999, tzinfo=UTC)


@pytest.fixture
def records(database_url: str) -> Iterator[Store]:
    store = Store(database_url)
    shape(store)
    yield store
    store.close()


def _places(store: Store) -> list[tuple[str, int]]:
    return [(row["part"], row["seq"]) for row in kept(store)]


def test_a_row_is_kept_once_by_its_key(records: Store) -> None:
    """Told again, with another time and in another batch, it changes nothing."""
    again = a_row("k1", at=datetime.now(UTC) + timedelta(hours=30))

    assert 1 == keep(records, [a_row("k1"), a_row("k1")])
    assert 0 == keep(records, [again])
    assert 1 == keep(records, [again, a_row("k2")])

    assert ["k1", "k2"] == [row["key"] for row in kept(records)]
    assert whole(records)


def test_a_month_has_a_partition_and_a_chain(records: Store) -> None:
    """The last moment of November and the first of December, mixed in one batch."""
    december = NOVEMBER + timedelta(microseconds=1)
    rows = [a_row(at=NOVEMBER), a_row(at=december), a_row(at=NOVEMBER)]

    keep(records, rows, now=NOVEMBER)

    assert [("2026-11", 1), ("2026-12", 1), ("2026-11", 2)] == _places(records)
    assert whole(records)


def test_a_day_may_be_a_partition(records: Store) -> None:
    """As a busy site wants it; a month that stands already takes its days."""
    keep(records, [a_row(at=NOVEMBER)], now=NOVEMBER)
    december = NOVEMBER + timedelta(days=1)

    keep(records, [a_row(at=NOVEMBER), a_row(at=december)], now=december, by="day")

    assert [("2026-11", 1), ("2026-11", 2), ("2026-12-01", 1)] == _places(records)
    assert whole(records)


def test_months_after_days_leave_them_alone(records: Store) -> None:
    """The rest of a month whose first day has a partition of its own goes on by days."""
    first, tenth = datetime(2026, 12, 1, 8, tzinfo=UTC), datetime(2026, 12, 10, 8, tzinfo=UTC)
    keep(records, [a_row(at=first)], now=first, by="day")

    keep(records, [a_row(at=tenth)], now=tenth, by="month")

    assert [("2026-12-01", 1), ("2026-12-10", 1)] == _places(records)


def test_a_clock_far_off_is_kept_in_the_rest(records: Store) -> None:
    """No partition is made for the year 2099, and nothing is refused."""
    keep(records, [a_row(at=datetime(2099, 1, 1, tzinfo=UTC)), a_row()])

    assert [("rest", 1), (f"{datetime.now(UTC):%Y-%m}", 1)] == _places(records)
    assert whole(records)


def test_in_postgresql_a_partition_is_a_table(postgres_url: str) -> None:
    """Rows and bodies lie in tables that can be dropped."""
    store = Store(postgres_url)
    shape(store)
    row = a_row(at=NOVEMBER, digest=sm3(b"{}"))
    keep(store, [row], {row["digest"]: b"sealed"}, now=NOVEMBER)

    count = "SELECT (SELECT count(*) FROM ledger_2026_11), (SELECT count(*) FROM payloads_2026_11)"

    assert (1, 1) == tuple(store.read_now(lambda c: c.execute(text(count)).one()))
    store.close()


def test_a_body_is_stored_once(records: Store) -> None:
    """Two messages of one body, in one batch and in another: one row, which opens to it."""
    body = '{"caseNo":"A1","stepName":"受理"}'.encode()
    digest = sm3(body)
    keep(
        records, [a_row(digest=digest), a_row(digest=digest)], {digest: SEAL.seal(compressed(body))}
    )
    keep(records, [a_row(digest=digest)], {digest: SEAL.seal(compressed(body))})

    found = records.read_now(lambda c: c.execute(select(payloads)).mappings().all())

    assert [digest] == [row["digest"] for row in found]
    assert body == unpacked(found[0]["sealed"], SEAL)


def test_bodies_are_compressed_before_they_are_sealed() -> None:
    """A case of 2 KB with repeated item names takes less than half of it."""
    body = b'{"' + b'","'.join(b"item%02d" % (n % 8) for n in range(250)) + b'"}'

    sealed = SEAL.seal(compressed(body))

    assert len(sealed) < len(body) / 2
    assert body == unpacked(sealed, SEAL)
    with pytest.raises(Misconfigured):
        unpacked(sealed[:-1] + bytes([sealed[-1] ^ 1]), SEAL)


def test_a_body_of_before_opens_too() -> None:
    """Sealed when nothing was compressed yet."""
    assert b'{"a":1}' == unpacked(SEAL.seal(b'{"a":1}'), SEAL)
    assert b'{"a":1}' == unpacked(SEAL.seal(b"\x01" + zlib.compress(b'{"a":1}')), SEAL)


def test_text_that_does_not_fit_stops_nothing(records: Store) -> None:
    """Too long, or with a NUL that PostgreSQL refuses: cut, and kept."""
    row = fitted(a_row("k1", subject="主" * 400, number="a\0b"))

    keep(records, [row])

    found = kept(records)[0]
    assert ("主" * 128, "a\ufffdb") == (found["subject"], found["number"])
    assert whole(records)


def test_writers_take_turns(records: Store) -> None:
    """Four at once, with keys in common: each row once, and the chain does not fork."""
    rows = [a_row(f"k{n}") for n in range(200)]

    def write(which: int) -> None:
        for start in range(0, 200, 20):
            part = rows[start : start + 20]
            keep(records, part if which % 2 else part[::-1])

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(25)

    assert {f"k{n}" for n in range(200)} == {row["key"] for row in kept(records)}
    assert list(range(1, 201)) == [row["seq"] for row in kept(records)]
    assert whole(records)


def test_heads_tell_what_is_there(records: Store) -> None:
    """The register's count is the count of rows, partition by partition."""
    keep(records, [a_row(at=NOVEMBER - timedelta(days=n)) for n in range(35)], now=NOVEMBER)

    p = ledger_partitions.c
    found = records.read_now(lambda c: c.execute(select(p.name, p.rows)).all())
    heads = {row[0]: row[1] for row in found}

    assert {"2026-11": 30, "2026-10": 5, "rest": 0} == heads
    assert 35 == records.read_now(
        lambda c: c.scalar(select(func.count()).select_from(text("ledger")))
    )
