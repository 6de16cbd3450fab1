"""Reviewing: tasks that wait for me, acts on versions, also many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from catalog.lifecycle.grants import WAITING, holder_of
from catalog.lifecycle.kept import Version
from catalog.lifecycle.people import Actor
from catalog.lifecycle.steps import OPEN, Act, Reason, Said, State, holder, may
from catalog.pages.desk import PageDesk, Waiting, field_of, is_mine
from schemas.errors import Fault, HubError, Rejected
from schemas.texts import say
from web.guard import Form
from web.language import language_of
from web.shell import form_of

__all__ = ["ReviewPages", "Task", "said_of"]

MOST_AT_ONCE = 200
TASKS = (*sorted(OPEN), State.WITHDRAWING)


@dataclass(frozen=True, slots=True)
class Task:
    """A version that waits for *acts*."""

    version: Version
    waiting: Waiting | None
    acts: tuple[Act, ...]


class ReviewPages:
    """Endpoints over a `PageDesk`."""

    def __init__(self, desk: PageDesk) -> None:
        self._desk = desk

    async def tasks(self, request: Request) -> Response:
        """What waits for me: versions, applications, grants that end; and what waits for others."""
        desk, actor = self._desk, self._desk.actors.of(request)
        versions = await desk.registry.versions(states=TASKS)
        tasks = [
            Task(v, desk.waiting(v.standing), may(actor, v.standing))
            for v in versions
            if is_mine(actor, holder(v.standing))
        ]
        others = [
            (v, desk.waiting(v.standing))
            for v in versions
            if not is_mine(actor, holder(v.standing))
        ]
        applications = await desk.registry.applications(stages=tuple(WAITING))
        ending = [each for each in await desk.registry.grants(state="active") if each.warned]
        return desk.render(
            request,
            "tasks",
            tasks=tasks,
            others=others,
            applications=[a for a in applications if is_mine(actor, holder_of(a))],
            ending=[each for each in ending if each.unit == actor.unit],
            catalogue=await desk.registry.catalogue(),
            done=_count(request),
            faults=(),
        )

    async def act(self, request: Request) -> Response:
        """One act on one version or on many; each is taken or refused by itself, and told."""
        form = form_of(request)
        act, said = _act_of(form), said_of(form)
        actor = self._desk.actors.of(request)
        chosen = [_chosen(each) for each in form.get("version", [])[:MOST_AT_ONCE]]
        done, faults = await self._all(chosen, act, actor, said)
        self._desk.shell.signals.announce("catalogue")
        if "application/json" in request.headers.get("accept", ""):
            told = say("catalogue.done", {"count": done}, language_of(request))
            failed = [say(f.code, f.facts, language_of(request)) for f in faults]
            status = 200 if not faults else 422
            return JSONResponse({"said": " ".join([told, *failed]), "count": done}, status)
        if not faults:
            back = field_of(form, "back") or "/catalogue/tasks"
            back = back if back.startswith("/catalogue") else "/catalogue/tasks"
            return RedirectResponse(f"{back}?done={done}", 303)
        return self._desk.render(request, "refused", status=422, faults=faults, done=done)

    async def end_acceptance(self, request: Request) -> Response:
        """Producers are held to the present version from now on."""
        form = form_of(request)
        resource, number = _chosen(field_of(form, "version"))
        actor = self._desk.actors.of(request)
        await self._desk.versions.end_acceptance(resource, number, actor)
        return RedirectResponse(f"/catalogue/resources/{resource}", 303)

    async def _all(
        self, chosen: Sequence[tuple[str, int]], act: Act, actor: Actor, said: Said
    ) -> tuple[int, list[Fault]]:
        done, faults = 0, []
        for resource, number in chosen:
            try:
                await self._desk.versions.act(resource, number, act, actor, said)
                done += 1
            except HubError as error:
                found = error.faults if isinstance(error, Rejected) else ()
                told = [
                    Fault(f.code, f"{resource}/{number} {f.at}".strip(), f.facts) for f in found
                ]
                faults += told or [Fault(error.code, f"{resource}/{number}", error.facts)]
        return done, faults


def said_of(form: Form) -> Said:
    """The reasons of a form: of the whole (``reason``), and item by item (``item``, ``why``)."""
    whole = [Reason("", text) for text in (field_of(form, "reason"),) if text]
    pairs = zip(form.get("item", ()), form.get("why", ()), strict=False)
    items = [Reason(item[:160], why.strip()[:512]) for item, why in pairs if why.strip()]
    try:
        ends = date.fromisoformat(field_of(form, "ends"))
    except ValueError:
        ends = None
    return Said((*whole, *items), ends)


def _act_of(form: Form) -> Act:
    try:
        return Act(field_of(form, "act"))
    except ValueError as error:
        raise Rejected("catalogue.form", "No such act", at="act") from error


def _chosen(told: str) -> tuple[str, int]:
    resource, _, number = told.partition("/")
    if not number.isascii() or not number.isdigit() or len(number) > 6:
        raise Rejected("catalogue.form", "Not a version", at="version")
    return resource[:64], int(number)


def _count(request: Request) -> int | None:
    told = request.query_params.get("done", "")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 5 else None
