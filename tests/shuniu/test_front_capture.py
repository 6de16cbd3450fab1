"""``shuniu front-db capture``: a partner's tables read by hand, beside whoever else reads them."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aio_pika
import pytest

from front_db.books import Book
from front_db.ddl import script
from front_db.derived import out_table
from front_db.lease import Leased
from hub.broker import Broker
from hub.crypto import Mac
from hub.store import Store
from hub.topology import PIPELINE, declare
from shuniu.service_list import MIGRATIONS
from tests.commands import shuniu
from tests.front_db.standard import CATALOGUE, CODES, ELEMENTS, RESOURCE, RESOURCES
from tests.records import shape

FIRMS = {
    "name": "qyss",
    "columns": [{"name": "code", "length": 18}, {"name": "name", "length": 60}],
    "business_key": ["code"],
}


@pytest.fixture
def home(tmp_path: Path, amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site with one partner: a standard table, one that we may only read, and one that is not there."""
    table = out_table(RESOURCE, CATALOGUE)
    partner = tmp_path / "partner.db"
    with sqlite3.connect(partner) as connection:
        connection.executescript(script([table], "sqlite"))
        connection.executescript(
            "INSERT INTO o_test_case (x_op, x_key, x_ver, x_time) VALUES"
            " ('D', 'K', 1, '2026-03-02 09:00:00'), ('D', '', 1, '2026-03-02 09:00:00');"
            "CREATE TABLE qyss (code TEXT PRIMARY KEY, name TEXT);"
            "INSERT INTO qyss VALUES ('a', '甲'), ('b', '乙')"
        )
    settings = {
        "url": f"sqlite:///{partner}",
        "tables": [
            table.model_dump(mode="json", exclude_defaults=True),
            FIRMS,
            {**FIRMS, "name": "away"},
        ],
        "reads": [
            {"table": "o_test_case", "kind": "case"},
            {"table": "qyss", "kind": "firm", "capture": "key-set"},
            {"table": "away", "kind": "gone", "capture": "key-set"},
        ],
    }
    system = {
        "system": "tax",
        "name": {"zh": "税务", "en": "tax"},
        "owner": "测试局",
        "connector": "front-library",
        "settings": settings,
    }
    texts = {"elements": ELEMENTS, "codes": CODES, "resources": RESOURCES}
    for folder, said in {**texts, "systems": json.dumps(system)}.items():
        (tmp_path / "site" / folder).mkdir(parents=True)
        (tmp_path / "site" / folder / "tax.yaml").write_text(said, encoding="utf-8")
    monkeypatch.setenv("SHUNIU_SITE", str(tmp_path / "site"))
    monkeypatch.setenv("SHUNIU_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SHUNIU_AMQP_URL", amqp_url)
    return tmp_path / "home"


def told(*words: str) -> tuple[int, Any]:
    done = shuniu("front-db", "capture", *words, "--json")
    return done.code, done.told


async def waiting(amqp_url: str) -> int:
    """Messages that wait for the hub."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        queues = [await channel.declare_queue(name, passive=True) for name in PIPELINE]
        return sum(queue.declaration_result.message_count or 0 for queue in queues)


async def test_what_is_new_is_handed_on_once_and_each_table_says_how_it_stands(
    home: Path, amqp_url: str
) -> None:
    """R-A6: one table that cannot be read keeps no other from it."""
    async with Broker(amqp_url, name="test", mac=Mac(bytes(32))) as broker:
        await declare(broker, [])

    code, said = told("--system", "tax")
    tables = {each["table"]: each for each in said["tables"]}

    assert (1, False) == (code, said["ok"])
    assert (1, 1) == (tables["o_test_case"]["read"], tables["o_test_case"]["sent"])
    assert {"new": 0, "refused": 1} == {
        state: tables["o_test_case"]["rows"].get(state, 0) for state in ("new", "refused")
    }
    assert (2, 2) == (tables["qyss"]["read"], tables["qyss"]["sent"])
    assert 1 == tables["qyss"]["figures"]["ranges"]
    assert "target.no-table" == tables["away"]["error"]["code"]
    assert 3 == await waiting(amqp_url)
    code, again = told("--system", "tax", "--table", "qyss", "--table", "o_test_case")
    assert (0, [0, 0]) == (code, [each["read"] for each in again["tables"]])


async def test_a_table_that_the_hub_reads_is_left_to_it(home: Path, amqp_url: str) -> None:
    """Not two readers at once: it says who, and until when."""
    async with Broker(amqp_url, name="test", mac=Mac(bytes(32))) as broker:
        await declare(broker, [])
    home.mkdir(exist_ok=True)
    store = Store(f"sqlite:///{home / 'hub.db'}")
    shape(store, MIGRATIONS)
    hub = Leased(store, "tax", lambda: datetime.now(UTC), lease_s=600)
    await Book(hub, "tax", "qyss", "key-set", lambda: datetime.now(UTC)).open()
    code, said = told("--system", "tax", "--table", "qyss")
    (table,) = said["tables"]
    assert (1, 0, "front-db.read-elsewhere") == (code, table["read"], table["error"]["code"])

    await hub.give_back()
    assert 2 == told("--system", "tax", "--table", "qyss")[1]["tables"][0]["sent"]
    assert 2 == await waiting(amqp_url)
    store.close()


def test_what_it_does_not_read_is_no_table_of_it(home: Path) -> None:
    """A slip of the pen is told, not passed over."""
    code, said = told("--system", "tax", "--table", "qyxx")

    assert (78, "front-db.not-read") == (code, said["errors"][0]["code"])


def test_a_slip_is_told_also_where_no_hub_runs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system that there is not comes before the broker that does not run; each with a sentence."""
    monkeypatch.delenv("SHUNIU_AMQP_URL")

    slip, said = told("--system", "nobody")
    right, stopped = told("--system", "tax")

    assert (78, 78) == (slip, right)
    assert "broker.not-running" != said["errors"][0]["code"]
    assert "broker.not-running" == stopped["errors"][0]["code"]
    assert str(home) in stopped["errors"][0]["en"]
