"""A change of the live declarations and its record, in one transaction.

Promises   a release is applied on top of the one it was made from: who was overtaken tries again; what
           does not fit is refused with everything that is wrong, and changes nothing; what was looked at
           and then published is checked once
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from hub.plan import Plan
from hub.releases import apply, digest_of, live_number, loaded, plan_of
from hub.store import Store
from schemas.declarations import InvalidDeclaration
from schemas.errors import Fault, Misconfigured, Rejected, Transient

__all__ = ["Edit", "Releaser", "Texts"]

T = TypeVar("T")
Texts = Mapping[str, str]
Edit = Callable[[Texts], Texts]
TRIES = 5
MOST_KEPT = 2


@dataclass(slots=True)
class Releaser:
    """*check* compiles texts and raises `InvalidDeclaration` with what is wrong with them."""

    store: Store
    check: Callable[[Texts], Plan]
    clock: Callable[[], datetime]
    _compiled: tuple[int, Plan] | None = field(default=None, init=False, repr=False)
    _fitting: dict[str, Plan] = field(default_factory=dict, init=False, repr=False)

    async def live(self) -> tuple[int, Texts]:
        """The live release: its number and its texts. Before the first: 0 and none."""
        return await self.store.read(_live)

    def know(self, number: int, plan: Plan) -> None:
        """*plan* is what release *number* is compiled to: nobody needs to do it again."""
        self._compiled = (number, plan)

    async def plan(self) -> Plan:
        """The live release, compiled."""
        number, texts = await self.live()
        if self._compiled is None or self._compiled[0] != number:
            self._compiled = (number, await asyncio.to_thread(plan_of, texts))
        return self._compiled[1]

    async def tried(self, edit: Edit) -> tuple[Plan | None, tuple[Fault, ...]]:
        """The live texts as *edit* changes them, compiled; or None, and what is wrong with them."""
        _, texts = await self.live()
        try:
            return (await asyncio.to_thread(self._checked, edit, texts))[1], ()
        except Rejected as error:
            return None, error.faults

    async def change(
        self, edit: Edit, keep: Callable[[Connection, int], T], *, by: str, note: str
    ) -> T:
        """
        Make what *edit* makes of the live texts the live release, and *keep* what it is about.

        *keep* gets the release's number. Raises `Rejected` (``lifecycle.unfit``) where the texts do
        not fit, and whatever *keep* raises; then nothing has happened.
        """
        for _ in range(TRIES):
            number, texts = await self.live()
            changed, plan = await asyncio.to_thread(self._checked, edit, texts)

            def work(
                connection: Connection,
                texts: Texts = changed,
                plan: Plan = plan,
                number: int = number,
            ) -> T:
                if (live_number(connection) or 0) != number:
                    raise _Overtaken
                made = apply(connection, texts, plan, at=self.clock(), by=by, note=note)
                if (made or 0) != number + 1:
                    raise _Overtaken
                return keep(connection, made)

            try:
                kept = await self.store.write(work)
                self.know(number + 1, plan)
                return kept
            except _Overtaken:
                continue
        raise Transient("lifecycle.overtaken", "Other releases came in between")

    def _checked(self, edit: Edit, texts: Texts) -> tuple[Texts, Plan]:
        try:
            changed = dict(edit(texts))
            return changed, self._plan_of(changed)
        except InvalidDeclaration as error:
            faults = [
                Fault("lifecycle.problem", each.file, {"line": each.line, "said": each.said})
                for each in error.problems
            ]
            raise Rejected(
                "lifecycle.unfit", "The declarations no longer fit", faults=faults
            ) from error
        except Misconfigured as error:
            fault = Fault(error.code, "", error.facts)
            raise Rejected("lifecycle.unfit", "It cannot be compiled", faults=[fault]) from error

    def _plan_of(self, texts: Texts) -> Plan:
        digest = digest_of(texts)
        plan = self._fitting.get(digest) or self.check(texts)
        newest = [*self._fitting.items(), (digest, plan)][-MOST_KEPT:]
        self._fitting = dict(newest)
        return plan


class _Overtaken(Exception):
    """Somebody else's release came first."""


def _live(connection: Connection) -> tuple[int, Texts]:
    number = live_number(connection)
    return (0, {}) if number is None else (number, loaded(connection, number).texts)
