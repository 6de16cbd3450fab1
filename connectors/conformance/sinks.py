"""What every sink must do, as tests. Inherit, give the ``rig`` fixture, and be told what is missing.

Promises   `tests/conformance` holds, for each test, a connector that lies and is caught by it
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

import pytest

from connectors.conformance.common import (
    ASKED_S,
    AT_ONCE_S,
    IN_TIME_S,
    KINDS,
    PERSON,
    claimed,
    left_over,
    possible,
    shown,
    spoken,
)
from connectors.faults import Fault
from hub.port import Sink, abilities
from schemas.errors import HubError, Misconfigured, Rejected, Transient
from schemas.message import Answer, Body, Delivery

__all__ = ["SinkConformance", "SinkRig"]

SEVERAL = 8


class SinkRig(Protocol):
    """A sink, opened, and the system behind it."""

    @property
    def sink(self) -> Sink: ...
    @property
    def secret(self) -> str:
        """What it signs in with; must never show."""

    @property
    def cannot(self) -> Mapping[Fault, str]:
        """Faults that a system of this kind cannot have, each with the reason."""

    @property
    def refused_at(self) -> str:
        """The item that is at fault when the system suffers `Fault.REFUSES`, by JSON Pointer."""

    def delivery(self) -> Delivery:
        """A fresh one, in the system's words, with `PERSON` in it; after ``suffers(REFUSES)``, one
        that the system refuses."""

    async def holds(self) -> list[Body]:
        """What the system has, in the words of the payload, read *not* through the connector."""

    def suffers(self, fault: Fault) -> None: ...


class SinkConformance:
    """Every test gets a fresh rig whose system holds nothing."""

    async def test_it_says_that_it_delivers(self, rig: SinkRig) -> None:
        """The composition root links a system by this word."""
        assert "deliver" in abilities(rig.sink)

    async def test_the_system_holds_what_was_delivered(self, rig: SinkRig) -> None:
        """Every item arrives as it was, Chinese included, exactly once."""
        delivery = rig.delivery()

        answer = await rig.sink.deliver(delivery)

        assert [delivery.payload] == await rig.holds()
        assert answer.number, "an answer without a number cannot be looked up by a clerk"
        assert not answer.repeated

    async def test_a_repeat_changes_nothing(self, rig: SinkRig) -> None:
        """The same key twice: one record, the same number, and the second answer says so."""
        claimed(rig.sink.traits.idempotent, "idempotent")
        delivery = rig.delivery()

        first = await rig.sink.deliver(delivery)
        second = await rig.sink.deliver(delivery)

        assert 1 == len(await rig.holds())
        assert (first.number, True) == (second.number, second.repeated)

    async def test_a_lost_answer_is_safe_to_repeat(self, rig: SinkRig) -> None:
        """The one failure that at-least-once must survive: taken, but never acknowledged."""
        claimed(rig.sink.traits.idempotent, "idempotent")
        possible(rig, Fault.LOSES_ANSWER)
        delivery = rig.delivery()
        rig.suffers(Fault.LOSES_ANSWER)

        with pytest.raises(Transient):
            await rig.sink.deliver(delivery)
        await _again(rig, delivery)

        assert 1 == len(await rig.holds())

    async def test_several_at_once_all_arrive(self, rig: SinkRig) -> None:
        """Deliveries of one system run side by side; none may be taken for another."""
        deliveries = [rig.delivery() for _ in range(SEVERAL)]

        answers = await asyncio.gather(*map(rig.sink.deliver, deliveries))

        assert SEVERAL == len(await rig.holds())
        assert SEVERAL == len({answer.number for answer in answers})

    @pytest.mark.parametrize("fault", KINDS, ids=lambda fault: fault.name)
    async def test_each_fault_is_of_its_kind(self, rig: SinkRig, fault: Fault) -> None:
        """A wrong kind is the worst bug a connector can have: it retries for ever, or drops."""
        possible(rig, fault)
        rig.suffers(fault)

        with pytest.raises(HubError) as caught:
            await asyncio.wait_for(rig.sink.deliver(rig.delivery()), IN_TIME_S)

        assert KINDS[fault] is type(caught.value)
        assert spoken(caught.value), f"{caught.value.code}: no text in both languages"

    @pytest.mark.parametrize("fault", [Fault.DOWN, Fault.HANGS, Fault.GIBBERISH])
    async def test_the_next_delivery_is_none_the_worse(self, rig: SinkRig, fault: Fault) -> None:
        """A broken connection must not be handed to the next one."""
        possible(rig, fault)
        rig.suffers(fault)
        with pytest.raises(Transient):
            await asyncio.wait_for(rig.sink.deliver(rig.delivery()), IN_TIME_S)

        assert (await _again(rig, rig.delivery())).number

    async def test_the_wait_that_was_asked_for_is_passed_on(self, rig: SinkRig) -> None:
        """``Retry-After: 7`` reaches the ladder as seven seconds."""
        possible(rig, Fault.BUSY)
        rig.suffers(Fault.BUSY)

        with pytest.raises(Transient) as caught:
            await rig.sink.deliver(rig.delivery())

        assert caught.value.after_s == ASKED_S

    async def test_a_refusal_names_the_item(self, rig: SinkRig) -> None:
        """The operator is told which item, by pointer, not just "bad request"."""
        claimed(rig.sink.traits.says_why, "says_why")
        rig.suffers(Fault.REFUSES)

        with pytest.raises(Rejected) as caught:
            await rig.sink.deliver(rig.delivery())

        assert rig.refused_at in {fault.at for fault in caught.value.faults}

    @pytest.mark.parametrize("fault", [Fault.FORBIDS, Fault.REFUSES, Fault.GIBBERISH])
    async def test_secrets_and_citizens_stay_out_of_errors(
        self, rig: SinkRig, fault: Fault
    ) -> None:
        """An error is shown on a console, even where the system's answer quotes what we sent."""
        possible(rig, fault)
        rig.suffers(fault)

        with pytest.raises(HubError) as caught:
            await rig.sink.deliver(rig.delivery())

        assert rig.secret not in shown(caught.value)
        assert PERSON not in shown(caught.value)

    async def test_cancelling_stops_the_wait_at_once(self, rig: SinkRig) -> None:
        """A worker that is shut down does not hang on a hanging system."""
        possible(rig, Fault.HANGS)
        rig.suffers(Fault.HANGS)
        waiting = asyncio.create_task(rig.sink.deliver(rig.delivery()))
        # So that it has really begun, and waits for the system.
        await asyncio.wait([waiting], timeout=0.05)

        waiting.cancel()

        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.shield(waiting), AT_ONCE_S)
        assert waiting.done(), "it swallowed the cancelling, and waits on"

    async def test_the_check_notices_and_changes_nothing(self, rig: SinkRig) -> None:
        """``shuniu doctor`` must be safe to run at noon on a working day."""
        await rig.sink.check()
        if Fault.FORBIDS not in rig.cannot:
            rig.suffers(Fault.FORBIDS)
            with pytest.raises(Misconfigured):
                await rig.sink.check()

        assert [] == await rig.holds()

    async def test_it_opens_again_after_closing(self, rig: SinkRig) -> None:
        """Routes are stopped and started all day; a connector is not used up by that."""
        await rig.sink.__aexit__(None, None, None)
        await rig.sink.__aenter__()

        assert (await rig.sink.deliver(rig.delivery())).number

    async def test_closing_leaves_nothing_running(self, rig: SinkRig) -> None:
        """What is left over after closing works on for a system that may be gone."""
        await rig.sink.__aexit__(None, None, None)
        before = asyncio.all_tasks()
        await rig.sink.__aenter__()
        await rig.sink.deliver(rig.delivery())

        await rig.sink.__aexit__(None, None, None)
        # One turn for those that were told to end. A system's own tasks are named by their rig.
        await asyncio.sleep(0)
        ours = {name for name in left_over(before) if not name.startswith("system")}
        await rig.sink.__aenter__()

        assert set() == ours


async def _again(rig: SinkRig, delivery: Delivery) -> Answer:
    """As the engine does: a connection that broke with the last call may cost one more try."""
    with suppress(Transient):
        return await rig.sink.deliver(delivery)
    return await rig.sink.deliver(delivery)
