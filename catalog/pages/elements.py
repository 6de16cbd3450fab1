"""Data elements registered and changed on a page, field by field or as text, with everything that is wrong
told at its field or beside the text.

Promises   both ways make the same declaration, which one action registers; what a form does not show stays as
           the text has it. What an element that is in use would touch is shown before it is changed: a change
           is taken only with the digest of the text whose impact was shown
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from catalog.forms.element import ELEMENT_SECTIONS, KINDS, element_shown, element_text
from catalog.forms.faults import AtFields, found_at, problems_at, refused_at
from catalog.lifecycle.impact import ElementImpact
from catalog.lint import lint
from catalog.model import Catalogue, DataElement
from catalog.pages.desk import PageDesk, faults_of, field_of, text_of
from schemas.declarations import InvalidDeclaration, parse
from schemas.errors import Fault, Rejected
from schemas.texts import say
from web.guard import Form
from web.language import language_of
from web.shell import form_of

__all__ = ["ElementPages"]

MOST_TEXT = 16_000
FIELDS = {each.path: each for section in ELEMENT_SECTIONS for each in section.fields}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A form to be shown. *given*: what was typed, which is shown again as it is; *new*: nothing of *text* is
    said yet; *more*: with another line for kinds of identifier."""

    name: str
    text: str
    given: Form | None = None
    at: AtFields = field(default_factory=dict)
    impact: ElementImpact | None = None
    new: bool = False
    more: bool = False


class ElementPages:
    """Endpoints over a `PageDesk`."""

    def __init__(self, desk: PageDesk) -> None:
        self._desk = desk

    async def form(self, request: Request) -> Response:
        """An element as it is declared; *element*: its short name, none for a new one. *as*: ``text``, or
        field by field."""
        name = request.query_params.get("element", "")[:64]
        text = await self._desk.elements.text(name)
        if request.query_params.get("as") == "text":
            return self._as_text(request, name, text)
        return await self._as_form(request, _Asked(name, text, new=not name))

    async def register(self, request: Request) -> Response:
        """Make it so, or tell everything that keeps it from being; or show it the other way."""
        form = form_of(request)
        base = text_of(form, MOST_TEXT)
        name, do = field_of(form, "element", 64), field_of(form, "do")
        fields = field_of(form, "as") == "form"
        text = element_text(base, form) if fields else base
        match do:
            case "text":
                return self._as_text(request, name, text)
            case "form":
                return await self._as_form(request, _Asked(name, text))
            case "more":
                return await self._as_form(request, _Asked(name, text, given=form, more=True))
            case _:
                return await self._register(request, name, text, form if fields else None)

    async def _register(
        self, request: Request, name: str, text: str, given: Form | None
    ) -> Response:
        desk = self._desk
        seen = field_of(form_of(request), "seen")
        impact: ElementImpact | None = None
        problem: InvalidDeclaration | Rejected | None = None
        try:
            impact = await self._unseen(text, seen)
            if impact is None:
                made = await desk.elements.register(text, desk.actors.of(request))
                desk.shell.signals.announce("catalogue")
                return RedirectResponse(f"/catalogue/elements/{made.short_name}", 303)
        except (InvalidDeclaration, Rejected) as error:
            problem = error
        if given is not None:
            at = await self._at(text, given, problem) if problem else {}
            return await self._as_form(
                request, _Asked(name, text, given=given, at=at, impact=impact)
            )
        faults: Sequence[Fault] = ()
        if problem:
            faults = (
                faults_of(problem) if isinstance(problem, InvalidDeclaration) else problem.faults
            )
        return self._as_text(request, name, text, faults=faults, impact=impact)

    async def _unseen(self, text: str, seen: str) -> ElementImpact | None:
        """What it would touch, where it touches anything that was not shown yet."""
        if seen == _digest(text):
            return None
        impact = await self._desk.registry.element_impact(text)
        return impact if impact.bound else None

    async def _at(self, text: str, given: Form, error: InvalidDeclaration | Rejected) -> AtFields:
        """What is wrong, at the fields that mend it."""
        if isinstance(error, InvalidDeclaration):
            shown = {path: given.get(path, [""])[0] for path in FIELDS}
            return problems_at(error.problems, FIELDS, shown)
        if error.code == "lifecycle.unfit":
            catalogue = await self._desk.registry.catalogue()
            at = await asyncio.to_thread(_linted, text, catalogue)
            if at:
                return at
        return refused_at(error.faults, FIELDS)

    async def _as_form(self, request: Request, asked: _Asked) -> Response:
        text, given, at = asked.text, asked.given, asked.at
        held = element_shown(text)
        if held is None:
            return self._unshown(request, asked.name, text)
        shown, kinds = held
        if asked.new:
            # One that nobody chose would be everybody's.
            shown["identifier"] = ""
        if given is not None:
            shown = {path: given.get(path, [""])[0] for path in FIELDS}
            pairs = zip(given.get("by.code", []), given.get("by.kind", []), strict=False)
            kinds = [(code, kind) for code, kind in pairs if code or asked.more]
        lang, catalogue = language_of(request), await self._desk.registry.catalogue()
        return self._desk.render(
            request,
            "element_form",
            status=422 if at else 200,
            name=asked.name,
            text="" if asked.new else text,
            sections=ELEMENT_SECTIONS,
            shown=shown,
            kinds=[*kinds, ("", "")],
            known_kinds=KINDS,
            more=asked.more,
            at=at,
            labels={path: say(each.label, {}, lang) for path, each in FIELDS.items()},
            focus=next((path for path in FIELDS if at.get(path)), ""),
            known_elements=[
                (each.short_name, each.name.en if lang == "en" else each.name.zh)
                for each in catalogue.elements.values()
            ],
            known_codes=[
                (each.name, each.title.en if lang == "en" else each.title.zh)
                for each in catalogue.code_lists.values()
            ],
            impact=asked.impact,
            seen=_digest(text) if asked.impact else "",
        )

    def _unshown(self, request: Request, name: str, text: str) -> Response:
        """A text that no form can show: what is wrong with it is told beside it."""
        try:
            parse(text, DataElement, file="element")
        except InvalidDeclaration as error:
            return self._as_text(request, name, text, faults=faults_of(error))
        return self._as_text(request, name, text)

    def _as_text(
        self,
        request: Request,
        name: str,
        text: str,
        *,
        faults: Sequence[Fault] = (),
        impact: ElementImpact | None = None,
    ) -> Response:
        return self._desk.render(
            request,
            "element_draft",
            status=422 if faults else 200,
            name=name,
            text=text,
            faults=faults,
            impact=impact,
            seen=_digest(text) if impact else "",
        )


def _linted(text: str, catalogue: Catalogue) -> AtFields:
    """What the linter says of the element of *text* among the others."""
    element = parse(text, DataElement, file="element")
    elements = {**catalogue.elements, element.short_name: element}
    findings = [
        each
        for each in lint(replace(catalogue, elements=elements))
        if each.severity == "error" and each.place == f"element {element.short_name}"
    ]
    return found_at(findings, f"element {element.short_name}", FIELDS)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
