"""What every source must do, as tests: nothing skipped, oldest first, and a fault costs nothing.

Promises   `tests/conformance` holds, for each test, a connector that lies and is caught by it
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

import pytest

from connectors.conformance.common import (
    ASKED_S,
    AT_ONCE_S,
    CALLED_AGAIN,
    IN_TIME_S,
    KINDS,
    PERSON,
    possible,
    shown,
    spoken,
)
from connectors.faults import Fault
from hub.port import Cursor, Source, abilities
from schemas.errors import HubError, Misconfigured, Transient
from schemas.message import Record

__all__ = ["SourceConformance", "SourceRig"]

FEW = 3


class SourceRig(Protocol):
    """A source, opened, and the system behind it, which has nothing to tell yet."""

    @property
    def source(self) -> Source: ...
    @property
    def secret(self) -> str:
        """What it signs in with; must never show."""

    @property
    def cannot(self) -> Mapping[Fault, str]:
        """Faults that a system of this kind cannot have, each with the reason."""

    @property
    def page_rows(self) -> int:
        """How many records the source asks for at once; small, so that several pages are few."""

    async def tells(self, count: int) -> list[str]:
        """Let the system have *count* more records, with `PERSON` in each; gives their keys in
        order, as `Record.key` has them."""

    def suffers(self, fault: Fault) -> None: ...


class SourceConformance:
    """Every test gets a fresh rig. A poll is what the engine does: read, then ``taken``."""

    async def test_it_says_that_it_can_be_read(self, rig: SourceRig) -> None:
        """The composition root polls a system by this word."""
        assert "records" in abilities(rig.source)

    async def test_nothing_new_is_nothing(self, rig: SourceRig) -> None:
        """A system with nothing to tell is asked, and that is the end of it."""
        assert [] == await _polled(rig, None)

    async def test_all_comes_out_once_and_in_order(self, rig: SourceRig) -> None:
        """The oldest first, Chinese as it was; not again when the same records are new no more."""
        keys = await rig.tells(FEW)

        records = await _polled(rig, None)

        assert keys == [record.key for record in records]
        assert all(record.kind for record in records)
        assert all(PERSON in str(record.body) for record in records)
        assert [] == await _polled(rig, _last(records, None))

    @pytest.mark.parametrize("beyond", [0, 1])
    async def test_more_than_a_page_comes_out_whole(self, rig: SourceRig, beyond: int) -> None:
        """A page that is exactly full, and one that is not: neither ends the reading too early."""
        keys = await rig.tells(2 * rig.page_rows + beyond)

        records = await _polled(rig, None)
        while more := await _polled(rig, _last(records, None)):
            records = [*records, *more]

        assert keys == [record.key for record in records]

    async def test_what_comes_later_comes_out_later(self, rig: SourceRig) -> None:
        """Behind the cursor there is what is new, and only that."""
        await rig.tells(FEW)
        first = await _polled(rig, None)
        keys = await rig.tells(1)

        assert keys == [record.key for record in await _polled(rig, _last(first, None))]

    async def test_a_cursor_in_the_middle_skips_nothing(self, rig: SourceRig) -> None:
        """The engine may stop after any record. Repeats are fine, holes are not."""
        keys = await rig.tells(rig.page_rows + FEW)
        records = [record async for record in rig.source.records(None)]

        for n in range(1, len(records) + 1):
            cursor = _last(records[:n], None)
            after = [record.key async for record in rig.source.records(cursor)]
            missing = set(keys[n:]) - set(after)
            assert set() == missing, f"after record {n} of {len(records)}"

    @pytest.mark.parametrize("fault", CALLED_AGAIN, ids=lambda fault: fault.name)
    async def test_each_fault_is_of_its_kind_and_costs_nothing(
        self, rig: SourceRig, fault: Fault
    ) -> None:
        """The poll fails in time; the next one brings everything."""
        possible(rig, fault)
        keys = await rig.tells(FEW)
        rig.suffers(fault)

        with pytest.raises(HubError) as caught:
            await asyncio.wait_for(_polled(rig, None), IN_TIME_S)

        assert KINDS[fault] is type(caught.value)
        assert spoken(caught.value), f"{caught.value.code}: no text in both languages"
        assert keys == [record.key for record in await _again(rig)]

    async def test_the_wait_that_was_asked_for_is_passed_on(self, rig: SourceRig) -> None:
        """``Retry-After: 7`` is told to the engine as seven seconds."""
        possible(rig, Fault.BUSY)
        rig.suffers(Fault.BUSY)

        with pytest.raises(Transient) as caught:
            await _polled(rig, None)

        assert caught.value.after_s == ASKED_S

    @pytest.mark.parametrize("fault", [Fault.FORBIDS, Fault.GIBBERISH])
    async def test_secrets_and_citizens_stay_out_of_errors(
        self, rig: SourceRig, fault: Fault
    ) -> None:
        """An error is shown on a console."""
        possible(rig, fault)
        await rig.tells(1)
        rig.suffers(fault)

        with pytest.raises(HubError) as caught:
            await _polled(rig, None)

        assert rig.secret not in shown(caught.value)
        assert PERSON not in shown(caught.value)

    async def test_cancelling_stops_the_wait_at_once(self, rig: SourceRig) -> None:
        """A hub that is shut down does not hang on a hanging system."""
        possible(rig, Fault.HANGS)
        rig.suffers(Fault.HANGS)
        waiting = asyncio.create_task(_polled(rig, None))
        # So that it has really begun, and waits for the system.
        await asyncio.wait([waiting], timeout=0.05)

        waiting.cancel()

        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.shield(waiting), AT_ONCE_S)
        assert waiting.done(), "it swallowed the cancelling, and waits on"

    async def test_the_check_notices_and_changes_nothing(self, rig: SourceRig) -> None:
        """``shuniu doctor`` takes nothing out: what is new is new after it."""
        keys = await rig.tells(1)

        await rig.source.check()
        if Fault.FORBIDS not in rig.cannot:
            rig.suffers(Fault.FORBIDS)
            with pytest.raises(Misconfigured):
                await rig.source.check()

        assert keys == [record.key for record in await _polled(rig, None)]

    async def test_it_opens_again_after_closing(self, rig: SourceRig) -> None:
        """Systems are stopped and started all day; a connector is not used up by that."""
        keys = await rig.tells(1)
        await rig.source.__aexit__(None, None, None)
        await rig.source.__aenter__()

        assert keys == [record.key for record in await _polled(rig, None)]


async def _polled(rig: SourceRig, after: Cursor | None) -> list[Record]:
    """One poll as the engine does it."""
    records = [record async for record in rig.source.records(after)]
    if records:
        await rig.source.taken(records)
    return records


async def _again(rig: SourceRig) -> list[Record]:
    """The next poll; a connection that broke with the last one may cost one more."""
    try:
        return await _polled(rig, None)
    except Transient:
        return await _polled(rig, None)


def _last(records: Sequence[Record], before: Cursor | None) -> Cursor | None:
    """The cursor the engine would have stored: the last that was given."""
    given = [record.cursor for record in records if record.cursor]
    return Cursor(given[-1]) if given else before
