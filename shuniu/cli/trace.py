"""``shuniu trace ID``: everything that happened to a message, across hops. Exit 1 when unknown.

ID is a message, record or trace id, a case number, or an application number. Without one, the ledger
is searched: by partner, key, event, resource, route and time, newest first, a page at a time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import typer
from sqlalchemy import Connection

from hub.search import Page, Search, search
from hub.trace import trace as rows_of
from schemas.errors import Rejected
from schemas.texts import say
from shuniu.cli.options import AsJson, moment, settings_for
from shuniu.cli.output import console, guarded, print_json, print_table
from shuniu.clock import now
from shuniu.instance import open_store
from shuniu.settings import Settings

__all__ = ["trace"]

T = TypeVar("T")


def trace(
    asked: Annotated[str, typer.Argument(metavar="[ID]")] = "",
    *,
    partner: Annotated[str, typer.Option(help="A system, as source or target.")] = "",
    key: Annotated[str, typer.Option(help="The partner's own key of a record.")] = "",
    event: Annotated[str, typer.Option(help="Such as delivery.failed.")] = "",
    resource: Annotated[str, typer.Option(help="Of which resource.")] = "",
    route: Annotated[str, typer.Option(help="A route or service.")] = "",
    since: Annotated[str, typer.Option(help="2026-11-01T00:00, or 30m, 2h, 7d ago.")] = "",
    until: Annotated[str, typer.Option(help="Likewise.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Rows a page.")] = 50,
    after: Annotated[str, typer.Option(help="The end of the page before.")] = "",
    as_json: AsJson = False,
) -> None:
    settings = settings_for()
    if asked:
        rows = _read(settings, as_json, lambda c: [dict(row) for row in rows_of(c, asked)])
        _show(rows, settings.lang, {"asked": asked}, as_json=as_json)
        sys.exit(0 if rows else 1)

    def found(connection: Connection) -> Page:
        at = now()
        wanted = Search(
            partner=partner,
            key=key,
            event=event,
            resource=resource,
            route=route,
            since=moment(since, at) if since else None,
            until=moment(until, at) if until else None,
        )
        if wanted == Search():
            raise Rejected("trace.nothing", "Nothing is asked for")
        return search(connection, wanted, limit=limit, after=after)

    page = _read(settings, as_json, found)
    _show([dict(row) for row in page.rows], settings.lang, {"after": page.after}, as_json=as_json)
    if page.after and not as_json:
        console.print(f"--after {page.after}")
    sys.exit(0 if page.rows else 1)


def _read(settings: Settings, as_json: bool, question: Callable[[Connection], T]) -> T:
    def read() -> T:
        store = open_store(settings)
        try:
            return store.read_now(question)
        finally:
            store.close()

    return guarded(read, as_json=as_json, lang=settings.lang)


def _show(
    rows: Sequence[Mapping[str, Any]], lang: str, facts: Mapping[str, str], *, as_json: bool
) -> None:
    if as_json:
        # Links of the chain are bytes; they are the audit's business.
        hops = [{name: v for name, v in row.items() if name != "link"} for row in rows]
        print_json({"ok": bool(rows), **facts, "hops": hops})
    elif rows:
        print_table(
            ("time", "event", "resource", "subject", "route / service", "try", "said"),
            [
                (
                    f"{row['at']:%m-%d %H:%M:%S}",
                    row["event"],
                    row["resource"],
                    row["subject"],
                    row["route"] or row["source"],
                    row["attempt"] or "",
                    _said(row, lang),
                )
                for row in rows
            ],
        )
    else:
        console.print(say("trace.unknown", {"asked": facts.get("asked", "")}, lang))


def _said(row: Mapping[str, Any], lang: str) -> str:
    faults = row["faults"]
    if isinstance(faults, list) and faults:
        told = f"{faults[0]['at']} {say(faults[0]['code'], faults[0]['facts'], lang)}".strip()
        return told if len(faults) == 1 else f"{told} (+{len(faults) - 1})"
    return str(row["number"] or "")
