"""The console's routes, for the composition root.

Speaks to   operators, through a browser; the hub, through `monitoring.ports` only
Not here    sign-in and roles; health of the process (``/healthz``, ``/readyz``)
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute, Route

from monitoring.console.desk import Desk, Tallies
from monitoring.console.failures import FailurePages
from monitoring.console.journeys import JourneyPages
from monitoring.console.overview import Overview
from monitoring.ports import Failures, Ledger, Topology
from web.shell import Link, Panel, Shell

__all__ = ["console"]


def console(  # noqa: PLR0913 - what the composition root joins, each by its name
    shell: Shell,
    *,
    ledger: Ledger,
    failures: Failures,
    topology: Topology,
    panels: Sequence[Panel] = (),
    tallies: Sequence[Tallies] = (),
    links: Sequence[Link] = (),
    keep_s: float = 1.0,
) -> list[BaseRoute]:
    """
    All pages and fragments of the console, with *panels* and *tallies* of the services, and *links* to pages
    of others in the navigation.

    Open pages share each answer of the ports for *keep_s* seconds.
    Serve them with ``shell.middleware()`` and ``shell.exception_handlers()``; announce
    ``words(events)`` (`monitoring.console.desk`) on ``shell.signals`` after each ledger batch.
    """
    desk = Desk(shell, ledger, failures, topology, tallies, keep_s)
    failure_pages, journeys = FailurePages(desk), JourneyPages(desk)
    waiting = Panel(
        key="failures",
        title="console.failures",
        endpoint=failure_pages.panel,
        signals=("failures",),
        page="/failures",
    )
    overview = Overview(desk, (waiting, *panels))
    entries = (
        Link(title="console.overview", url="/"),
        Link(title="console.routes", url="/routes"),
        *links,
    )
    return [
        Route("/", overview.page),
        Route("/routes", overview.routes),
        Route("/failures", failure_pages.page),
        Route("/failures/retry", failure_pages.retry, methods=["POST"]),
        Route("/failures/discard", failure_pages.discard, methods=["POST"]),
        Route("/failures/{id}", failure_pages.one),
        Route("/trace", journeys.trace),
        Route("/messages/{id}", journeys.message),
        *shell.routes(overview.panels, entries),
    ]
