"""Each conformance test fails on a connector that lies. A test that cannot fail proves nothing.

The honest ones pass (`tests/connectors/test_memory.py`, `test_http_json_conformance.py`).
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace

from connectors.conformance import (
    Fault,
    ReceiverConformance,
    SinkConformance,
    SourceConformance,
)
from connectors.http_json import HttpJson, Settings
from connectors.memory import Memory
from hub.port import Cursor, Inbound, Outbound
from schemas.errors import HubError, Rejected, Transient
from schemas.message import Answer, Delivery, MessageId, Record, RouteName
from tests.connectors.test_http_json_conformance import SYSTEM, JsonRig, Statuses
from tests.connectors.test_memory import MemoryRig, a_memory_rig

SINK, SOURCE, RECEIVER = SinkConformance(), SourceConformance(), ReceiverConformance()

# Sinks and sources.


class Mute(Memory):
    abilities = frozenset[str]()


class Drops(Memory):
    async def deliver(self, delivery: Delivery, /) -> Answer:
        return Answer("M1")


class Doubles(Memory):
    async def deliver(self, delivery: Delivery, /) -> Answer:
        again = RouteName(f"{delivery.route}{len(self.held)}")
        return await super().deliver(replace(delivery, route=again))


class MixesUp(Memory):
    """One number for all."""

    async def deliver(self, delivery: Delivery, /) -> Answer:
        return replace(await super().deliver(delivery), number="M1")


class CallsAllTransient(Memory):
    async def deliver(self, delivery: Delivery, /) -> Answer:
        try:
            return await super().deliver(delivery)
        except HubError as error:
            raise Transient(error.code, error.summary) from error


class Speechless(Memory):
    """A code that no catalogue of texts has."""

    async def deliver(self, delivery: Delivery, /) -> Answer:
        try:
            return await super().deliver(delivery)
        except Transient as error:
            raise Transient("memory.hm", error.summary) from error

    async def records(self, after: Cursor | None, /) -> AsyncIterator[Record]:
        try:
            async for record in super().records(after):
                yield record
        except Transient as error:
            raise Transient("memory.hm", error.summary) from error


class StaysBroken(Memory):
    async def deliver(self, delivery: Delivery, /) -> Answer:
        try:
            return await super().deliver(delivery)
        except Transient:
            self._called = _always_down  # type: ignore[method-assign] # nothing mends it
            raise


async def _always_down() -> None:
    raise Transient("target.down", "The connection failed")


class ForgetsTheWait(Memory):
    async def _called(self) -> None:
        try:
            await super()._called()
        except Transient as error:
            raise Transient(error.code, error.summary) from error


class ForgetsTheItem(Memory):
    async def deliver(self, delivery: Delivery, /) -> Answer:
        try:
            return await super().deliver(delivery)
        except Rejected as error:
            raise Rejected(error.code, error.summary) from error


class Quotes(Memory):
    """Passes on what the system said, citizen and key included."""

    async def deliver(self, delivery: Delivery, /) -> Answer:
        try:
            return await super().deliver(delivery)
        except HubError as error:
            error.facts["said"] = str(delivery.payload["name"])
            raise

    async def records(self, after: Cursor | None, /) -> AsyncIterator[Record]:
        try:
            async for record in super().records(after):
                yield record
        except HubError as error:
            error.facts["key"] = MemoryRig.secret
            raise


class SwallowsCancel(Memory):
    async def _called(self) -> None:
        try:
            await super()._called()
        except asyncio.CancelledError:
            await asyncio.Event().wait()


class ChecksByDoing(Memory):
    """Its check leaves a delivery behind, and takes out what is new."""

    async def check(self) -> None:
        await super().check()
        self.held["check"] = {}
        self.told.clear()


class NeverNotices(Memory):
    async def check(self) -> None:
        """All is well, always."""


class UsedUp(Memory):
    async def __aexit__(self, *exc: object) -> None:
        self._called = _always_down  # type: ignore[method-assign] # closed for good


class Lingers(Memory):
    async def deliver(self, delivery: Delivery, /) -> Answer:
        self._beat = asyncio.create_task(asyncio.Event().wait())
        return await super().deliver(delivery)


class Invents(Memory):
    async def records(self, after: Cursor | None, /) -> AsyncIterator[Record]:
        yield Record(kind="event", key="out of thin air", body={})


class Backwards(Memory):
    async def records(self, after: Cursor | None, /) -> AsyncIterator[Record]:
        for record in reversed([each async for each in super().records(after)]):
            yield record


class OnePage(Memory):
    """What does not fit its page is skipped."""

    async def records(self, after: Cursor | None, /) -> AsyncIterator[Record]:
        found = [each async for each in super().records(after)]
        end = str(len(self.told))
        for record in found[: MemoryRig.page_rows]:
            yield replace(record, cursor=end)


class LooksBackForEver(Memory):
    async def records(self, after: Cursor | None, /) -> AsyncIterator[Record]:
        async for record in super().records(None):
            yield record


class CursorOfThePage(Memory):
    """Each record carries the cursor of the page's end: stopping in the middle makes a hole."""

    async def records(self, after: Cursor | None, /) -> AsyncIterator[Record]:
        async for record in super().records(after):
            yield replace(record, cursor=str(len(self.told)))


class LosesInFaults(Memory):
    async def records(self, after: Cursor | None, /) -> AsyncIterator[Record]:
        try:
            async for record in super().records(after):
                yield record
        except HubError:
            self.told.clear()
            raise


# Receivers.


class Deaf(HttpJson):
    abilities = frozenset[str]()


class Garbles(HttpJson):
    def receive(self, request: Inbound, /) -> Sequence[Record]:
        return [replace(each, body={}) for each in super().receive(request)]


class NewKeys(HttpJson):
    def receive(self, request: Inbound, /) -> Sequence[Record]:
        keyed = (replace(each, key=str(id(request))) for each in super().receive(request))
        self._kept = [*getattr(self, "_kept", []), request]  # so that no id comes twice
        return list(keyed)


class OpenDoor(HttpJson):
    """Nobody is turned away."""

    def receive(self, request: Inbound, /) -> Sequence[Record]:
        return [Record(kind=request.path, key="k", body={"who": request.body.decode()})]


class Falls(HttpJson):
    """Tells what is wrong by falling over, and quotes it."""

    def receive(self, request: Inbound, /) -> Sequence[Record]:
        try:
            return super().receive(request)
        except HubError as error:
            raise Transient("json.malformed", request.body.decode(errors="ignore")) from error


class Shouts(HttpJson):
    def receive(self, request: Inbound, /) -> Sequence[Record]:
        try:
            return super().receive(request)
        except Rejected as error:
            raise Rejected("memory.hm", error.summary) from error


class Takes(HttpJson):
    """Whatever it is."""

    def receive(self, request: Inbound, /) -> Sequence[Record]:
        return [Record(kind=request.path, key="k", body={})]


class Curt(HttpJson):
    def acknowledge(self, request: Inbound, ids: Sequence[MessageId], /) -> Outbound:
        return Outbound(202, "application/json", b"{}")

    def refuse(self, request: Inbound, reasons: Sequence[str], status: int, /) -> Outbound:
        return Outbound(status, "application/json", b'{"reasons": ["no"]}')


@dataclass(frozen=True)
class Bite:
    """A lie, the test that catches it, and what the test is asked with."""

    liar: type[Memory | HttpJson]
    test: Callable[..., Awaitable[None]]
    more: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.liar.__name__}-{self.test.__qualname__}"


BITES = [
    Bite(Mute, SINK.test_it_says_that_it_delivers),
    Bite(Drops, SINK.test_the_system_holds_what_was_delivered),
    Bite(Doubles, SINK.test_a_repeat_changes_nothing),
    Bite(Doubles, SINK.test_a_lost_answer_is_safe_to_repeat),
    Bite(MixesUp, SINK.test_several_at_once_all_arrive),
    Bite(CallsAllTransient, SINK.test_each_fault_is_of_its_kind, (Fault.REFUSES,)),
    Bite(CallsAllTransient, SINK.test_each_fault_is_of_its_kind, (Fault.FORBIDS,)),
    Bite(Speechless, SINK.test_each_fault_is_of_its_kind, (Fault.DOWN,)),
    Bite(StaysBroken, SINK.test_the_next_delivery_is_none_the_worse, (Fault.HANGS,)),
    Bite(ForgetsTheWait, SINK.test_the_wait_that_was_asked_for_is_passed_on),
    Bite(ForgetsTheItem, SINK.test_a_refusal_names_the_item),
    Bite(Quotes, SINK.test_secrets_and_citizens_stay_out_of_errors, (Fault.GIBBERISH,)),
    Bite(SwallowsCancel, SINK.test_cancelling_stops_the_wait_at_once),
    Bite(ChecksByDoing, SINK.test_the_check_notices_and_changes_nothing),
    Bite(NeverNotices, SINK.test_the_check_notices_and_changes_nothing),
    Bite(UsedUp, SINK.test_it_opens_again_after_closing),
    Bite(Lingers, SINK.test_closing_leaves_nothing_running),
    Bite(Mute, SOURCE.test_it_says_that_it_can_be_read),
    Bite(Invents, SOURCE.test_nothing_new_is_nothing),
    Bite(Backwards, SOURCE.test_all_comes_out_once_and_in_order),
    Bite(LooksBackForEver, SOURCE.test_all_comes_out_once_and_in_order),
    Bite(OnePage, SOURCE.test_more_than_a_page_comes_out_whole, (1,)),
    Bite(LooksBackForEver, SOURCE.test_what_comes_later_comes_out_later),
    Bite(CursorOfThePage, SOURCE.test_a_cursor_in_the_middle_skips_nothing),
    Bite(LosesInFaults, SOURCE.test_each_fault_is_of_its_kind_and_costs_nothing, (Fault.DOWN,)),
    Bite(Speechless, SOURCE.test_each_fault_is_of_its_kind_and_costs_nothing, (Fault.DOWN,)),
    Bite(ForgetsTheWait, SOURCE.test_the_wait_that_was_asked_for_is_passed_on),
    Bite(Quotes, SOURCE.test_secrets_and_citizens_stay_out_of_errors, (Fault.FORBIDS,)),
    Bite(SwallowsCancel, SOURCE.test_cancelling_stops_the_wait_at_once),
    Bite(ChecksByDoing, SOURCE.test_the_check_notices_and_changes_nothing),
    Bite(UsedUp, SOURCE.test_it_opens_again_after_closing),
    Bite(Deaf, RECEIVER.test_it_says_that_it_receives),
    Bite(Garbles, RECEIVER.test_what_was_pushed_comes_out),
    Bite(NewKeys, RECEIVER.test_a_repeat_has_the_same_key),
    Bite(OpenDoor, RECEIVER.test_a_forged_request_is_denied, ("another body",)),
    Bite(OpenDoor, RECEIVER.test_another_secret_is_denied),
    Bite(OpenDoor, RECEIVER.test_a_replay_is_denied),
    Bite(Falls, RECEIVER.test_half_a_document_is_refused_with_the_reason),
    Bite(Shouts, RECEIVER.test_half_a_document_is_refused_with_the_reason),
    Bite(Takes, RECEIVER.test_a_wrong_encoding_is_refused_with_the_reason),
    Bite(Takes, RECEIVER.test_bombs_do_not_go_off),
    Bite(Falls, RECEIVER.test_secrets_and_citizens_stay_out_of_errors),
    Bite(Curt, RECEIVER.test_the_answer_tells_the_number),
    Bite(Curt, RECEIVER.test_a_refusal_tells_the_reasons),
]
CAUGHT = (AssertionError, pytest.fail.Exception, HubError, TimeoutError)


@pytest.mark.parametrize("bite", BITES, ids=str)
async def test_the_suite_catches(bite: Bite) -> None:
    """This one must not pass."""
    rig = a_memory_rig(bite.liar) if issubclass(bite.liar, Memory) else _json_rig(bite.liar)
    before = asyncio.all_tasks()

    with pytest.raises(CAUGHT):
        await bite.test(rig, *bite.more)

    left = asyncio.all_tasks() - before
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


@pytest.mark.parametrize("suite", [SinkConformance, SourceConformance, ReceiverConformance])
def test_every_test_of_the_suite_has_a_liar(suite: type) -> None:
    """Add a conformance test, and this asks for the connector it would catch."""
    tests = {
        test.__qualname__
        for name, test in inspect.getmembers(suite, inspect.isfunction)
        if name.startswith("test_")
    }
    bitten = {bite.test.__qualname__ for bite in BITES}

    assert set() == tests - bitten


def _json_rig(kind: type[HttpJson]) -> JsonRig:
    """A receiver needs no system behind it."""
    settings = Settings.model_validate(
        {"url": "http://127.0.0.1:9/", "secret": JsonRig.secret, "receives": True}
    )
    return JsonRig(Statuses(), None, kind(SYSTEM, settings))
