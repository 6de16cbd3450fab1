"""The in-memory twin, put to the suites like any other: what tests lean on must not be crooked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from uuid import uuid4

import pytest

from connectors.conformance import PERSON, Fault, SinkConformance, SourceConformance
from connectors.memory import Memory, Settings
from schemas.message import Body, Delivery, Record, SystemCode
from tests.simulators.exchange import a_delivery

__all__ = ["MemoryRig", "a_memory_rig"]


class MemoryRig:
    """The twin is the system and the connector to it in one."""

    refused_at, page_rows = "/name", 4
    # It signs nothing, and so has no secret; this one is nowhere.
    secret = "no-secret"
    cannot: Mapping[Fault, str] = MappingProxyType({})

    def __init__(self, memory: Memory) -> None:
        self.memory = self.sink = self.source = memory

    def delivery(self) -> Delivery:
        return a_delivery("cases", {"case": str(uuid4()), "name": PERSON})

    async def holds(self) -> list[Body]:
        return list(self.memory.held.values())

    async def tells(self, count: int) -> list[str]:
        keys = [str(uuid4()) for _ in range(count)]
        self.memory.told += [Record(kind="event", key=k, body={"name": PERSON}) for k in keys]
        return keys

    def suffers(self, fault: Fault) -> None:
        self.memory.suffers(fault)


def a_memory_rig(kind: type[Memory] = Memory) -> MemoryRig:
    return MemoryRig(kind(SystemCode("memory"), Settings(timeout_s=0.1)))


@pytest.fixture
async def rig() -> AsyncIterator[MemoryRig]:
    made = a_memory_rig()
    async with made.memory:
        yield made


class TestMemoryDelivers(SinkConformance): ...


class TestMemoryReads(SourceConformance): ...
