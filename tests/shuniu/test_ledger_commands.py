"""``shuniu audit verify``, ``shuniu trace`` as a search, ``shuniu replay``: what scripts rely on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import update

from hub.broker import Broker, Incoming, Outgoing
from hub.crypto import sm3
from hub.envelope import encode_body, encode_message
from hub.ids import new_id, new_trace
from hub.store import Store
from hub.store.tables import ledger
from hub.tap import tapped
from hub.topology import LEDGER, STREAMS, Binding, declare, service_queue
from schemas.errors import Misconfigured, Rejected
from schemas.message import Message, Operation, ResourceName, SystemCode
from shuniu.cli.options import moment
from shuniu.instance import Instance
from shuniu.service_list import MIGRATIONS
from shuniu.settings import Settings
from tests import commands
from tests.commands import Done
from tests.hub.ledger_rows import a_row, keep
from tests.records import shape

AT = datetime(2026, 11, 5, 8, tzinfo=UTC)
Shuniu = Callable[..., Done]


@pytest.fixture
def records(sqlite_url: str) -> Iterator[Store]:
    store = Store(sqlite_url)
    shape(store, MIGRATIONS)
    keep(store, [a_row(f"k{n}", at=AT, source="fire", subject=f"A{n}") for n in range(7)], now=AT)
    yield store
    store.close()


@pytest.fixture
def shuniu(records: Store, sqlite_url: str, tmp_path: Path) -> Shuniu:
    """Commands beside these records."""
    environment = os.environ | {
        "SHUNIU_HOME": str(tmp_path / "home"),
        "SHUNIU_DATABASE_URL": sqlite_url,
        "SHUNIU_LANG": "en",
    }

    return partial(commands.shuniu, environment=environment)


def test_a_whole_ledger_verifies(shuniu: Shuniu) -> None:
    """Exit 0, and how many rows were looked at."""
    result = shuniu("audit", "verify", "--json")

    assert 0 == result.code
    told = result.told
    assert told["ok"]
    rows = {each["partition"]: each["rows"] for each in told["partitions"]}
    assert {"checkpoints": 0, "2026-11": 7, "rest": 0} == rows


def test_a_tampered_ledger_does_not(shuniu: Shuniu, records: Store) -> None:
    """Exit 1; the row is named, in a sentence too."""
    change = update(ledger).where(ledger.c.seq == 3).values(subject="A9")
    records.write_now(lambda c: c.execute(change))

    result = shuniu("audit", "verify", "--json")

    assert 1 == result.code
    month = next(p for p in result.told["partitions"] if p["partition"] == "2026-11")
    named = [(b["what"], b["seq"], b["key"], b["text"]) for b in month["breaks"]]
    assert [("audit.changed", 3, "k2", "row 3 was changed (k2)")] == named
    plain = shuniu("audit", "verify")
    assert 1 == plain.code
    assert "row 3 was changed" in plain.out


def test_a_search_page_by_page(shuniu: Shuniu) -> None:
    """Each page names where the next begins; the last names nothing."""
    keys: list[str] = []
    after = ""
    for _ in range(3):
        page = ("--partner", "fire", "--limit", "3", "--after", after)
        told = shuniu("trace", *page, "--json").told
        keys += [hop["key"] for hop in told["hops"]]
        after = told["after"]

    assert [f"k{n}" for n in reversed(range(7))] == keys
    assert "" == after


def test_a_trace_by_subject_still_works(shuniu: Shuniu) -> None:
    """The argument is what it was; unknown is exit 1."""
    assert ["k4"] == [hop["key"] for hop in shuniu("trace", "A4", "--json").told["hops"]]
    assert 1 == shuniu("trace", "nobody", "--json").code


def test_a_search_for_nothing(shuniu: Shuniu) -> None:
    """Not the whole ledger: exit 65, and what to tell."""
    result = shuniu("trace", "--json")

    assert 65 == result.code
    assert ["trace.nothing"] == [error["code"] for error in result.told["errors"]]


def test_a_replay_needs_a_hub(shuniu: Shuniu) -> None:
    """Exit 78: it never starts a broker of its own."""
    result = shuniu("replay", "--resource", "caseStep", "--since", "2h", "--json")

    assert 78 == result.code
    assert ["broker.not-running"] == [error["code"] for error in result.told["errors"]]


async def test_a_replay_is_signed_by_the_hub(
    records: Store, sqlite_url: str, amqp_url: str, tmp_path: Path
) -> None:
    """A message of the history, sent to one service: marked, and taken as one of the hub's own."""
    told = {"SHUNIU_HOME": str(tmp_path / "home"), "SHUNIU_DATABASE_URL": sqlite_url}
    told["SHUNIU_AMQP_URL"] = amqp_url
    mac = Instance.of(Settings.read(told)).mac()
    at, body = datetime.now(UTC), {"caseNo": "A1"}
    message = Message(
        id=new_id(at),
        source=SystemCode("fire"),
        resource=ResourceName("itemCase"),
        operation=Operation.CREATED,
        subject="A1",
        time=at,
        region="130102",
        sequence=1,
        dataschema="itemCase/1",
        digest=sm3(encode_body(body)),
        traceparent=new_trace(),
        body=body,
    )
    headers, content = encode_message(message)
    async with Broker(amqp_url, name="test", mac=mac) as broker, broker.publisher() as publisher:
        await declare(broker, [Binding(service_queue("new"), ())])
        published = Outgoing(STREAMS, "itemCase.created.130102", content, headers)
        await publisher.publish_all(tapped([published]))
        words = (
            "--resource",
            "itemCase",
            "--since",
            "1h",
            "--service",
            "new",
            "--source",
            "history",
        )

        run = partial(commands.shuniu, environment=os.environ | told)
        result = await asyncio.to_thread(run, "replay", *words, "--json")

        assert 0 == result.code, result.out
        assert 1 == result.told["replay"]["sent"]
        async with asyncio.timeout(10), broker.consumer("service.new", prefetch=1) as consumer:
            incoming = await consumer.one()
            broker.check(incoming)
        # What the ledger hears: the message, then that the replay began, sent it, and ended.
        heard: list[Incoming] = []
        async with asyncio.timeout(10), broker.consumer(LEDGER, prefetch=9) as consumer:
            while len(heard) < 4:
                heard += await consumer.batch(9)
        for each in heard:
            broker.check(each)
        assert result.told["replay"]["id"] == incoming.headers["x-replay"]


def test_replays_are_listed(shuniu: Shuniu) -> None:
    """None as yet."""
    result = shuniu("replay", "--list", "--json")

    assert (0, {"ok": True, "replays": []}) == (result.code, result.told)


def test_moments() -> None:
    """A while ago, or a time; one without a zone is this machine's."""
    assert timedelta(minutes=90) == AT - moment("90m", AT)
    assert timedelta(days=7) == AT - moment("7d", AT)
    assert AT == moment("2026-11-05T16:00:00+08:00", AT)
    with pytest.raises(Rejected):
        moment("7w", AT)


@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        ("SHUNIU_KEEP_LEDGER_DAYS", "0", "settings.days"),
        ("SHUNIU_KEEP_PAYLOAD_DAYS", "long", "settings.days"),
        ("SHUNIU_LEDGER_PARTITION", "week", "settings.partition"),
    ],
)
def test_terms_that_make_no_sense(variable: str, value: str, code: str) -> None:
    """Refused at the start, not found out when something was dropped."""
    with pytest.raises(Misconfigured) as refused:
        Settings.read({variable: value})

    assert code == refused.value.code


def test_terms_of_a_site() -> None:
    """From the environment; what is not told is as usual."""
    told = {"SHUNIU_KEEP_PAYLOAD_DAYS": "30", "SHUNIU_LEDGER_PARTITION": "day"}

    found = Settings.read(told).retention

    assert (1095, 30, "day") == (found.ledger_days, found.payload_days, found.by)
