"""A database of before: its ledger is taken over into partitions, chained, its bodies once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from alembic import command
from sqlalchemy import Connection, text

from hub import ledger_views
from hub.crypto import Sm4Seal, sm3
from hub.payloads import unpacked
from hub.store import Store
from hub.store.migrate import _config, migrate
from hub.trace import trace
from tests.hub.ledger_rows import a_row, keep, kept, whole

SEAL = Sm4Seal(bytes(16))
BODY = b'{"caseNo":"A1"}'
MONTHS = (datetime(2026, 9, 3, 8, tzinfo=UTC), datetime(2026, 11, 4, 8, 0, 0, 123456, tzinfo=UTC))


def _before(connection: Connection) -> None:
    """As release 0.1 wrote it: 2,400 rows of two months, two messages of one body."""
    command.upgrade(_config(connection, ()), "hub0001")
    names = [
        *("key", "at", "event", "message_id", "record_id", "source", "resource", "operation"),
        *("subject", "route", "system", "attempt", "code", "faults", "doubts", "number"),
        *("took_ms", "trace", "digest", "by"),
    ]
    columns, values = ", ".join(f'"{n}"' for n in names), ", ".join(f":{n}" for n in names)
    insert = text(f"INSERT INTO ledger ({columns}) VALUES ({values})")  # noqa: S608 - our own names
    empty: dict[str, Any] = dict.fromkeys(names, "") | {"attempt": 0, "took_ms": 1}
    rows = []
    for n in range(2400):
        at = MONTHS[n % 2]
        told = at if connection.dialect.name == "postgresql" else f"{at:%Y-%m-%d %H:%M:%S.%f}"
        row = empty | {"key": f"k{n}", "at": told, "message_id": f"m{n}", "event": "delivery.done"}
        row |= {"faults": '[{"code": "a.b", "at": "/x", "facts": {"n": 1}}]', "doubts": "[]"}
        if n < 2:
            row |= {"event": "message.published", "resource": "r", "digest": sm3(BODY)}
        rows.append(row)
    connection.execute(insert, rows)
    body = text("INSERT INTO payloads (message_id, at, sealed) VALUES (:m, :at, :s)")
    at = rows[0]["at"]
    connection.execute(body, [{"m": f"m{n}", "at": at, "s": SEAL.seal(BODY)} for n in range(2)])


def test_what_was_kept_is_taken_over(database_url: str) -> None:
    """Every row in its order, its month and its chain; every body opens."""
    store = Store(database_url)
    store.write_now(_before)

    migrate(store)

    rows = kept(store)
    assert [f"k{n}" for n in range(2400)] == [row["key"] for row in rows]
    assert [1200, 1200] == [sum(r["part"] == p for r in rows) for p in ("2026-09", "2026-11")]
    assert list(MONTHS) == [row["at"] for row in rows[:2]]
    assert [{"code": "a.b", "at": "/x", "facts": {"n": 1}}] == rows[5]["faults"]
    assert whole(store)
    for message in ("m0", "m1"):
        found = store.read_now(_payload(message))
        assert found
        assert ("r", BODY) == (found[0], unpacked(found[1], SEAL))
    assert ["k7"] == [row["key"] for row in store.read_now(lambda c: trace(c, "m7"))]
    # Known again by their keys, and the chains go on.
    assert 1 == keep(store, [a_row("k1200"), a_row("new", at=MONTHS[1])], now=MONTHS[1])
    assert whole(store)
    store.close()


def _payload(message: str) -> Callable[[Connection], tuple[str, bytes] | None]:
    return lambda connection: ledger_views.payload(connection, message)
