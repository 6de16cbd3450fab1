"""A data element as a form: what is asked for, and the declaration that it makes.

Standard   GB/T 19488.1-2004 (attributes of data elements), R-A4
"""

from __future__ import annotations

from typing import Any, get_args

from catalog.forms.fields import Field, Section, Shown, fits, shown, taken
from catalog.forms.text import Told, edited, told_of
from catalog.model import DataElement, DataType, ElementStatus, IdentifierKind, Sensitivity
from web.guard import Form

__all__ = ["ELEMENT_SECTIONS", "KINDS", "element_shown", "element_text"]

KINDS: tuple[str, ...] = get_args(IdentifierKind)
MOST_KINDS = 50
_ORDER = (*DataElement.model_fields, "zh", "en", "codes", "identifier_by", "identifiers")

ELEMENT_SECTIONS = (
    Section(
        "catalogue.form.naming",
        (
            Field(
                path="identifier",
                label="catalogue.col.identifier",
                hint="catalogue.hint.identifier",
                needed=True,
                code=True,
                most=32,
            ),
            Field(path="name.zh", label="catalogue.form.name-zh", needed=True, most=200),
            Field(path="name.en", label="catalogue.form.name-en", needed=True, most=200),
            Field(
                path="short_name",
                label="catalogue.col.short",
                hint="catalogue.hint.short",
                needed=True,
                code=True,
                most=100,
            ),
            Field(
                path="synonyms",
                label="catalogue.col.synonyms",
                kind="lines",
                hint="catalogue.hint.lines",
            ),
            Field(path="object_class", label="catalogue.word.object", filled=True, most=64),
            Field(path="property", label="catalogue.word.property", filled=True, most=64),
            Field(
                path="representation",
                label="catalogue.word.representation",
                hint="catalogue.hint.representation",
                filled=True,
                most=64,
            ),
            Field(
                path="definition",
                label="catalogue.col.definition",
                kind="area",
                needed=True,
                wide=True,
                most=2000,
            ),
        ),
    ),
    Section(
        "catalogue.form.value",
        (
            Field(
                path="type",
                label="catalogue.col.type",
                kind="choice",
                options=tuple(DataType),
                of="catalogue.type.",
                needed=True,
            ),
            Field(
                path="format",
                label="catalogue.col.format",
                hint="catalogue.hint.format",
                needed=True,
                code=True,
                most=64,
            ),
            Field(path="unit", label="catalogue.col.unit", most=64),
            Field(
                path="sensitivity",
                label="catalogue.col.sensitivity",
                kind="choice",
                options=tuple(Sensitivity),
                of="catalogue.sensitivity.",
                otherwise=Sensitivity.OPEN,
            ),
        ),
    ),
    Section(
        "catalogue.form.domain",
        (
            Field(
                path="domain.codes",
                label="catalogue.form.codes",
                hint="catalogue.hint.codes",
                suggest="code-lists",
                code=True,
                most=64,
            ),
            Field(
                path="domain.identifier",
                label="catalogue.domain.identifier",
                kind="choice",
                options=("", *KINDS),
                of="catalogue.kind.",
            ),
            Field(path="domain.minimum", label="catalogue.form.minimum", code=True, most=64),
            Field(path="domain.maximum", label="catalogue.form.maximum", code=True, most=64),
            Field(
                path="domain.note",
                label="catalogue.form.domain-note",
                kind="area",
                wide=True,
            ),
            Field(
                path="domain.identifier_by",
                label="catalogue.form.kind-by",
                hint="catalogue.hint.kind-by",
                suggest="elements",
                code=True,
                most=64,
            ),
        ),
    ),
    Section(
        "catalogue.form.registration",
        (
            Field(
                path="status",
                label="catalogue.col.state",
                kind="choice",
                options=tuple(ElementStatus),
                of="catalogue.status.",
                otherwise=ElementStatus.STANDARD,
            ),
            Field(
                path="version",
                label="catalogue.col.version",
                hint="catalogue.hint.version",
                otherwise="1.0",
                code=True,
                most=16,
            ),
            Field(
                path="replaced_by",
                label="catalogue.col.replaced",
                hint="catalogue.hint.replaced",
                suggest="elements",
                code=True,
                most=64,
            ),
            Field(path="standard", label="catalogue.col.standard", most=200),
            Field(path="example", label="catalogue.col.example", code=True, most=500),
            Field(path="note", label="catalogue.col.note", kind="area", wide=True, most=2000),
        ),
    ),
)
_FIELDS = [field for section in ELEMENT_SECTIONS for field in section.fields]


def element_shown(text: str) -> tuple[Shown, list[tuple[str, str]]] | None:
    """What the form holds: fields by name, and kinds of identifier by code; None where *text* is of no
    such shape."""
    told = told_of(text)
    if told is None or not _is_shown(told):
        return None
    return shown(told, _FIELDS), list(_kinds(told).items())


def element_text(text: str, given: Form) -> str:
    """*text* with what is *given* in the form."""
    now = told_of(text) or {}
    told = taken(now, given, _FIELDS)
    kinds = _kinds_given(given)
    if kinds != _kinds(now):
        domain: Told = {k: v for k, v in told.get("domain", {}).items() if k != "identifiers"}
        told["domain"] = domain | ({"identifiers": kinds} if kinds else {})
        if not told["domain"]:
            del told["domain"]
    return edited(text, told, _ORDER)


def _kinds(told: Told) -> dict[str, str]:
    found: Any = told.get("domain", {}).get("identifiers") or {}
    return dict(found)


def _kinds_given(given: Form) -> dict[str, str]:
    codes, kinds = given.get("by.code", []), given.get("by.kind", [])
    pairs = list(zip(codes, kinds, strict=False))[:MOST_KINDS]
    return {code.strip()[:64]: kind for code, kind in pairs if code.strip()}


def _is_shown(told: Told) -> bool:
    return fits(told, _FIELDS) and isinstance(told.get("domain", {}).get("identifiers", {}), dict)
