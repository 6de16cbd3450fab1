"""Applications and grants on their way: applied for, checked, answered; granted, warned, ended.

A grant is a route of its own, which carries the grant (`hub.registry.grant_route`), and a secret, with which
its grantee fetches (`hub.registry.grant_secrets`). Granting applies the route as a release; revoking moves its end to now; the delivery holds to the end by itself, so that
nothing passes after it, whatever this desk does or is kept from doing. What is over is then taken
out of the declarations; what still stands in its queue is left out, and told.

Standard   R-A6, R-C8
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from catalog.lifecycle.grants import (
    Answer,
    Application,
    Asked,
    Decision,
    Stage,
    answered,
    conformity,
)
from catalog.lifecycle.kept import ACTIVE, ENDED, REVOKED, Grant
from catalog.lifecycle.people import Actor, Role, must_be
from catalog.lifecycle.steps import PLACEHOLDERS, Reason, Terms
from hub.crypto import Seal
from hub.plan import Plan
from hub.registry import grant_secrets
from hub.registry.grant_route import GrantRoute, file_of_grant, route_name, route_text
from hub.registry.grant_rows import (
    application,
    grant,
    grants,
    move_application,
    move_grant,
    new_number,
    put_application,
    put_grant,
)
from hub.registry.releasing import Releaser, Texts
from hub.registry.version_rows import Entry, note
from hub.releases import plan_of
from hub.store import Store
from schemas.calendar import BEIJING, beijing_day
from schemas.errors import Rejected

__all__ = ["GrantDesk", "end_grants"]

DAY = timedelta(days=1)
THE_CLOCK = Actor("clock", "", frozenset())
GRANTED = frozenset({Stage.GRANTED, Stage.PARTLY})
log = structlog.get_logger("hub.registry")


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantDesk:
    """What people do with applications and grants, and what time does with them (`sweep`).
    *columns*: what an item is called in the standard table of a front-end database."""

    store: Store
    releaser: Releaser
    terms: Terms
    clock: Callable[[], datetime]
    seal: Seal
    columns: Callable[[str], str] = str

    async def apply(self, asked: Asked, actor: Actor) -> Application:
        """
        An application of the actor's unit. Raises `Rejected` with all that keeps it from conforming.

        It counts from when it conforms: what is refused here is nowhere kept.
        """
        must_be(actor, Role.EDITOR)
        plan = await self.releaser.plan()
        self._check(asked, actor.unit, plan)
        at = self.clock()

        def work(connection: Connection) -> Application:
            made = Application(
                new_number(connection, at),
                actor.unit,
                plan.resources[asked.resource].provider,
                Stage.CONFORMITY,
                at,
                actor.name,
                asked,
            )
            put_application(connection, made)
            note(connection, Entry(made.number, "apply", made.stage.value), actor, at)
            return made

        return await self.store.write(work)

    async def amend(self, number: str, asked: Asked, actor: Actor) -> Application:
        """A returned application, changed and submitted again."""
        before = await self.store.read(partial(application, number=number))
        plan = await self.releaser.plan()
        self._check(asked, before.unit, plan)
        return await self._decided(replace(before, asked=asked), before, Decision.RESUBMIT, actor)

    async def decide(
        self, number: str, decision: Decision, actor: Actor, answer: Answer | None = None
    ) -> Application:
        """Check or answer an application; one that is agreed to becomes a grant there and then.

        Raises what `catalog.lifecycle.grants.answered` and `Releaser.change` raise."""
        before = await self.store.read(partial(application, number=number))
        return await self._decided(before, before, decision, actor, answer or Answer())

    async def revoke(self, number: str, actor: Actor, reason: str) -> None:
        """End a grant now; by its provider or the authority. Raises `Rejected`."""
        held = await self.store.read(partial(grant, number=number))
        plan = await self.releaser.plan()
        resource = plan.resources.get(held.resource)
        if not actor.may(Role.UNIT_REVIEWER, resource.provider if resource else ""):
            must_be(actor, Role.AUTHORITY)
        if reason.strip() in PLACEHOLDERS:
            raise Rejected("lifecycle.reason", "A reason is due", item="")
        if held.state != ACTIVE:
            raise Rejected("grant.over", "It is over already", number=number)
        at = self.clock()
        over = replace(held, state=REVOKED, since=at, ends=at.replace(microsecond=0))

        def keep(connection: Connection, release: int | None = None) -> None:
            move_grant(connection, held, over)
            grant_secrets.forget(connection, number)
            entry = Entry(number, "revoke", REVOKED, (Reason("", reason),), release)
            note(connection, entry, actor, at)

        if not held.route:
            await self.store.write(keep)
            return
        edit = partial(_with_route, grants=(over,), columns=self.columns)
        await self.releaser.change(edit, keep, by=actor.name, note=f"revoke {number}")
        await self._take_out((number,), actor.name)

    async def secret(self, number: str, actor: Actor, *, anew: bool = False) -> str:
        """
        The grant's secret for its grantee, shown once; *anew*: another one instead of it.

        Raises `Rejected`: ``lifecycle.role``, ``grant.over``, ``grant.collected``.
        """
        held = await self.store.read(partial(grant, number=number))
        must_be(actor, Role.EDITOR, held.unit)
        at = self.clock()
        if held.state != ACTIVE or at >= held.ends:
            raise Rejected("grant.over", "It is over already", number=number)
        shown = grant_secrets.rotate if anew else grant_secrets.collect

        def work(connection: Connection) -> str:
            secret = shown(connection, number, self.seal, at)
            act = "rotate" if anew else "collect"
            note(connection, Entry(number, act, ACTIVE), actor, at)
            return secret

        return await self.store.write(work)

    async def sweep(self) -> int:
        """Warn of grants that end soon, end those whose time has come, and take what is over out of
        the declarations; returns how many grants changed."""
        now = self.clock()
        held = await self.store.read(partial(grants, state=ACTIVE))
        over = [each for each in held if each.ends <= now]
        horizon = self.terms.calendar.after(beijing_day(now), self.terms.limits.warn_days)
        near = [
            each
            for each in held
            if each not in over and not each.warned and beijing_day(each.ends) <= horizon
        ]

        def work(connection: Connection) -> None:
            for each in near:
                move_grant(connection, each, replace(each, warned=True))
                note(connection, Entry(each.number, "warn", ACTIVE), THE_CLOCK, now)
            for each in over:
                move_grant(connection, each, replace(each, state=ENDED, since=now))
                grant_secrets.forget(connection, each.number)
                note(connection, Entry(each.number, "end", ENDED), THE_CLOCK, now)

        if near or over:
            await self.store.write(work)
        _, texts = await self.releaser.live()
        gone = [*await self.store.read(partial(grants, state=ENDED))]
        gone += await self.store.read(partial(grants, state=REVOKED))
        left = [each.number for each in gone if file_of_grant(each.number) in texts]
        if left:
            await self._take_out(left, THE_CLOCK.name)
        return len(near) + len(over)

    async def _decided(
        self,
        seen: Application,
        before: Application,
        decision: Decision,
        actor: Actor,
        answer: Answer = Answer(),  # noqa: B008 - a frozen value
    ) -> Application:
        plan, at = await self.releaser.plan(), self.clock()
        resource = plan.resources.get(seen.asked.resource)
        if resource is None:
            raise Rejected("grant.not-shared", "It is not published any more", ground="–")
        after = answered(seen, decision, actor, at, answer=answer, resource=resource)
        reasons = (Reason("", answer.reason),) if answer.reason else ()

        def keep(connection: Connection, release: int | None = None) -> None:
            move_application(connection, before, after)
            entry = Entry(seen.number, decision.value, after.stage.value, reasons, release)
            note(connection, entry, actor, at)

        if after.stage not in GRANTED:
            await self.store.write(keep)
            return after
        self._check(after.asked, after.unit, plan)
        made = _grant_of(after, at)

        def keep_both(connection: Connection, release: int | None = None) -> None:
            keep(connection, release)
            put_grant(connection, made)
            grant_secrets.make(connection, made.number, self.seal, at)
            note(connection, Entry(made.number, "grant", ACTIVE, (), release), actor, at)

        if not made.route:
            # Nothing is sent: what is granted is looked at where it stands, or fetched.
            await self.store.write(keep_both)
            return after
        call = after.asked.call
        edit = partial(_with_route, grants=(made,), columns=self.columns, call=call)
        await self.releaser.change(edit, keep_both, by=actor.name, note=f"grant {made.number}")
        return after

    async def _take_out(self, numbers: Sequence[str], by: str) -> None:
        files = {file_of_grant(number) for number in numbers}

        def without(texts: Texts) -> Texts:
            return {file: text for file, text in texts.items() if file not in files}

        told = f"over: {' '.join(numbers)}"
        await self.releaser.change(without, lambda *_: None, by=by, note=told[:512])
        log.info("grants.taken_out", grants=list(numbers))

    def _check(self, asked: Asked, unit: str, plan: Plan) -> None:
        resource = plan.resources.get(asked.resource)
        if resource is None:
            raise Rejected("grant.not-shared", "No such resource is published", ground="–")
        owners = {code: system.owner for code, system in plan.declarations.systems.items()}
        today = beijing_day(self.clock())
        if faults := conformity(asked, resource, owners, unit, today, self.terms):
            raise Rejected(
                "grant.not-conforming", "The application does not conform", faults=faults
            )


def end_grants(connection: Connection, resource: str, actor: Actor, at: datetime) -> None:
    """All grants of a resource that is withdrawn; the delivery has stopped with its release."""
    for each in grants(connection, state=ACTIVE, resource=resource):
        move_grant(connection, each, replace(each, state=ENDED, since=at, ends=at))
        grant_secrets.forget(connection, each.number)
        note(connection, Entry(each.number, "end", ENDED), actor, at)


def _grant_of(of: Application, at: datetime) -> Grant:
    """It lasts to the end of its last day. One application leads to one grant, which has its
    number."""
    number = f"G{of.number.removeprefix('A')}"
    asked = of.asked
    return Grant(
        number=number,
        application=of.number,
        resource=asked.resource,
        system=asked.system,
        unit=of.unit,
        route=route_name(number) if asked.is_sent else "",
        items=asked.items,
        purpose=asked.purpose[:512],
        per_day=asked.per_day,
        state=ACTIVE,
        since=at,
        ends=datetime.combine(asked.until + DAY, time(), BEIJING),
        way=asked.way,
    )


def _with_route(
    texts: Texts,
    *,
    grants: Sequence[Grant],
    columns: Callable[[str], str],
    call: str = "",
) -> Mapping[str, str]:
    """*texts* with the routes of *grants*. *call*: of a new one; else as it is declared."""
    plan, changed = plan_of(texts), dict(texts)
    for each in grants:
        declared = plan.declarations.routes.get(each.route)
        made = GrantRoute(
            number=each.number,
            system=each.system,
            call=call or (declared.to[0].call if declared else ""),
            items=each.items,
            ends=each.ends,
            per_day=each.per_day,
        )
        catalogue = plan.declarations.catalogue
        resource = plan.resources[each.resource]
        named = columns if each.way == "front-database" else str
        changed[file_of_grant(each.number)] = route_text(made, resource, catalogue, named)
    return changed
