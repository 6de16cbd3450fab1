"""A record that kills every process which takes it up: it alone is given up (design §3)."""

from __future__ import annotations

import signal

from hub.broker import SUSPECT_AFTER
from hub.store import Store
from hub.suspects import DEATHS
from schemas.receipt import Event
from tests.hub.conftest import eventually, running_engine
from tests.hub.mortal_pipeline import POISON, live
from tests.processes import running as a_process
from tests.records import shape

GOOD = 60


async def test_it_alone_is_given_up_after_a_few_deaths(amqp_url: str, postgres_url: str) -> None:
    """It stands in the middle of sixty good ones: those are delivered, it is in the failure store."""
    store = Store(postgres_url)
    shape(store)
    async with running_engine(amqp_url, store, roles=("ledger", "delivery")) as running:
        for n in range(GOOD):
            number = POISON if n == GOOD // 2 else f"A{n % 7}"
            await running.send({"bh": number, "hj": f"第{n}步", "qh": "130102"})
        deaths = 0

        async def done() -> bool:
            return not process.is_alive() or bool(await running.failed())

        while not await running.failed():
            async with a_process(live, amqp_url, postgres_url) as process:
                await eventually(done, bool, "a death, or the record given up")
                if process.is_alive():
                    await running.until(Event.DELIVERY_DONE, 2 * (GOOD - 1))
                else:
                    assert -signal.SIGKILL == process.exitcode
                    deaths += 1
        (failure,) = await running.failed()
        assert ("intake", "envelope.unchecked") == (failure["stage"], failure["code"])
    # It dies of the check of its signature: once more as it is to be given up.
    assert SUSPECT_AFTER + DEATHS + 1 == deaths
    assert GOOD - 1 == len(running.left.taken)
    store.close()
