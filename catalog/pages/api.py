"""The catalogue for programs: what the pages show and do, as JSON under ``/api/catalogue``.

Form       bodies are JSON objects; problems as in `web.problems`, each fault at its field
Careful    writes need the token that the pages' own writes need (`web.guard`)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from catalog.lifecycle.compare import Comparison
from catalog.lifecycle.grants import Answer, Asked, Decision
from catalog.lifecycle.impact import Recorded
from catalog.lifecycle.kept import Version
from catalog.lifecycle.people import Actor
from catalog.lifecycle.steps import OPEN, Act, Reason, Said, holder, may
from catalog.model import Resource
from catalog.pages.browse import Filters, found
from catalog.pages.desk import MOST_TEXT, PageDesk, faults_of
from catalog.pages.importing import import_drafts
from schemas.declarations import InvalidDeclaration
from schemas.errors import Fault, HubError, Rejected
from web.problems import problem

__all__ = ["CatalogueApi"]

Endpoint = Callable[[Request], Awaitable[Response]]
M = TypeVar("M", bound=BaseModel)
Text = Annotated[str, Field(max_length=512)]
UNKNOWN = frozenset({"lifecycle.unknown", "lifecycle.no-resource", "grant.unknown"})
FORBIDDEN = frozenset({"lifecycle.role", "lifecycle.own-work"})
CONFLICT = frozenset(
    {"lifecycle.state", "lifecycle.open", "lifecycle.code", "grant.over", "grant.collected"}
)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Draft(_Body):
    text: Annotated[str, Field(max_length=MOST_TEXT)]


class _Why(_Body):
    item: Annotated[str, Field(max_length=160)] = ""
    text: Text


class _Act(_Body):
    reasons: tuple[_Why, ...] = ()
    ends: date | None = None


class _Sheet(_Body):
    xlsx: Annotated[Base64Bytes, Field(description="The file, as base64.")]
    dry_run: bool = False


class _Application(_Body):
    resource: Annotated[str, Field(max_length=64)]
    system: Annotated[str, Field(max_length=64)]
    call: Annotated[str, Field(max_length=200)]
    purpose: Text
    legal_basis: Text = ""
    items: Annotated[tuple[str, ...], Field(min_length=1, max_length=500)]
    way: Annotated[str, Field(max_length=32)]
    until: date
    per_day: Annotated[int, Field(ge=1)] | None = None


class _Answer(_Body):
    reason: Text = ""
    items: Annotated[tuple[str, ...], Field(max_length=500)] = ()


class _Secret(_Body):
    anew: bool = False


class _Reason(_Body):
    reason: Text


class CatalogueApi:
    """Endpoints over a `PageDesk`."""

    def __init__(self, desk: PageDesk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        def read(path: str, endpoint: Endpoint) -> Route:
            return Route(f"/api/catalogue{path}", _told(endpoint))

        def write(path: str, endpoint: Endpoint) -> Route:
            return Route(f"/api/catalogue{path}", _told(endpoint), methods=["POST"])

        return [
            read("/search", self.search),
            read("/resources/{name}", self.resource),
            read("/resources/{name}/versions", self.versions),
            read("/resources/{name}/impact", self.impact),
            read("/tasks", self.tasks),
            read("/applications/{number}", self.application),
            read("/grants", self.grants),
            read("/grants/{number}", self.grant),
            write("/elements", self.register),
            write("/elements/impact", self.element_impact),
            write("/versions", self.draft),
            write("/versions/{name}/{number:int}/{act}", self.act),
            write("/sheet", self.sheet),
            write("/applications", self.apply),
            write("/applications/{number}/amend", self.amend),
            write("/applications/{number}/{decision}", self.decide),
            write("/grants/{number}/secret", self.secret),
            write("/grants/{number}/revoke", self.revoke),
        ]

    async def search(self, request: Request) -> Response:
        filters = Filters.of(request)
        catalogue = await self._desk.registry.catalogue()
        hits = (await self._desk.index()).find(filters.query)
        resources, elements = found(hits, catalogue, filters)
        return _json(
            {
                "resources": [_brief(each) for each in resources],
                "elements": [each.model_dump(mode="json") for each in elements],
            }
        )

    async def resource(self, request: Request) -> Response:
        name = request.path_params["name"]
        catalogue = await self._desk.registry.catalogue()
        resource = catalogue.resources.get(name)
        if resource is None:
            raise Rejected("lifecycle.no-resource", "No such resource", resource=name[:64])
        return _json(resource.model_dump(mode="json"))

    async def versions(self, request: Request) -> Response:
        versions = await self._desk.registry.versions(request.path_params["name"])
        return _json({"versions": [self._version(each) for each in versions]})

    async def impact(self, request: Request) -> Response:
        """Of the version that is under way."""
        name = request.path_params["name"]
        pending = await self._desk.registry.versions(name, tuple(OPEN))
        if not pending:
            raise Rejected("lifecycle.unknown", "Nothing is under way", resource=name, number=0)
        told = await self._desk.registry.impact(pending[0].text)
        return _json(
            {
                **_compared(told.comparison),
                "uses": [asdict(each) for each in told.uses],
                "partners": told.partners,
                "problems": [asdict(each) for each in told.problems],
                "recorded": _recorded(told.recorded),
            }
        )

    async def tasks(self, request: Request) -> Response:
        """Versions on which who asks can act now."""
        actor = self._actor(request)
        versions = await self._desk.registry.versions()
        return _json(
            {
                "tasks": [
                    {**self._version(each), "acts": acts}
                    for each in versions
                    if each.standing.state in OPEN and (acts := may(actor, each.standing))
                ]
            }
        )

    async def draft(self, request: Request) -> Response:
        want = await _body(request, _Draft)
        standing = await self._desk.versions.draft(want.text, self._actor(request))
        return self._changed({"resource": standing.resource, "number": standing.number}, 201)

    async def register(self, request: Request) -> Response:
        """A data element, new or changed: from its own text in YAML."""
        want = await _body(request, _Draft)
        made = await self._desk.elements.register(want.text, self._actor(request))
        return self._changed({"short_name": made.short_name, "status": made.status}, 201)

    async def element_impact(self, request: Request) -> Response:
        """What a changed element would touch; nothing is kept."""
        want = await _body(request, _Draft)
        told = await self._desk.registry.element_impact(want.text)
        return _json(
            {
                "bound": [
                    {
                        "resource": each.resource,
                        "number": each.number,
                        "state": each.state,
                        "items": each.items,
                        **_compared(each.comparison),
                        "uses": [asdict(use) for use in each.uses],
                        "grants": each.grants,
                        "recorded": _recorded(each.recorded),
                    }
                    for each in told.bound
                ],
                "partners": told.partners,
                "grants": told.grants,
                "problems": [asdict(each) for each in told.problems],
            }
        )

    async def act(self, request: Request) -> Response:
        asked, want = request.path_params, await _body(request, _Act)
        said = Said(tuple(Reason(each.item, each.text) for each in want.reasons), want.ends)
        act = _one_of(Act, asked["act"])
        standing = await self._desk.versions.act(
            asked["name"], asked["number"], act, self._actor(request), said
        )
        return self._changed({"state": standing.state})

    async def sheet(self, request: Request) -> Response:
        """A spreadsheet, whose changed resources become drafts."""
        want, actor = await _body(request, _Sheet), self._actor(request)
        done = await import_drafts(
            want.xlsx, self._desk.registry, self._desk.versions, actor, dry_run=want.dry_run
        )
        if done.faults:
            raise Rejected(done.faults[0].code, "Nothing was drafted", faults=done.faults)
        told = {
            "kept": done.kept,
            "drafts": [{"resource": each.resource, "number": each.number} for each in done.drafts],
            "faults": [
                {"cell": f.cell, "severity": f.severity, "code": f.code}
                | {lang: f.say(lang) for lang in ("zh", "en")}
                for f in done.reading.faults
            ],
        }
        return self._changed(told) if done.reading.ok else _json(told, 422)

    async def application(self, request: Request) -> Response:
        return _json(asdict(await self._desk.registry.application(request.path_params["number"])))

    async def apply(self, request: Request) -> Response:
        want = await _body(request, _Application)
        made = await self._desk.grants.apply(Asked(**want.model_dump()), self._actor(request))
        return self._changed(asdict(made), 201)

    async def amend(self, request: Request) -> Response:
        """A returned application, changed and submitted again."""
        want, number = await _body(request, _Application), request.path_params["number"]
        made = await self._desk.grants.amend(
            number, Asked(**want.model_dump()), self._actor(request)
        )
        return self._changed(asdict(made))

    async def decide(self, request: Request) -> Response:
        want = await _body(request, _Answer)
        decision = _one_of(Decision, request.path_params["decision"])
        answer = Answer(want.reason, want.items)
        number = request.path_params["number"]
        made = await self._desk.grants.decide(number, decision, self._actor(request), answer)
        return self._changed(asdict(made))

    async def grants(self, request: Request) -> Response:
        asked = request.query_params
        found = await self._desk.registry.grants(asked.get("state", ""), asked.get("resource", ""))
        return _json({"grants": [asdict(each) for each in found]})

    async def grant(self, request: Request) -> Response:
        number = request.path_params["number"]
        held = await self._desk.registry.grant(number)
        return _json({**asdict(held), "use": await self._desk.registry.use(number)})

    async def secret(self, request: Request) -> Response:
        """For its grantee, the only time that it is shown."""
        want, number = await _body(request, _Secret), request.path_params["number"]
        secret = await self._desk.grants.secret(number, self._actor(request), anew=want.anew)
        return self._changed({"app_id": number, "secret": secret})

    async def revoke(self, request: Request) -> Response:
        want, number = await _body(request, _Reason), request.path_params["number"]
        await self._desk.grants.revoke(number, self._actor(request), want.reason)
        return self._changed({"number": number, "state": "revoked"})

    def _version(self, version: Version) -> dict[str, Any]:
        standing = version.standing
        waiting, held = self._desk.waiting(standing), holder(standing)
        return {
            **asdict(standing),
            "accepted": version.accepted,
            "holder": {"role": held[0], "unit": held[1]} if held else None,
            "working_days": waiting.days if waiting else None,
        }

    def _actor(self, request: Request) -> Actor:
        return self._desk.actors.of(request)

    def _changed(self, document: Any, status: int = 200) -> Response:
        self._desk.shell.signals.announce("catalogue")
        return _json(document, status)


def _compared(compared: Comparison | None) -> dict[str, Any]:
    return {
        "backward": compared.backward if compared else None,
        "forward": compared.forward if compared else None,
        "differences": [
            {**asdict(each), "zh": each.say("zh"), "en": each.say("en")}
            for each in (compared.differences if compared else ())
        ],
    }


def _recorded(told: Recorded | None) -> dict[str, Any] | None:
    if told is None:
        return None
    return {"messages": told.messages, "failing": told.failing, "share": told.share}


def _brief(resource: Resource) -> dict[str, Any]:
    return resource.model_dump(mode="json", exclude={"items"})


E = TypeVar("E", Act, Decision)


def _one_of(kind: type[E], told: str) -> E:
    try:
        return kind(told)
    except ValueError as error:
        raise Rejected("catalogue.form", "No such act", at="act") from error


async def _body(request: Request, model: type[M]) -> M:
    try:
        return model.model_validate_json(await request.body() or b"{}")
    except ValidationError as error:
        faults = [
            Fault("catalogue.field", "/" + "/".join(map(str, each["loc"])), {"said": each["msg"]})
            for each in error.errors()
        ]
        raise Rejected("catalogue.field", "The body is not as asked for", faults=faults) from error


def _told(endpoint: Endpoint) -> Endpoint:
    """Errors as problem details."""

    async def told(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Rejected as error:
            return problem(request, error.faults, _status(error.code))
        except InvalidDeclaration as error:
            return problem(request, faults_of(error), 422)
        except HubError as error:
            return problem(request, [Fault(error.code, "", error.facts)], 503)

    return told


def _status(code: str) -> int:
    known = ((UNKNOWN, 404), (FORBIDDEN, 403), (CONFLICT, 409))
    return next((status for codes, status in known if code in codes), 422)


def _json(document: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(document), status, media_type="application/json")
