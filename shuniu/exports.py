"""What is derived from a site's declarations, as files: the one list of formats that there are.

Form       some formats are one file for all resources asked for, others a file for each
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random

import orjson

from catalog.derive.asyncapi import asyncapi
from catalog.derive.dcat import dcat
from catalog.derive.example import example_body
from catalog.derive.guide import Guided, guide, guide_page
from catalog.derive.interface import Interface
from catalog.derive.json_schema import json_schema
from catalog.derive.openapi import openapi
from catalog.derive.spoil import spoilt_bodies
from catalog.derive.xsd import xsd
from catalog.derive.yaml_text import resource_yaml
from catalog.model import Catalogue, Resource
from catalog.sheet.write import write_sheet
from routes.identity import identity_intake
from routes.site import Declarations
from schemas.errors import Misconfigured
from schemas.message import Json
from shuniu.interface import interface_of
from shuniu.masked_views import masked_views
from shuniu.tables import agreed_tables, resource_tables, tables_text

__all__ = ["Form", "Wish", "exported"]


class Form(StrEnum):
    XLSX = "xlsx"
    YAML = "yaml"
    JSON_SCHEMA = "json-schema"
    XSD = "xsd"
    SAMPLE = "sample"
    OPENAPI = "openapi"
    ASYNCAPI = "asyncapi"
    DCAT = "dcat"
    INTAKE = "intake"
    DDL = "ddl"
    GUIDE = "guide"
    MASKED_VIEW = "masked-view"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """*resources*, *system*: only these, where any are named. *address*: where partners reach the hub.
    *dialect*: of the partner's database. *invalid*: instead of a sample all ways in which one can be
    wrong."""

    resources: tuple[str, ...] = ()
    system: str = ""
    address: str = "/"
    dialect: str = "postgresql"
    lang: str = "zh"
    invalid: bool = False


@dataclass(frozen=True, slots=True)
class _Asked:
    """A wish, with what it chooses."""

    wish: Wish
    declarations: Declarations
    interface: Interface
    resources: list[Resource]

    @property
    def catalogue(self) -> Catalogue:
        return self.declarations.catalogue


def exported(form: Form, wish: Wish, declarations: Declarations) -> dict[str, bytes]:
    """The files by name. Raises `Misconfigured` for names of nothing known."""
    if form is Form.INTAKE and not wish.system:
        raise Misconfigured("catalog.whose", "No system is named")
    if wish.invalid and form is not Form.SAMPLE:
        raise Misconfigured("catalog.only-samples", "Only samples can be invalid", form=form.value)
    asked = _asked(wish, declarations)
    if form in _MANY:
        return _MANY[form](asked)
    if form in _WHOLE:
        name, write = _WHOLE[form]
        return {name: write(asked)}
    suffix, derive = (".invalid.json", _spoilt) if wish.invalid else _EACH[form]
    return {f"{each.resource}{suffix}": derive(each, asked.catalogue) for each in asked.resources}


def _asked(wish: Wish, declarations: Declarations) -> _Asked:
    known, interface = declarations.catalogue.resources, interface_of(declarations)
    for name in wish.resources:
        if name not in known:
            raise Misconfigured("catalog.unknown-resource", "No such resource", resource=name)
    chosen = set(wish.resources or known)
    if wish.system:
        if wish.system not in declarations.systems:
            raise Misconfigured("catalog.unknown-system", "No such system", system=wish.system[:64])
        interface = interface.of(wish.system)
        # What it does not exchange yet it may want to: named, it is described all the same.
        chosen &= set(wish.resources) or interface.resources
    interface = interface.about(chosen)
    return _Asked(wish, declarations, interface, [known[name] for name in known if name in chosen])


def _json(document: Json) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _sample(resource: Resource, catalogue: Catalogue) -> bytes:
    return _json(example_body(resource, catalogue))


def _spoilt(resource: Resource, catalogue: Catalogue) -> bytes:
    """A list of records that are wrong in one way each, with code and place."""
    spoilt = list(spoilt_bodies(resource, catalogue, Random(resource.code)))  # noqa: S311 - made up
    return orjson.dumps(spoilt, option=orjson.OPT_INDENT_2)


def _ddl(asked: _Asked) -> dict[str, bytes]:
    """Of a system that has agreed on tables, those; else tables as the resources ask for them."""
    wish = asked.wish
    ending = f".{wish.dialect}.sql"
    if wish.system and (agreed := agreed_tables(asked.declarations.systems[wish.system])):
        return {f"{wish.system}{ending}": tables_text(agreed, wish.dialect).encode()}
    tables = {each.resource: resource_tables(each, asked.catalogue) for each in asked.resources}
    return {f"{n}{ending}": tables_text(each, wish.dialect).encode() for n, each in tables.items()}


def _masked_views(asked: _Asked) -> dict[str, bytes]:
    """Of the tables that the resources ask for."""
    dialect = asked.wish.dialect
    return {
        f"{r.resource}.masked.{dialect}.sql": masked_views(r, asked.catalogue, dialect).encode()
        for r in asked.resources
    }


def _intakes(asked: _Asked) -> dict[str, bytes]:
    """How the system may send the resources in the catalogue's own words from today on."""
    system, made = asked.wish.system, {}
    for each in asked.resources:
        body = example_body(each, asked.catalogue)
        made[f"{system}.{each.resource}.yaml"] = identity_intake(system, each, body).encode()
    return made


def _guides(asked: _Asked) -> dict[str, bytes]:
    """As Markdown and as a page."""
    made = {}
    for each in asked.resources:
        told = Guided(resources=(each,), address=asked.wish.address)
        text = guide(told, asked.catalogue)
        made[f"{each.resource}.guide.md"] = text.encode()
        made[f"{each.resource}.guide.html"] = guide_page(text, told.title).encode()
    return made


def _openapi(asked: _Asked) -> bytes:
    wish = asked.wish
    return _json(
        openapi(
            asked.interface,
            asked.resources,
            asked.catalogue,
            address=wish.address,
            lang=wish.lang,
        )
    )


def _asyncapi(asked: _Asked) -> bytes:
    return _json(asyncapi(asked.resources, asked.catalogue, lang=asked.wish.lang))


def _dcat(asked: _Asked) -> bytes:
    return _json(dcat(asked.resources, address=asked.wish.address))


_EACH: Mapping[Form, tuple[str, Callable[[Resource, Catalogue], bytes]]] = {
    Form.YAML: (".yaml", lambda resource, _: resource_yaml(resource).encode()),
    Form.JSON_SCHEMA: (".schema.json", lambda *of: _json(json_schema(*of))),
    Form.XSD: (".xsd", xsd),
    Form.SAMPLE: (".sample.json", _sample),
}
_MANY: Mapping[Form, Callable[[_Asked], dict[str, bytes]]] = {
    Form.DDL: _ddl,
    Form.MASKED_VIEW: _masked_views,
    Form.INTAKE: _intakes,
    Form.GUIDE: _guides,
}
_WHOLE: Mapping[Form, tuple[str, Callable[[_Asked], bytes]]] = {
    Form.XLSX: ("catalogue.xlsx", lambda asked: write_sheet(asked.resources, asked.catalogue)),
    Form.OPENAPI: ("openapi.json", _openapi),
    Form.ASYNCAPI: ("asyncapi.json", _asyncapi),
    Form.DCAT: ("catalogue.jsonld", _dcat),
}
