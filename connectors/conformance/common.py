"""What the suites share: the faults and the kinds of error they must end as, skips, tasks left over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

import pytest

from connectors.faults import Fault
from schemas.errors import HubError, Misconfigured, Rejected, Transient
from schemas.texts import say

__all__ = [
    "ASKED_S",
    "AT_ONCE_S",
    "CALLED_AGAIN",
    "IN_TIME_S",
    "KINDS",
    "PERSON",
    "claimed",
    "left_over",
    "possible",
    "shown",
    "spoken",
]

# A citizen, somewhere in what is exchanged: must not appear in any error.
PERSON = "欧阳测试"
ASKED_S = 7.0
# A rig's connector is set to give up well before this.
IN_TIME_S = 4.0
AT_ONCE_S = 0.5
KINDS: Mapping[Fault, type[HubError]] = {
    Fault.DOWN: Transient,
    Fault.HANGS: Transient,
    Fault.DRIPS: Transient,
    Fault.BUSY: Transient,
    Fault.GIBBERISH: Transient,
    Fault.LOSES_ANSWER: Transient,
    Fault.REFUSES: Rejected,
    Fault.FORBIDS: Misconfigured,
}
# What an asking connector can meet: nothing is handed over, so nothing is refused or half taken.
CALLED_AGAIN = tuple(f for f in Fault if f not in {Fault.REFUSES, Fault.LOSES_ANSWER})


class _Rig(Protocol):
    @property
    def cannot(self) -> Mapping[Fault, str]: ...


def claimed(trait: bool, name: str) -> None:  # noqa: FBT001 - reads as the sentence it is
    """Skip what the connector does not claim. No other skip is allowed than this and `possible`."""
    if not trait:
        pytest.skip(f"not claimed: {name}")


def possible(rig: _Rig, fault: Fault) -> None:
    """Skip a fault which a system of this kind cannot have, for the reason the rig gives."""
    if fault in rig.cannot:
        pytest.skip(f"cannot: {fault.name}: {rig.cannot[fault]}")


def shown(error: HubError) -> str:
    """All that a person or a log may see of *error*."""
    faults = error.faults if isinstance(error, Rejected) else ()
    told = [f"{fault.at} {fault.facts}" for fault in faults]
    return " ".join((str(error), error.summary, str(error.facts), *told))


def spoken(error: HubError) -> bool:
    """Whether every reason has a text in Chinese and in English."""
    codes = {error.code} | {f.code for f in (error.faults if isinstance(error, Rejected) else ())}
    return all(say(code, {}, lang) != code for code in codes for lang in ("zh", "en"))


def left_over(before: set[asyncio.Task[object]]) -> set[str]:
    """Names of the tasks that run now and did not run *before*."""
    return {task.get_name() for task in asyncio.all_tasks() - before if not task.done()}
