"""``shuniu reconcile``: both sides of every exchange compared for a day; exit 1 on a difference.

``--repair --reason TEXT`` sends once more what is missing, and only that, then compares again.
"""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Annotated, Any

import typer

from hub.broker import Broker
from hub.plan import Plan
from hub.reissue import Reissue
from hub.store import Store
from hub.topology import depths
from schemas.calendar import BEIJING
from schemas.errors import Misconfigured, Rejected
from schemas.texts import say
from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import console, guarded, print_json, print_table
from shuniu.clock import now
from shuniu.instance import Instance, open_store
from shuniu.node import running_url
from shuniu.reconcile.books import Books
from shuniu.reconcile.repair import Repaired, missing, repair
from shuniu.reconcile.report import Leg, LegReport
from shuniu.reconcile.run import Partner, legs_of, partner_of, reconciled
from shuniu.reconcile.statements import write_statements
from shuniu.settings import Settings

__all__ = ["reconcile"]

LOOK_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What is asked for."""

    day: date
    system: str
    resource: str
    reason: str
    most: int
    wait_s: float
    mend: bool
    state: bool


@dataclass(slots=True)
class _Work:
    """What is worked with, and what came of it."""

    instance: Instance
    plan: Plan
    store: Store
    broker: Broker | None
    wish: _Wish
    legs: Sequence[Leg]
    partners: dict[str, Partner] = field(default_factory=dict)

    def partner(self, system: str) -> Partner:
        if system not in self.partners:
            self.partners[system] = partner_of(self.instance, self.plan, system)
        return self.partners[system]

    async def compared(self) -> list[LegReport]:
        idle: frozenset[str] = frozenset()
        if self.broker:
            queues = {name: self.plan.queues_of(name) for name in self.plan.routes}
            found = await depths(self.broker, [each for some in queues.values() for each in some])
            idle = frozenset(
                name
                for name, some in queues.items()
                if all(found.get(each, (1, 0))[0] == 0 for each in some)
            )
        books = Books(
            store=self.store, seal=self.instance.seal(), plan=self.plan, at=now(), idle=idle
        )
        day = self.wish.day
        return await asyncio.to_thread(reconciled, books, self.partner, day, self.legs)

    async def repaired(self, reports: Sequence[LegReport]) -> list[Repaired]:
        if self.broker is None:
            raise Misconfigured(
                "broker.not-running",
                "No hub runs here",
                folder=str(self.instance.settings.home),
            )
        reissue = Reissue(
            broker=self.broker,
            store=self.store,
            seal=self.instance.seal(),
            plan=self.plan,
            clock=now,
            by=getpass.getuser(),
            reason=self.wish.reason,
        )
        return await repair(reports, self.partner, reissue, most=self.wish.most)

    async def settled(self) -> list[LegReport]:
        """Compared again, until nothing that was sent is missing, or the wait is over."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self.wish.wait_s
        while True:
            reports = await self.compared()
            if not missing(reports) or loop.time() >= until:
                return reports
            await asyncio.sleep(LOOK_S)


def reconcile(
    *,
    resource: Annotated[str, typer.Option("--resource", help="Of this resource alone.")] = "",
    day: Annotated[
        str, typer.Option("--day", help="2026-03-02, of Beijing; yesterday if not told.")
    ] = "",
    system: Annotated[str, typer.Option("--system", help="With this system alone.")] = "",
    mend: Annotated[
        bool, typer.Option("--repair", help="Send once more what is missing, then compare again.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with who did it.")] = "",
    most: Annotated[
        int, typer.Option("--most", min=1, help="Above so many missing rows nothing is sent.")
    ] = 1000,
    state: Annotated[
        bool, typer.Option("--statement", help="Write the daily statement into partners' tables.")
    ] = False,
    wait_s: Annotated[
        float, typer.Option("--wait", min=0, help="After a repair, wait so long at most, s.")
    ] = 30.0,
    as_json: AsJson = False,
) -> None:
    settings = settings_for()

    def work() -> tuple[list[LegReport], list[Repaired]]:
        wish = _Wish(
            day=_day(day),
            system=system,
            resource=resource,
            reason=reason,
            most=most,
            wait_s=wait_s,
            mend=mend,
            state=state,
        )
        return asyncio.run(_done(settings, wish))

    reports, repaired = guarded(work, as_json=as_json, lang=settings.lang)
    agrees = all(each.agrees for each in reports)
    if as_json:
        shown = {"legs": [each.shown() for each in reports]}
        acts = [asdict(each) for each in repaired]
        print_json({"ok": agrees, **shown, "repaired": acts})
    else:
        _print(reports, repaired, settings.lang)
    raise typer.Exit(0 if agrees else 1)


async def _done(settings: Settings, wish: _Wish) -> tuple[list[LegReport], list[Repaired]]:
    if wish.mend and not wish.reason.strip():
        raise Rejected("reconcile.reason-needed", "A repair needs a reason")
    instance = Instance.of(settings)
    plan = instance.plan()
    _known("catalog.unknown-system", wish.system, plan.declarations.systems, system=wish.system)
    _known("catalog.unknown-resource", wish.resource, plan.resources, resource=wish.resource)
    legs = legs_of(plan, system=wish.system, resource=wish.resource)
    async with _open(settings, instance) as (store, broker):
        work = _Work(instance, plan, store, broker, wish, legs)
        reports = await work.compared()
        repaired: list[Repaired] = []
        if wish.mend and missing(reports):
            repaired = await work.repaired(reports)
            reports = await work.settled()
        if wish.state:
            await asyncio.to_thread(
                write_statements, reports, work.partner, now(), repaired=bool(repaired)
            )
        return reports, repaired


def _known(code: str, name: str, known: Collection[str], **facts: str) -> None:
    if name and name not in known:
        raise Misconfigured(code, "No such name", **facts)


@asynccontextmanager
async def _open(
    settings: Settings, instance: Instance
) -> AsyncIterator[tuple[Store, Broker | None]]:
    """With the running hub's broker, where one runs: a comparison never starts one."""
    store = open_store(settings)
    url = settings.amqp_url or running_url(settings.home / "broker")
    try:
        if url is None:
            yield store, None
            return
        async with Broker(url, name="reconcile", mac=instance.mac()) as broker:
            yield store, broker
    finally:
        store.close()


def _day(told: str) -> date:
    if not told:
        return now().astimezone(BEIJING).date() - timedelta(days=1)
    try:
        return date.fromisoformat(told)
    except ValueError as error:
        raise Rejected("cli.day", "Not a day", found=told[:40]) from error


def _print(reports: Sequence[LegReport], repaired: Sequence[Repaired], lang: str) -> None:
    rows: list[tuple[Any, ...]] = []
    for each in reports:
        leg = each.leg
        partner = each.partner.count if each.partner else "-"
        state = say(f"reconcile.state.{_state(each)}", {}, lang)
        counts = ", ".join(f"{n} {c}" for n, c in sorted(each.counts.items()))
        rows.append((leg.system, leg.table or leg.route, each.hub.count, partner, counts, state))
    print_table(("system", "table", "hub", "partner", "counts", "state"), rows)
    for report in reports:
        place = report.leg.table or report.leg.route
        if report.error:
            console.print(f"{place}  {say(report.error, report.facts, lang)}", highlight=False)
        for one in report.differences:
            facts = {"row": one.row_id, "columns": " ".join(one.columns), "subject": one.subject}
            told = say(f"reconcile.{one.kind}", facts, lang)
            console.print(f"{place}  {told}", highlight=False)
    for act in repaired:
        told = say("reconcile.repaired", {"sent": act.sent, "act": act.act}, lang)
        console.print(told, highlight=False)


def _state(report: LegReport) -> str:
    if report.error:
        return "unknown"
    return "agrees" if report.agrees else "differs"
