"""A resource as a form: its core metadata, its rows of items, and the declaration that they make.

Standard   GB/T 21063.3-2007 (core metadata), the 2017 compiling guide
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.forms.fields import Field, Section, Shown, fits, shown, taken
from catalog.forms.rows import ITEM_FIELDS, SHARES, WAYS, Row, items_of, rows_given, rows_of
from catalog.forms.text import Told, edited, told_of
from catalog.model import Item, Resource, ResourceFormat, Share, UpdateCycle
from web.guard import Form

__all__ = ["RESOURCE_SECTIONS", "resource_fields", "resource_shown", "resource_text"]

_ORDER = (*Resource.model_fields, *Item.model_fields, *Share.model_fields, "zh", "en")

RESOURCE_SECTIONS = (
    Section(
        "catalogue.form.core",
        (
            Field(
                path="resource",
                label="catalogue.form.stream",
                hint="catalogue.hint.stream",
                needed=True,
                code=True,
                most=64,
            ),
            Field(
                path="code",
                label="catalogue.col.code",
                hint="catalogue.hint.code",
                needed=True,
                code=True,
                most=100,
            ),
            Field(path="name.zh", label="catalogue.form.name-zh", needed=True, most=200),
            Field(path="name.en", label="catalogue.form.name-en", needed=True, most=200),
            Field(
                path="summary",
                label="catalogue.col.summary",
                kind="area",
                needed=True,
                wide=True,
                most=2000,
            ),
            Field(
                path="provider",
                label="catalogue.col.provider",
                suggest="providers",
                needed=True,
                most=200,
            ),
            Field(
                path="provider_code",
                label="catalogue.form.provider-code",
                hint="catalogue.hint.provider-code",
                code=True,
                most=64,
            ),
            Field(
                path="category",
                label="catalogue.col.category",
                suggest="categories",
                needed=True,
                most=200,
            ),
            Field(
                path="cycle",
                label="catalogue.col.cycle",
                kind="choice",
                options=tuple(UpdateCycle),
                of="catalogue.cycle.",
                needed=True,
            ),
            Field(
                path="format",
                label="catalogue.col.format",
                kind="choice",
                options=tuple(ResourceFormat),
                of="catalogue.format.",
                otherwise=ResourceFormat.DATABASE,
            ),
            Field(
                path="version",
                label="catalogue.col.version",
                kind="number",
                hint="catalogue.hint.number",
                otherwise="1",
                code=True,
                most=6,
            ),
            Field(
                path="published",
                label="catalogue.form.published",
                hint="catalogue.hint.day",
                code=True,
                most=16,
            ),
            Field(
                path="related",
                label="catalogue.form.related",
                kind="lines",
                hint="catalogue.hint.lines",
                code=True,
            ),
        ),
    ),
    Section(
        "catalogue.form.sharing",
        (
            Field(
                path="share.type",
                label="catalogue.col.share",
                kind="choice",
                options=SHARES,
                of="catalogue.share.",
                needed=True,
            ),
            Field(
                path="share.way",
                label="catalogue.col.way",
                kind="choice",
                options=WAYS,
                of="catalogue.way.",
                needed=True,
            ),
            Field(path="share.open", label="catalogue.form.open", kind="flag"),
            Field(path="share.open_condition", label="catalogue.form.open-condition", kind="area"),
            Field(
                path="share.condition",
                label="catalogue.form.condition",
                kind="area",
                hint="catalogue.hint.condition",
                wide=True,
                most=2000,
            ),
        ),
    ),
    Section(
        "catalogue.form.keys",
        (
            Field(
                path="subject",
                label="catalogue.key",
                hint="catalogue.hint.key",
                suggest="items",
                needed=True,
                code=True,
                most=64,
            ),
            Field(
                path="region",
                label="catalogue.role.region",
                suggest="items",
                code=True,
                most=64,
            ),
            Field(path="requirement", label="catalogue.form.requirement", most=200),
            Field(path="note", label="catalogue.col.note", kind="area", most=2000),
        ),
    ),
)
_FIELDS = {each.path: each for section in RESOURCE_SECTIONS for each in section.fields}


def resource_fields(rows: list[Row]) -> Mapping[str, Field]:
    """All fields of the form with *rows*, by their names, in their order."""
    made = dict(_FIELDS)
    for row in rows:
        other = "element" if row.group else "group"
        made |= {f"{row.prefix}{path}": each for path, each in ITEM_FIELDS.items() if path != other}
    return made


def resource_shown(text: str) -> tuple[Shown, list[Row]] | None:
    """What the form holds: fields by name, and rows; None where *text* is of no such shape."""
    told = told_of(text)
    if told is None or not _is_shown(told):
        return None
    return shown(told, tuple(_FIELDS.values())), rows_of(told.get("items", []))


def resource_text(text: str, given: Form) -> tuple[str, dict[str, str]]:
    """*text* with what is *given* in the form; and by the path of an item the beginning of its fields' names."""
    now = told_of(text) or {}
    told = taken(now, given, tuple(_FIELDS.values()))
    share: Any = told.get("share")
    way = str(share.get("way", "")) if isinstance(share, dict) else ""
    items, paths = items_of(rows_given(given), given, now.get("items", []), way)
    if items != now.get("items", []):
        told["items"] = items
    return edited(text, told, _ORDER), paths


def _is_shown(told: Told) -> bool:
    return fits(told, tuple(_FIELDS.values())) and _are_items(told.get("items", []))


def _are_items(items: Any) -> bool:
    return isinstance(items, list) and all(
        isinstance(each, dict)
        and fits(each, tuple(ITEM_FIELDS.values()))
        and _are_items(each.get("items", []))
        for each in items
    )
