"""The demo's tables in the terminal: the live one, and the last one."""

from __future__ import annotations

from rich.table import Table

from hub.plan import Plan
from schemas.receipt import Event
from schemas.texts import say
from shuniu.demo.flow import Demo
from shuniu.demo.reckoning import LedgerCounts, Summary

__all__ = ["progress_table", "summary_table"]

STREAMS = (
    "oneThingApplication",
    "itemCase",
    "caseAcceptance",
    "caseStep",
    "caseSupplement",
    "caseSpecialProcedure",
    "caseResult",
    "electronicLicence",
    "applicationProgress",
    "libraryAcknowledgement",
)
FIGURES = (
    "applications",
    "items",
    "deliveries",
    "results",
    "licences",
    "receipts",
    "retries",
    "failures",
    "lost",
    "duplicated",
    "seconds",
    "per_second",
)


def progress_table(counts: LedgerCounts, submitted: int, seconds: float, running: Demo) -> Table:
    lang = running.settings.lang
    table = Table(title=f"{running.address}   {seconds:5.0f} s", title_justify="left", box=None)
    table.add_column(say("demo.stream", {}, lang))
    table.add_column(say("demo.published", {}, lang), justify="right")
    table.add_column(say("demo.route", {}, lang))
    table.add_column(say("demo.delivered", {}, lang), justify="right")
    routes = [(name, len(counts.delivered.get(name, ()))) for name in running.plan.routes]
    for n in range(max(len(STREAMS), len(routes))):
        stream = STREAMS[n] if n < len(STREAMS) else ""
        name, done = routes[n] if n < len(routes) else ("", 0)
        table.add_row(
            _title(running.plan, stream, lang),
            str(counts.published.get(stream, 0)) if stream else "",
            name,
            str(done) if name else "",
        )
    retries = counts.events.get(Event.DELIVERY_RETRYING, 0)
    facts = {
        "submitted": submitted,
        "open": counts.open_count,
        "retries": retries,
        "failures": counts.failures,
    }
    table.caption = say("demo.under-way", facts, lang)
    return table


def summary_table(summary: Summary, lang: str) -> Table:
    verdict = "demo.accounted" if summary.accounted else "demo.not-accounted"
    table = Table(title=say(verdict, {}, lang), title_justify="left", show_header=False)
    for name in FIGURES:
        table.add_row(say(f"demo.{name.replace('_', '-')}", {}, lang), str(getattr(summary, name)))
    return table


def _title(plan: Plan, stream: str, lang: str) -> str:
    resource = plan.resources.get(stream)
    return getattr(resource.name, lang) if resource else stream
