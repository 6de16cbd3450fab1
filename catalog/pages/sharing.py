"""Sharing: applying for a resource, answering, and grants in use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from catalog.lifecycle.grants import (
    Answer,
    Application,
    Asked,
    Decision,
    Stage,
    doubts,
    holder_of,
)
from catalog.lifecycle.items import paths
from catalog.lifecycle.people import Actor, Role, must_be
from catalog.lifecycle.steps import Reason
from catalog.pages.desk import PageDesk, field_of, is_mine
from catalog.shares import shares
from schemas.errors import Rejected
from web.guard import Form
from web.shell import form_of

__all__ = ["SharingPages", "asked_of"]

OFFERED = {
    Stage.CONFORMITY: (Decision.PASS, Decision.RETURN, Decision.REFUSE),
    Stage.ANSWER: (Decision.AGREE, Decision.RETURN, Decision.REFUSE),
    Stage.RETURNED: (Decision.CANCEL,),
}


class SharingPages:
    """Endpoints over a `PageDesk`."""

    def __init__(self, desk: PageDesk) -> None:
        self._desk = desk

    async def form(self, request: Request) -> Response:
        """An application to be filled in."""
        return await self._form(request, request.path_params["name"], {}, ())

    async def apply(self, request: Request) -> Response:
        """Apply; what does not conform comes back with every reason at its field."""
        desk, form, name = self._desk, form_of(request), request.path_params["name"]
        try:
            made = await desk.grants.apply(asked_of(form, name), desk.actors.of(request))
        except Rejected as error:
            return await self._form(request, name, form, error.faults)
        desk.shell.signals.announce("catalogue")
        return RedirectResponse(f"/catalogue/applications/{made.number}", 303)

    async def amend_form(self, request: Request) -> Response:
        """A returned application to be mended: as it was, with the reason of its return."""
        found = await self._desk.registry.application(request.path_params["number"])
        return await self._form(request, found.asked.resource, _form_of(found.asked), (), found)

    async def amend(self, request: Request) -> Response:
        """Submit it again; what does not conform comes back with every reason at its field."""
        desk, form, number = self._desk, form_of(request), request.path_params["number"]
        found = await desk.registry.application(number)
        name = found.asked.resource
        try:
            await desk.grants.amend(number, asked_of(form, name), desk.actors.of(request))
        except Rejected as error:
            return await self._form(request, name, form, error.faults, found)
        desk.shell.signals.announce("catalogue")
        return RedirectResponse(f"/catalogue/applications/{number}", 303)

    async def application(self, request: Request) -> Response:
        """One application: what is asked, who has it, what was said, what can be done."""
        desk = self._desk
        found = await desk.registry.application(request.path_params["number"])
        catalogue = await desk.registry.catalogue()
        resource = catalogue.resources.get(found.asked.resource)
        mine = is_mine(desk.actors.of(request), holder_of(found))
        return desk.render(
            request,
            "application",
            application=found,
            resource=resource,
            held=holder_of(found),
            doubts=doubts(found.asked, resource, catalogue) if resource else (),
            done=await desk.registry.done(found.number),
            decisions=OFFERED.get(found.stage, ()) if mine else (),
            amendable=mine and found.stage is Stage.RETURNED,
            elements=catalogue.elements,
            paths=paths(resource) if resource else {},
            systems=await desk.registry.systems(),
        )

    async def decide(self, request: Request) -> Response:
        """Check or answer it."""
        desk, form, number = self._desk, form_of(request), request.path_params["number"]
        try:
            decision = Decision(field_of(form, "decision"))
        except ValueError as error:
            raise Rejected("catalogue.form", "No such decision", at="decision") from error
        answer = Answer(field_of(form, "reason"), tuple(form.get("item", ())[:500]))
        await desk.grants.decide(number, decision, desk.actors.of(request), answer)
        desk.shell.signals.announce("catalogue")
        return RedirectResponse(f"/catalogue/applications/{number}", 303)

    async def grant(self, request: Request) -> Response:
        """One grant: what it lets pass, until when, and what was used of it."""
        return await self._grant(request)

    async def secret(self, request: Request) -> Response:
        """Its page with its secret, the only time that it is shown."""
        number = request.path_params["number"]
        anew = field_of(form_of(request), "anew") == "yes"
        secret = await self._desk.grants.secret(number, self._desk.actors.of(request), anew=anew)
        return await self._grant(request, secret)

    async def _grant(self, request: Request, secret: str = "") -> Response:
        desk = self._desk
        found = await desk.registry.grant(request.path_params["number"])
        catalogue = await desk.registry.catalogue()
        actor = desk.actors.of(request)
        resource = catalogue.resources.get(found.resource)
        provider = resource.provider if resource else ""
        return desk.render(
            request,
            "grant",
            grant=found,
            resource=resource,
            used=await desk.registry.use(found.number),
            done=await desk.registry.done(found.number),
            elements=catalogue.elements,
            secret=secret,
            credential=await desk.registry.credential(found.number),
            paths=paths(resource) if resource else {},
            scripts=found.way in ("database", "front-database") and _answers(actor, provider),
            mine=found.state == "active" and actor.may(Role.EDITOR, found.unit),
            revocable=found.state == "active" and _answers(actor, provider),
        )

    async def revoke(self, request: Request) -> Response:
        desk, number = self._desk, request.path_params["number"]
        reason = field_of(form_of(request), "reason")
        await desk.grants.revoke(number, desk.actors.of(request), reason)
        desk.shell.signals.announce("catalogue")
        return RedirectResponse(f"/catalogue/grants/{number}", 303)

    async def view_script(self, request: Request) -> Response:
        """What an administrator of the provider's database runs for it; *end*: at its end."""
        desk, asked = self._desk, request.query_params
        found = await desk.registry.grant(request.path_params["number"])
        catalogue, actor = await desk.registry.catalogue(), desk.actors.of(request)
        resource = catalogue.resources.get(found.resource)
        if not _answers(actor, resource.provider if resource else ""):
            must_be(actor, Role.AUTHORITY)
        dialect, end = asked.get("dialect", "postgresql")[:32], asked.get("end") == "yes"
        script = await desk.registry.view_script(found.number, dialect, end=end)
        return PlainTextResponse(script)

    async def _form(
        self,
        request: Request,
        name: str,
        form: Form,
        faults: tuple[object, ...],
        returned: Application | None = None,
    ) -> Response:
        """*returned*: the application that is mended; none: a new one."""
        desk = self._desk
        catalogue = await desk.registry.catalogue()
        resource = catalogue.resources.get(name)
        if resource is None:
            raise Rejected("lifecycle.no-resource", "No such resource", resource=name[:64])
        actor = desk.actors.of(request)
        systems = [s for s in (await desk.registry.systems()).values() if s.owner == actor.unit]
        return desk.render(
            request,
            "apply",
            status=422 if faults else 200,
            resource=resource,
            paths=paths(resource),
            shares=shares(resource),
            elements=catalogue.elements,
            systems=systems,
            given={key: values[0] for key, values in form.items() if values},
            chosen=set(form.get("item", ())) or {resource.subject},
            faults=faults,
            returned=returned,
            why=await self._why(returned) if returned else (),
        )

    async def _why(self, returned: Application) -> Sequence[Reason]:
        """The reasons of its last return."""
        done = await self._desk.registry.done(returned.number)
        told = [each.reasons for each in done if each.act == Decision.RETURN]
        return told[-1] if told else ()


def _answers(actor: Actor, provider: str) -> bool:
    """Whether *actor* answers for what *provider* shares."""
    return actor.may(Role.UNIT_REVIEWER, provider) or actor.may(Role.AUTHORITY)


def _form_of(asked: Asked) -> Form:
    """The fields of a form that asks for this."""
    told = {
        "system": asked.system,
        "call": asked.call,
        "purpose": asked.purpose,
        "legal_basis": asked.legal_basis,
        "until": asked.until.isoformat(),
        "per_day": str(asked.per_day or ""),
    }
    return {**{name: [value] for name, value in told.items()}, "item": list(asked.items)}


def asked_of(form: Form, resource: str) -> Asked:
    """Raises `Rejected` (``catalogue.form``) where a date or number is none."""
    per_day = field_of(form, "per_day")
    try:
        return Asked(
            resource=resource,
            system=field_of(form, "system", 64),
            call=field_of(form, "call", 200),
            purpose=field_of(form, "purpose"),
            legal_basis=field_of(form, "legal_basis"),
            items=tuple(each[:160] for each in form.get("item", ())[:500]),
            way=field_of(form, "way", 32),
            until=date.fromisoformat(field_of(form, "until")),
            per_day=int(per_day) if per_day else None,
        )
    except ValueError as error:
        at = "per_day" if per_day and not per_day.isdigit() else "until"
        raise Rejected("catalogue.form", "Not a date or a number", at=at) from error
