"""The soak's own parts: a verdict that finds what is wrong, partners that are ill as told, a site that compiles."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from bench.soak.hubs import slope_per_hour
from bench.soak.partners import BUSY, HALF, LOSES, WELL, Partner, listening
from bench.soak.sender import Sender
from bench.soak.site import BULK, ORDERED, PLAIN, ROUTES, write_site
from bench.soak.verdict import judged
from hub.plan import compile_plan
from shuniu.site import read_site


def sent(*records: tuple[str, str]) -> Sender:
    sender = Sender("http://127.0.0.1:9", {}, 1.0)
    sender.sent.update(dict.fromkeys(records, 10.0))
    return sender


def holding(*records: tuple[str, str]) -> Partner:
    return Partner(held=[(case, step, 10.0 + n) for n, (case, step) in enumerate(records, 1)])


def test_the_verdict_finds_each_kind_of_harm() -> None:
    """One is lost at one partner, one doubled at the other, one case came in the wrong order; order
    counts where it is promised alone. Bulk has no part in the delays."""
    sender = sent(("c1", "1"), ("c1", "2"), ("c2", "1"), ("b-1", "1"))
    sender.bulk.add("b-1")
    everything = [("c1", "2"), ("c1", "1"), ("c2", "1"), ("b-1", "1")]
    partners = {ORDERED: holding(*everything, ("c2", "1")), PLAIN: holding(*everything[:-1])}

    found = judged(sender, partners)

    assert (1, 1, 1) == (found.lost, found.doubled, found.out_of_order)
    assert ["c1: [2, 1]"] == found.examples
    assert [1.0, 2.0, 3.0] == found.delays_s[PLAIN]


def test_a_slope_is_of_what_lasts() -> None:
    """Two megabytes an hour, whatever the first third did; of a few looks there is none."""
    warming = [(float(n), 10.0 * n) for n in range(10)]
    lasting = [(100.0 + n, 150.0 + n * 2 / 3600) for n in range(20)]

    slope = slope_per_hour(warming + lasting)

    assert slope == pytest.approx(2.0)
    assert slope_per_hour(lasting[:5]) is None


async def test_partners_are_ill_as_they_are_told() -> None:
    """Busy takes nothing; who loses or halves its answers has taken what it was given, once a key."""
    partner, step = Partner(), {"no": "c1", "step": "1"}
    async with listening(partner) as url, httpx.AsyncClient(trust_env=False, timeout=20) as client:

        async def call(key: str) -> int:
            answer = await client.post(f"{url}/step", json=step, headers={"Idempotency-Key": key})
            return answer.status_code

        partner.mood = BUSY
        assert 503 == await call("k1")
        assert not partner.held
        for mood in (LOSES, HALF):
            partner.mood = mood
            with pytest.raises(httpx.HTTPError):
                await call("k1")
        partner.mood = WELL
        assert [409, 200] == [await call("k1"), await call("k2")]
    assert 2 == len(partner.held)


def test_the_site_compiles(tmp_path: Path) -> None:
    """One sender is bulk, one route keeps order."""
    write_site(tmp_path, dict.fromkeys(ROUTES, "http://127.0.0.1:9"))

    plan = compile_plan(read_site(tmp_path))

    assert {BULK} == plan.bulk
    assert {ROUTES[ORDERED]: True, ROUTES[PLAIN]: False} == {
        name: route.in_order for name, route in plan.routes.items()
    }
