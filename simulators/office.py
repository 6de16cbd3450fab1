"""Where the courses of an authority's cases go on in real time.

Units      real delays are the course's, divided by *speed*
Promises   an event is told after those before it, unless *in_pairs* asks for disorder; one that waits
           for the applicant's reply is told only when the reply is there
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Awaitable, Callable, Sequence

from simulators.lifecycle import Course, Event

__all__ = ["Happened", "Office"]

BATCH_S = 0.02  # events that are due together are written together
Happened = tuple[Course, Event]


class Office:
    """*tell* is given all that has just happened; *in_pairs*: the later of two first."""

    def __init__(
        self,
        tell: Callable[[Sequence[Happened]], Awaitable[None]],
        *,
        speed: float,
        in_pairs: Callable[[], bool],
    ) -> None:
        self._tell, self._speed, self._in_pairs = tell, speed, in_pairs
        self._due: list[tuple[float, str, int]] = []
        self._courses: dict[str, Course] = {}
        self._blocked: dict[str, int] = {}
        self._replied: set[str] = set()
        self._untold = 0
        self._news = asyncio.Event()

    @property
    def untold(self) -> int:
        """How many events are still to come."""
        return self._untold

    def begin(self, course: Course, *, told: int = 0, replied: bool = False) -> None:
        """Let a case take its course, from the event behind the *told* first."""
        case_no = course.case.case_no
        if case_no in self._courses or told >= len(course.events):
            return
        self._courses[case_no] = course
        self._untold += len(course.events) - told
        if replied:
            self._replied.add(case_no)
        self._plan(course, told)

    def reply(self, case_no: str) -> None:
        """The applicant's reply is here."""
        self._replied.add(case_no)
        place = self._blocked.pop(case_no, None)
        if place is not None:
            self._plan(self._courses[case_no], place)

    async def run(self) -> None:
        while True:
            self._news.clear()
            now = time.monotonic()
            happened: list[Happened] = []
            while self._due and self._due[0][0] <= now:
                _, case_no, place = heapq.heappop(self._due)
                happened += self._happen(self._courses[case_no], place)
            if happened:
                await self._tell(happened)
                self._untold -= len(happened)
            await self._wait()

    async def _wait(self) -> None:
        left = self._due[0][0] - time.monotonic() if self._due else None
        try:
            async with asyncio.timeout(None if left is None else max(left, BATCH_S)):
                await self._news.wait()
                await asyncio.sleep(BATCH_S)
        except TimeoutError:
            pass

    def _happen(self, course: Course, place: int) -> list[Happened]:
        """The event at *place*, perhaps after the one behind it; then the next is planned."""
        events = [course.events[place]]
        following = place + 1
        if self._in_pairs() and following < len(course.events):
            later = course.events[following]
            if not later.waits_for_reply:
                events.insert(0, later)
                following += 1
        if following < len(course.events):
            self._plan(course, following)
        return [(course, event) for event in events]

    def _plan(self, course: Course, place: int) -> None:
        event, case_no = course.events[place], course.case.case_no
        if event.waits_for_reply and case_no not in self._replied:
            self._blocked[case_no] = place
            return
        at = time.monotonic() + event.after_s / self._speed
        heapq.heappush(self._due, (at, case_no, place))
        self._news.set()
