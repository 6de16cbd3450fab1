"""Releases of this site: checked as a whole before they are applied.

Promises   what is refused changes nothing, and names every problem with its file and line
"""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy import make_url

import catalog.lint
import routes.lint
from hub.plan import Plan
from hub.releases import Release, apply, digest_of, live_number, loaded, plan_of
from hub.store import Store
from routes.examples import run as run_examples
from routes.site import Declarations
from schemas.declarations import InvalidDeclaration, Problem
from schemas.errors import HubError
from shuniu.clock import now
from shuniu.instance import Instance
from shuniu.service_list import FED, TAKEN
from shuniu.settings import Settings
from shuniu.site import release_texts

__all__ = [
    "apply_checked",
    "checked",
    "differs",
    "live_at_start",
    "live_plan",
    "operator",
    "unlike_live",
]


def checked(texts: Mapping[str, str]) -> Plan:
    """*texts* compiled. Raises `InvalidDeclaration` with what lint finds and examples that fail."""
    plan = plan_of(texts)
    problems = [*_findings(plan.declarations), *_failed(plan.declarations)]
    if problems:
        raise InvalidDeclaration(problems)
    return plan


def apply_checked(store: Store, texts: Mapping[str, str], note: str) -> int:
    """Check *texts*, and make them the live release; returns its number."""
    plan = checked(texts)
    return store.write_now(lambda c: apply(c, texts, plan, at=now(), by=operator(), note=note))


def live_at_start(instance: Instance, store: Store, *, apply_site: bool) -> Release:
    """The live release. The site folder becomes the first where there is none, and with *apply_site*
    also where it differs from the live one."""
    if store.read_now(live_number) is None:
        texts = release_texts(instance.settings.site)
        plan = plan_of(texts)
        store.write_now(lambda c: apply(c, texts, plan, at=now(), by=operator(), only_first=True))
    elif apply_site and differs(instance, store):
        apply_checked(store, release_texts(instance.settings.site), "run --apply")
    return store.read_now(lambda c: loaded(c, live_number(c) or 0))


def live_plan(instance: Instance, store: Store) -> Plan:
    """What runs: the live release compiled; the site folder where there is none yet."""
    live = store.read_now(live_number)
    if live is None:
        return instance.plan()
    return plan_of(store.read_now(lambda c: loaded(c, live)).texts)


def differs(instance: Instance, store: Store) -> bool:
    """Whether the site folder is another than the live release; not before there is one."""
    live = store.read_now(live_number)
    if live is None:
        return False
    release = store.read_now(lambda c: loaded(c, live))
    return release.digest != digest_of(release_texts(instance.settings.site))


def unlike_live(settings: Settings) -> int | None:
    """The number of the live release, where the site folder differs from it; None where it does not,
    or where there are no records to know it from."""
    address = make_url(settings.database_url)
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").exists():
        return None
    # Not `open_store`, which brings the records into their present shape: who looks changes nothing.
    store = Store(settings.database_url)
    try:
        live = store.read_now(live_number)
        return live if differs(Instance.of(settings), store) else None
    except HubError:
        return None
    finally:
        store.close()


def operator() -> str:
    return getpass.getuser()


def _findings(declarations: Declarations) -> Iterator[Problem]:
    for of_catalogue in catalog.lint.lint(declarations.catalogue):
        if of_catalogue.severity == "error":
            yield Problem(of_catalogue.file, of_catalogue.line, 1, "", of_catalogue.say("en"))
    for finding in routes.lint.lint(declarations, fed=FED, taken=TAKEN):
        if finding.severity == "error":
            yield Problem(finding.file, finding.line, 1, "", finding.say("en"))


def _failed(declarations: Declarations) -> Iterator[Problem]:
    for outcome in run_examples(declarations):
        if not outcome.passed:
            file = declarations.texts[outcome.declaration].file
            said = "; ".join(outcome.differences)
            yield Problem(file, 1, 1, f"example {outcome.example}", said)
