"""Deliveries, or a service, in a process of their own that dies (SIGKILL) with every message that holds
`POISON`: when it is given to the system or the service, or when its signature is checked; once,
where wanted, also when it has been given up and is to be acknowledged.

What its system takes is written to a file: number and step a line, each message once a key.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from sqlalchemy import Connection

from hub.broker import Broker, Incoming
from hub.crypto import Mac
from hub.delivery import Link, Turns, held, worker
from hub.delivery.job import Queued
from hub.engine import Engine
from hub.port import Traits
from hub.store import Store
from hub.streams import Subscriber
from schemas.errors import Transient
from schemas.message import Answer, Delivery, Message, Publication, ResourceName
from tests.hub.conftest import System, now
from tests.hub.failing import SEAL
from tests.hub.site import small_plan
from tests.processes import forked

__all__ = ["LATER", "POISON", "Mortal", "deadly_service", "taken"]

POISON = "POISON"
# The system is busy with these at first: they wait, and are tried again together.
LATER = "late"
CLAIM_S, LOOK_S = 0.6, 0.1


@dataclass(frozen=True, slots=True)
class Mortal:
    """*order*: further lines of the route; *folder*: where the system keeps its file; *role*: what the
    process does; *by_check*: it dies of a signature; *at_end*: also once after giving up."""

    amqp_url: str
    database_url: str
    order: str
    folder: Path
    role: str = "delivery"
    by_check: bool = False
    at_end: bool = False

    def start(self) -> ForkServerProcess:
        return forked(_live, self)


class _Wary(Broker):
    def check(self, incoming: Incoming) -> None:
        if POISON.encode() in incoming.body:
            os.kill(os.getpid(), signal.SIGKILL)
        super().check(incoming)


class _Deadly(System):
    traits = Traits(idempotent=True, says_why=True)

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    async def deliver(self, delivery: Delivery, /) -> Answer:
        number, step = str(delivery.payload["no"]), str(delivery.payload["step"])
        if LATER in step and delivery.attempt == 1:
            raise Transient("target.busy", "Later")
        if POISON in step:
            os.kill(os.getpid(), signal.SIGKILL)
        _write(self._folder, f"{delivery.key} {number} {step}")
        return Answer(number)


def deadly_service(folder: Path) -> Subscriber:
    """It writes down what it is given."""

    def handle(_: Connection, message: Message, __: datetime) -> Sequence[Publication]:
        number, step = str(message.body["caseNo"]), str(message.body["stepName"])
        if POISON in step:
            os.kill(os.getpid(), signal.SIGKILL)
        _write(folder, f"{message.id} {number} {step}")
        return ()

    return Subscriber(name="deadly", resources=(ResourceName("caseStep"),), handle=handle)


def _write(folder: Path, line: str) -> None:
    file = os.open(folder / "taken", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(file, f"{line}\n".encode())
    os.close(file)


def taken(folder: Path) -> list[tuple[str, str]]:
    """Number and step of what the system holds, in the order in which it came."""
    file = folder / "taken"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    first = dict.fromkeys(lines)
    return [(number, step) for _, number, step in (line.split(" ") for line in first)]


def _live(mortal: Mortal) -> None:
    held.CLAIM_S, worker.RELEASE_S = CLAIM_S, LOOK_S
    if mortal.at_end:
        _die_once_given_up(mortal.folder)
    asyncio.run(_deliver(mortal))


def _die_once_given_up(folder: Path) -> None:
    failed = Queued.failed

    async def dying(self: Queued, now: datetime) -> None:
        try:
            (folder / "died").touch(exist_ok=False)
        except FileExistsError:
            await failed(self, now)
        else:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(Queued, Queued.failed.__name__, dying)  # for this process only


async def _deliver(mortal: Mortal) -> None:
    left, right = _Deadly(mortal.folder), System()
    kind = _Wary if mortal.by_check else Broker
    async with kind(mortal.amqp_url, name="mortal", mac=Mac(b"test")) as broker:
        await Engine(
            url=mortal.amqp_url,
            broker=broker,
            store=Store(mortal.database_url),
            seal=SEAL,
            plan=small_plan(mortal.order),
            clock=now,
            links={
                name: Link(name, system, Turns(4), 4)
                for name, system in (("left", left), ("right", right))
                # Each route would have its own deaths of it.
                if name == "left" or not mortal.by_check
            },
            subscribers=[deadly_service(mortal.folder)],
        ).run([mortal.role])
