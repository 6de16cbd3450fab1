"""Drafts of resources, field by field or as text, with everything that is wrong told at its field or beside
the text.

Promises   both ways make the same declaration, which one action keeps; what a form does not show stays as the
           text has it. Rows are added, moved and taken out without a script, too
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from catalog.forms.faults import AtFields, found_at, problems_at, refused_at
from catalog.forms.fields import Shown
from catalog.forms.resource import (
    RESOURCE_SECTIONS,
    resource_fields,
    resource_shown,
    resource_text,
)
from catalog.forms.rows import ACTS, ITEM_FIELDS, Row, acted, added, may_act, rows_given
from catalog.lifecycle.kept import Version
from catalog.lifecycle.steps import OPEN
from catalog.lint import lint
from catalog.model import Catalogue, DataElement, Names, Resource
from catalog.pages.desk import PageDesk, bounded, faults_of, field_of, text_of
from schemas.declarations import InvalidDeclaration, parse
from schemas.errors import Facts, Fault, Rejected
from schemas.texts import say
from web.guard import Form
from web.language import language_of
from web.shell import form_of

__all__ = ["DraftPages"]

# What a row shows below itself.
MORE = (
    "name.zh",
    "name.en",
    "note",
    "share.way",
    "share.condition",
    "share.open_condition",
    "share.open",
)
NEEDED = Fault("catalogue.fault.no-items")


@dataclass(frozen=True, slots=True)
class _Draft:
    """What is written at: version *number* of *name*, 0 where it is new."""

    name: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class _Filled:
    """A form to be shown. *at*: what is said at its fields; *warned*: that is to be mended before the draft is
    published, not before it is kept; *focus*: the field to go on at."""

    shown: Shown
    rows: Sequence[Row]
    at: AtFields = field(default_factory=dict)
    warned: bool = False
    focus: str = ""


class DraftPages:
    """Endpoints over a `PageDesk`."""

    def __init__(self, desk: PageDesk) -> None:
        self._desk = desk

    async def form(self, request: Request) -> Response:
        """A draft to be written: from what is live, from a draft, or new. *as*: ``text``, or field by field,
        with what keeps a draft that is under way from being published."""
        name = request.query_params.get("resource", "")[:64]
        versions = await self._desk.registry.versions(name) if name else ()
        pending = next((v for v in versions if v.standing.state in OPEN), None)
        text = pending.text if pending else _next_text(versions)
        draft = _Draft(name, pending.standing.number if pending else 0, text)
        if request.query_params.get("as") == "text":
            return self._as_text(request, draft)
        return await self._as_form(request, draft, linted=pending is not None)

    async def draft(self, request: Request) -> Response:
        """Keep the draft, with everything that is wrong, where something is; or do what is asked with the
        form: show it the other way, or change its rows."""
        form = form_of(request)
        text = text_of(form)
        number = field_of(form, "number", 6)
        told = int(number) if number.isascii() and number.isdigit() else 0
        draft, do = _Draft(field_of(form, "draft", 64), told, text), field_of(form, "do")
        if field_of(form, "as") != "form":
            if do == "form":
                return await self._as_form(request, draft)
            return await self._keep(request, draft)
        catalogue = await self._desk.registry.catalogue()
        given = _named(form, catalogue)
        filled = _Filled(_shown(given), rows_given(given))
        text, paths = await asyncio.to_thread(resource_text, text, given)
        match do.partition(":")[0]:
            case "text":
                return self._as_text(request, replace(draft, text=text))
            case "" | "keep" | "form":
                return await self._keep(request, replace(draft, text=bounded(text)), filled, paths)
            case act:
                changed = _acted(filled, act, do.partition(":")[2])
                return await self._filled(request, draft, changed)

    async def _keep(
        self,
        request: Request,
        draft: _Draft,
        filled: _Filled | None = None,
        paths: dict[str, str] | None = None,
    ) -> Response:
        """*filled*: the form that it was written with; None: it was written as text."""
        desk, name = self._desk, draft.name
        actor = desk.actors.of(request)
        problem: InvalidDeclaration | Rejected
        try:
            if draft.number:
                await desk.versions.revise(name, draft.number, draft.text, actor)
            else:
                name = (await desk.versions.draft(draft.text, actor)).resource
        except (InvalidDeclaration, Rejected) as error:
            problem = error
        else:
            desk.shell.signals.announce("catalogue")
            return RedirectResponse(f"/catalogue/resources/{name}", 303)
        if filled is not None:
            at = _at(filled, problem, paths or {})
            return await self._filled(request, draft, replace(filled, at=at))
        return self._as_text(request, draft, faults=_faults(problem))

    async def _as_form(self, request: Request, draft: _Draft, *, linted: bool = False) -> Response:
        held = await asyncio.to_thread(resource_shown, draft.text)
        if held is None:
            return self._as_text(request, draft, faults=_unread(draft.text))
        shown, rows = held
        at: AtFields = {}
        if linted:
            catalogue = await self._desk.registry.catalogue()
            at = await asyncio.to_thread(_linted, draft.text, rows, catalogue)
        if not draft.text:
            # Who drafts does it for his own department, most likely.
            shown["provider"] = self._desk.actors.of(request).unit
        if not rows:
            rows = [added(())]
        return await self._filled(request, draft, _Filled(shown, rows, at, warned=True))

    async def _filled(self, request: Request, draft: _Draft, filled: _Filled) -> Response:
        desk, lang = self._desk, language_of(request)
        catalogue = await desk.registry.catalogue()
        fields = resource_fields(list(filled.rows))
        resources = catalogue.resources.values()
        at = {name: filled.at[name] for name in [*fields, "items", ""] if filled.at.get(name)}
        first = next((name for name in at if name in fields), "")
        return desk.render(
            request,
            "resource_form",
            status=422 if at and not filled.warned else 200,
            name=draft.name,
            number=draft.number,
            text=draft.text,
            sections=RESOURCE_SECTIONS,
            shown=filled.shown,
            rows=filled.rows,
            may=may_act(filled.rows),
            acts=ACTS,
            item_fields=ITEM_FIELDS,
            more_fields=MORE,
            opened={
                row.prefix
                for row in filled.rows
                if any(at.get(f"{row.prefix}{path}") for path in MORE)
                or (row.group and row.key.startswith("n"))
            },
            elements=catalogue.elements,
            at=at,
            warned=filled.warned,
            labels=_labels(filled.rows, lang) | {"items": say("catalogue.items", {}, lang)},
            focus=filled.focus or ("" if filled.warned else first),
            known_elements=[(e.short_name, _in(e.name, lang)) for e in catalogue.elements.values()],
            known_items=_items(filled.rows, catalogue, lang),
            known_providers=[(each, "") for each in sorted({r.provider for r in resources})],
            known_categories=[(each, "") for each in sorted({r.category for r in resources})],
        )

    def _as_text(
        self, request: Request, draft: _Draft, *, faults: Sequence[Fault] = ()
    ) -> Response:
        return self._desk.render(
            request,
            "draft",
            status=422 if faults else 200,
            name=draft.name,
            text=draft.text,
            number=draft.number,
            faults=faults,
        )


def _next_text(versions: Sequence[Version]) -> str:
    """The newest text under the next number."""
    if not versions:
        return ""
    last = versions[0].standing.number
    lines = versions[0].text.splitlines()
    lines = [line for line in lines if not line.startswith("version:")]
    at = next((n for n, line in enumerate(lines) if line.startswith("code:")), 0)
    return "\n".join([*lines[: at + 1], f"version: {last + 1}", *lines[at + 1 :]]) + "\n"


def _shown(given: Form) -> Shown:
    return {path: given.get(path, [""])[0] for path in resource_fields([])}


def _named(form: Form, catalogue: Catalogue) -> Form:
    """*form* with the short name where the Chinese name of an element was given."""
    named: dict[str, list[DataElement]] = {}
    for each in catalogue.elements.values():
        for name in (each.name.zh, *each.synonyms):
            named.setdefault(name, []).append(each)
    made = dict(form)
    fields = [f"items.{key}.element" for key in form.get("row", ())]
    for path in (*fields, "subject", "region"):
        said = form.get(path, [""])[0].strip()
        if said not in catalogue.elements and len(found := named.get(said, [])) == 1:
            made[path] = [found[0].short_name]
    return made


def _acted(filled: _Filled, act: str, key: str) -> _Filled:
    if act in ("add", "add-group") and not key:
        row = added(filled.rows, group=act == "add-group")
        focus = f"{row.prefix}{'group' if row.group else 'element'}"
        return replace(filled, rows=[*filled.rows, row], focus=focus)
    known = next((each for each in ACTS if each == act), None)
    if known is None:
        raise Rejected("catalogue.form", "No such act", at="do")
    rows, at = acted(filled.rows, known, key)
    seen = next((each for each in rows if each.key == at), None)
    if seen is None:
        return replace(filled, rows=rows)
    which = f"{seen.prefix}{'group' if seen.group else 'element'}"
    stays = known not in ("add", "drop") and known in may_act(rows)[at]
    return replace(filled, rows=rows, focus=f"{act}-{at}" if stays else which)


def _at(filled: _Filled, error: InvalidDeclaration | Rejected, paths: dict[str, str]) -> AtFields:
    """What is wrong, at the fields that mend it."""
    fields = resource_fields(list(filled.rows))
    if isinstance(error, Rejected):
        return refused_at(error.faults, fields)
    shown = dict(filled.shown)
    for row in filled.rows:
        shown |= {f"{row.prefix}{path}": value for path, value in row.shown.items()}
    found = problems_at([e for e in error.problems if e.path != "items"], fields, shown, paths)
    if any(each.path == "items" for each in error.problems):
        found["items"] = [NEEDED]
    return found


def _faults(error: InvalidDeclaration | Rejected) -> Sequence[Fault]:
    return faults_of(error) if isinstance(error, InvalidDeclaration) else error.faults


def _unread(text: str) -> Sequence[Fault]:
    """What is wrong with a text that no form can show."""
    try:
        parse(text, Resource, file="resource")
    except InvalidDeclaration as error:
        return faults_of(error)
    return ()


def _linted(text: str, rows: Sequence[Row], catalogue: Catalogue) -> AtFields:
    """What would keep the draft from being published, or is likely a slip."""
    try:
        draft = parse(text, Resource, file="resource")
    except InvalidDeclaration:
        return {}
    resources = {**catalogue.resources, draft.resource: draft}
    place = f"resource {draft.resource}"
    starts = {row.shown["group" if row.group else "element"]: row.prefix for row in rows}
    findings = lint(replace(catalogue, resources=resources))
    return found_at(findings, place, resource_fields(list(rows)), starts)


def _labels(rows: Sequence[Row], lang: str) -> dict[str, str]:
    """What each field is called, in a row with its number."""
    made = {path: say(each.label, {}, lang) for path, each in resource_fields([]).items()}
    for number, row in enumerate(rows, start=1):
        for path, each in ITEM_FIELDS.items():
            facts: Facts = {"number": number, "label": say(each.label, {}, lang)}
            made[f"{row.prefix}{path}"] = say("catalogue.form.row", facts, lang)
    return made


def _items(rows: Sequence[Row], catalogue: Catalogue, lang: str) -> list[tuple[str, str]]:
    names = [row.shown["element"] for row in rows if not row.group and not row.depth]
    return [
        (name, _in(catalogue.elements[name].name, lang) if name in catalogue.elements else "")
        for name in names
        if name
    ]


def _in(names: Names, lang: str) -> str:
    return names.en if lang == "en" else names.zh
