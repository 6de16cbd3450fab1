"""Receivers on HTTP that go wrong in every way, walked through: nothing lost, nothing doubled, no one delayed.

Each way of `tests.faults.bad_partner` has a system and a route of its own; its first calls suffer,
then all is well. The check reads the partners' own stores (issue 3, "Faults as tests").
"""

from __future__ import annotations

import ssl
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from connectors.http_client import MOST_ANSWER_BYTES, ask, new_client
from hub.store import Store
from schemas.errors import Transient
from schemas.receipt import Event
from tests.faults.bad_city import AsksFirst, NeverTwice, city_of
from tests.faults.bad_partner import (
    MAY_HAVE_ARRIVED,
    SURELY,
    SURELY_NOT,
    TAKES,
    Bad,
    BadPartner,
    on_sockets,
)
from tests.hub.amqp.test_tls import Authority, server_side
from tests.records import shape

SUBJECTS, STEPS = ("A", "B"), ("1", "2", "3")
ALL = len(SUBJECTS) * len(STEPS)
# So many calls suffer: more than are tried at once, fewer than trip the breaker or end the ladder.
TIMES, TIMEOUT_S, WITHIN_S = 4, 2.0, 60.0
WELL = "well"
TLS = (Bad.NO_TLS, Bad.BROKEN_TLS)


@pytest.fixture
def records(sqlite_url: str) -> Iterator[Store]:
    store = Store(sqlite_url)
    shape(store)
    yield store
    store.close()


def name_of(bad: Bad) -> str:
    return bad.name.lower().replace("_", "-")


def in_order(held: Sequence[tuple[str, str]]) -> bool:
    steps: dict[str, list[str]] = defaultdict(list)
    for number, step in held:
        steps[number].append(step)
    return all(each == sorted(each) for each in steps.values())


@pytest.mark.parametrize("order", ["order_by: subject", ""], ids=["ordered", "unordered"])
async def test_everything_arrives_once_and_in_order(
    order: str, amqp_url: str, records: Store, tmp_path: Path
) -> None:
    """Every way of going wrong, side by side: each system holds each record once, in order where
    that is promised, and the ledger names the numbers that it gave."""
    authority = Authority(tmp_path / "ca")
    secured = server_side(authority)
    elsewhere, well = BadPartner(), BadPartner()
    partners = {WELL: well}
    for bad in Bad:
        partners[name_of(bad)] = BadPartner(
            suffers=bad, times=TIMES, tls=secured if bad in TLS else None
        )
    async with on_sockets([elsewhere, *partners.values()]):
        for partner in partners.values():
            partner.elsewhere = elsewhere.url
        trust = ssl.create_default_context(cafile=str(authority.own))
        async with city_of(
            amqp_url, records, partners, more=order, timeout_s=TIMEOUT_S, trust=trust
        ) as city:
            await city.send(SUBJECTS, STEPS)
            await city.until(Event.DELIVERY_DONE, dict.fromkeys(partners, ALL), WITHIN_S)
            told = await city.told(Event.DELIVERY_DONE)
            failed = await city.failed()

    assert [] == failed
    wanted = Counter((number, step) for number in SUBJECTS for step in STEPS)
    for name, partner in partners.items():
        assert wanted == Counter(partner.held), name
        assert partner.connections > (TIMES if partner.suffers else 0), name
        assert sorted(map(str, partner.numbers.values())) == sorted(told[name]), name
        if order:
            assert in_order(partner.held), (name, partner.held)
    assert 0 == elsewhere.connections, "led elsewhere, with our signature"


async def test_a_hanging_system_delays_no_other(amqp_url: str, records: Store) -> None:
    """One accepts and never reads, one takes and never answers, one stops half-way: while their
    first calls hang, the well one gets everything; let go, they get it too."""
    hanging = (Bad.HANGS_UNREAD, Bad.HANGS_READ, Bad.HANGS_HALFWAY)
    partners = {name_of(bad): BadPartner(suffers=bad, times=len(SUBJECTS)) for bad in hanging}
    partners[WELL] = BadPartner()
    async with (
        on_sockets(list(partners.values())),
        city_of(amqp_url, records, partners, more="order_by: subject", timeout_s=50.0) as city,
    ):
        await city.send(SUBJECTS, STEPS)
        await city.until(Event.DELIVERY_DONE, {WELL: ALL}, WITHIN_S)
        for bad in hanging:
            partner = partners[name_of(bad)]
            # The first step of each subject hangs, and holds its later ones.
            assert len(SUBJECTS) == partner.connections, bad
            assert [] == [step for _, step in partner.held if step != "1"], bad
        for partner in partners.values():
            partner.ends.set()
        await city.until(Event.DELIVERY_DONE, dict.fromkeys(partners, ALL), WITHIN_S)

    assert all(in_order(partner.held) for partner in partners.values())
    assert {ALL} == {len(partner.held) for partner in partners.values()}


async def test_what_may_have_arrived_waits_for_a_person_where_a_repeat_would_double(
    amqp_url: str, records: Store
) -> None:
    """A system that knows no repeats: in doubt, it is called once and a person decides; where it is
    certain that nothing arrived, it is called again."""
    partners = {name_of(bad): BadPartner(suffers=bad, times=1) for bad in Bad if bad not in TLS}
    async with (
        on_sockets(list(partners.values())),
        city_of(
            amqp_url,
            records,
            partners,
            more="",
            timeout_s=TIMEOUT_S,
            kinds=dict.fromkeys(partners, NeverTwice),
        ) as city,
    ):
        await city.send(("A",), ("1",))
        doubtful = {name_of(bad) for bad in MAY_HAVE_ARRIVED}
        again = {name_of(bad) for bad in SURELY_NOT - set(TLS)}
        well = {name_of(bad) for bad in SURELY}
        await city.until(Event.DELIVERY_DONE, dict.fromkeys(again | well, 1), WITHIN_S)
        await city.until(Event.DELIVERY_FAILED, dict.fromkeys(doubtful, 1), WITHIN_S)
        failed = [row for row in await city.failed() if row[0] in doubtful]

    assert [(name, "A", "target.in-doubt") for name in sorted(doubtful)] == failed
    calls = {name: partner.connections for name, partner in partners.items()}
    assert dict.fromkeys(doubtful | well, 1) | dict.fromkeys(again, 2) == {
        name: calls[name] for name in doubtful | well | again
    }


async def test_a_system_that_can_be_asked_is_asked(amqp_url: str, records: Store) -> None:
    """It knows no repeats, but what it holds: after a call in doubt it is asked, and called again
    only where it says that it has nothing."""
    asked = (Bad.TOOK_AND_CUT, Bad.HANGS_READ, Bad.CUTS_BODY, Bad.CLOSES_READ, Bad.HANGS_UNREAD)
    partners = {name_of(bad): BadPartner(suffers=bad, times=1) for bad in asked}
    async with (
        on_sockets(list(partners.values())),
        city_of(
            amqp_url,
            records,
            partners,
            more="order_by: subject",
            timeout_s=TIMEOUT_S,
            kinds=dict.fromkeys(partners, AsksFirst),
        ) as city,
    ):
        await city.send(("A",), ("1", "2"))
        await city.until(Event.DELIVERY_DONE, dict.fromkeys(partners, 2), WITHIN_S)
        assert [] == await city.failed()

    for bad in asked:
        partner = partners[name_of(bad)]
        assert [("A", "1"), ("A", "2")] == partner.held, bad
        posts = [method for method, _ in partner.requests].count("POST")
        gets = [method for method, _ in partner.requests].count("GET")
        assert 1 == gets, bad
        # The call that was never read is not among them; the one that only closed took nothing.
        assert posts == (3 if bad is Bad.CLOSES_READ else 2), bad


@pytest.mark.parametrize("bad", [Bad.ENDLESS_BODY, Bad.ENDLESS_HEAD, Bad.BOMB])
async def test_an_answer_takes_bounded_memory(bad: Bad) -> None:
    """Endless, or small and a thousand times as long unpacked: it is read no further than the limit."""
    partner = BadPartner(suffers=bad, times=1)
    async with on_sockets([partner]), new_client(TIMEOUT_S) as client:
        request = client.build_request(
            "POST",
            partner.url,
            content=b'{"no": "A", "step": "1"}',
            headers={"Idempotency-Key": "k"},
        )
        tracemalloc.start()
        try:
            with pytest.raises(Transient) as raised:
                await ask(client, request, TIMEOUT_S)
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert raised.value.in_doubt
    assert peak_bytes < 3 * MOST_ANSWER_BYTES


def test_each_way_is_judged() -> None:
    """What keeps a call before it goes wrong is never certain not to have."""
    assert TAKES <= MAY_HAVE_ARRIVED | SURELY
