"""What the commands of the failure store share: the desk opened on the records, who asks, options.

The commands write to the records; the running hub sends. So they need no broker, and what is asked
while no hub runs is done when one starts.
"""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

import typer

from hub.failure_desk import FailureDesk
from hub.retry_jobs import RetryJobs
from hub.store.retries import Chosen
from shuniu.cli.output import guarded
from shuniu.clock import now
from shuniu.instance import Instance, open_store
from shuniu.releases import live_plan
from shuniu.settings import Settings

__all__ = [
    "Code",
    "Every",
    "Group",
    "OnRoute",
    "Opened",
    "OptionalIds",
    "Resource",
    "Stage",
    "System",
    "Why",
    "at_desk",
    "chosen_by",
    "who",
]

T = TypeVar("T")
OptionalIds = Annotated[list[str] | None, typer.Argument(metavar="[ID...]")]
Group = Annotated[str, typer.Option(help="All that wait of one group (fingerprint).")]
Stage = Annotated[str, typer.Option(help="intake, route or service.")]
OnRoute = Annotated[str, typer.Option("--route", help="Of this route or service.")]
System = Annotated[str, typer.Option(help="For this system.")]
Resource = Annotated[str, typer.Option(help="Of this resource, or kind of record.")]
Code = Annotated[str, typer.Option(help="With this reason's code.")]
Every = Annotated[bool, typer.Option("--all", help="All that wait.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with what is done.")]


@dataclass(frozen=True, slots=True)
class Opened:
    """The failure store, open."""

    desk: FailureDesk
    jobs: RetryJobs


def at_desk(settings: Settings, work: Callable[[Opened], Awaitable[T]], *, as_json: bool) -> T:
    """Run *work* on the records of *settings*; an error ends the command."""

    async def opened() -> T:
        instance = Instance.of(settings)
        store = open_store(settings)
        try:
            plan = await asyncio.to_thread(live_plan, instance, store)
            desk = FailureDesk(store, instance.seal(), plan, now)
            return await work(Opened(desk, RetryJobs(store, now)))
        finally:
            store.close()

    return guarded(lambda: asyncio.run(opened()), as_json=as_json, lang=settings.lang)


def chosen_by(
    ids: list[str] | None,
    *,
    group: str = "",
    stage: str = "",
    route: str = "",
    system: str = "",
    resource: str = "",
    code: str = "",
    every: bool = False,
) -> Chosen:
    return Chosen(
        ids=tuple(ids or ()),
        fingerprint=group,
        stage=stage,
        route=route,
        system=system,
        resource=resource,
        code=code,
        every=every,
    )


def who() -> str:
    return getpass.getuser()
