"""What all authorities that are called have in common: files, courses, a feed or pushes, control.

A partner's own module adds its vocabulary (`Tongue`) and the program that it shows to the world.

Promises   a delivery is answered as taken when it is on disk; a repeat of its key changes nothing
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from simulators.door import Door
from simulators.exchange_control import control_routes
from simulators.lifecycle import Case, Course, Event, course
from simulators.office import Happened, Office
from simulators.signing import Doorkeeper
from simulators.store import Content, Store, Taken, Told, Wanted
from simulators.surroundings import Surroundings
from simulators.switches import Misbehaving, Switches

__all__ = ["Authority", "Pushes", "Tongue", "now_ms"]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Tongue(Protocol):
    """A partner's vocabulary, as pure functions."""

    @property
    def name(self) -> str: ...

    @property
    def prefix(self) -> str:
        """What its own numbers begin with."""

    def case_of(self, content: Content) -> Case:
        """The case that an application, in this partner's words, is about."""

    def told(self, content: Content, course: Course, event: Event) -> Mapping[str, Any] | None:
        """*event* in this partner's words; None where another record tells it."""


@dataclass(frozen=True, slots=True)
class Pushes:
    """How it tells by itself: the *kind* of all its records, and the document for one."""

    kind: str
    written: Callable[[Told], bytes]
    content_type: str


class Authority:
    """One authority. *program*: the routes it shows to the world. Without *pushes* it is polled."""

    addresses: Mapping[str, str] = {}

    def __init__(
        self,
        tongue: Tongue,
        surroundings: Surroundings,
        *,
        program: Callable[[Authority], Sequence[Route]],
        broken: Callable[[], Response],
        refusal: Callable[[], Response],
        refusable: Callable[[Scope], bool],
        pushes: Pushes | None = None,
    ) -> None:
        self.name, self.tongue = tongue.name, tongue
        self._surroundings, self._pushes = surroundings, pushes
        self._doorkeeper = Doorkeeper(surroundings.secrets[tongue.name])
        inner = Starlette(routes=[*program(self), *control_routes(self)])
        self.app = Misbehaving(inner, broken=broken, refusal=refusal, refusable=refusable)
        self._door: Door | None = None

    async def __aenter__(self) -> Self:
        given = self._surroundings
        url = f"sqlite:///{given.folder / self.name}.db"
        self._store = await asyncio.to_thread(Store, url, self.tongue.prefix)
        self._office = Office(
            self._tell, speed=given.speed, in_pairs=lambda: bool(self.switches.out_of_order)
        )
        for file in await asyncio.to_thread(self._store.open_files):
            drawn = course(given.seed, self.tongue.case_of(file.content))
            self._office.begin(drawn, told=file.told, replied=file.replied)
        if self._pushes:
            self._door = await Door(
                system=self.name,
                hub_url=given.hub_url,
                secret=given.secrets[self.name],
                store=self._store,
                written=self._pushes.written,
                content_type=self._pushes.content_type,
                switches=lambda: self.switches,
            ).__aenter__()
        self._work = asyncio.create_task(self._office.run(), name=f"{self.name} office")
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._work.cancel()
        await asyncio.wait([self._work])
        if self._door:
            await self._door.__aexit__(*exc)
        await asyncio.to_thread(self._store.close)

    @property
    def switches(self) -> Switches:
        return self.app.switches

    # For its program.

    async def stranger(self, request: Request) -> str:
        """Why the request is turned away; "" for one that is signed as agreed."""
        return self._doorkeeper.refusal(
            request.method,
            request.url.path,
            request.url.query,
            request.headers,
            await request.body(),
            now_ms=now_ms(),
        )

    async def take(self, *, key: str, call: str, case_no: str, content: Content) -> Taken:
        """Take an application. Its course begins."""
        drawn = course(self._surroundings.seed, self.tongue.case_of(content))
        taken = await asyncio.to_thread(
            self._store.take,
            key=key,
            call=call,
            subject=case_no,
            case_no=case_no,
            content=dict(content),
        )
        if taken.fresh:
            self._office.begin(drawn)
        return taken

    async def take_reply(self, *, key: str, call: str, case_no: str, number: int) -> Taken | None:
        """Take the applicant's reply to supplement *number*; None for a case that is not here."""
        if case_no not in await asyncio.to_thread(self._store.contents, {case_no}):
            return None
        taken = await asyncio.to_thread(
            self._store.take,
            key=key,
            call=call,
            subject=f"{case_no}/{number}",
            case_no=case_no,
            replies=True,
        )
        self._office.reply(case_no)
        return taken

    async def after(self, seq: int, limit: int) -> list[Told]:
        """What the feed has behind *seq*; with `Switches.duplicate_every`, some of it twice."""
        found = await asyncio.to_thread(self._store.after, seq, limit)
        every = self.switches.duplicate_every
        if not every:
            return found
        return [each for told in found for each in [told] * (2 if told.seq % every == 0 else 1)]

    async def _tell(self, happened: Sequence[Happened]) -> None:
        wanted: list[Wanted] = []
        numbers = {drawn.case.case_no for drawn, _ in happened}
        contents = await asyncio.to_thread(self._store.contents, numbers)
        for drawn, event in happened:
            case_no = drawn.case.case_no
            record = self.tongue.told(contents[case_no], drawn, event)
            if record is not None:
                wanted.append(
                    Wanted(
                        key=f"{case_no}/{event.name}",
                        kind=self._pushes.kind if self._pushes else "",
                        case_no=case_no,
                        content=record,
                        event=event.number,
                    )
                )
        for told in await asyncio.to_thread(self._store.tell, wanted):
            if self._door:
                self._door.put(told)

    # Control.

    async def misbehave(self, given: Mapping[str, object], /) -> None:
        self.app.turn(given)

    async def counts(self) -> Mapping[str, int]:
        # First what is still to come: an event that is just being told is counted twice, not never.
        untold = self._office.untold
        found = await asyncio.to_thread(self._store.counts)
        return {**found, "waiting": found["waiting"] + untold}

    async def holds(self, call: str | None, /) -> list[dict[str, str]]:
        return await asyncio.to_thread(self._store.holds, call)

    async def quiet(self) -> bool:
        return (await self.counts())["waiting"] == 0
