"""A resource as JSON Schema: for partners' validators, editors and OpenAPI.

Standard   JSON Schema 2020-12; patterns in the regular expressions of ECMA-262
Promises   what our validator finds fine the schema accepts; what the schema refuses our validator
           refuses too
Careful    a schema cannot say that a day exists (30 February), that text is not blank in every
           script, or how many digits a decimal has in all where zeros lead: there our validator is
           stricter. Check characters are doubts and not in the schema. null counts as absent with
           us; the schema asks to leave the item out
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from catalog.model import Catalogue, DataElement, DataType, Item, Resource
from schemas.errors import Misconfigured
from schemas.formats import UNLIMITED, Format, parse_format
from schemas.message import Json

__all__ = ["DIALECT", "json_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Json]

_DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_COMPACT_DAY = r"[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])"
_COMPACT_CLOCK = r"([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]"
_MOMENTS = {
    "d8": _COMPACT_DAY,
    "YYYYMMDD": _COMPACT_DAY,
    "d10": _DAY,
    "t6": _COMPACT_CLOCK,
    "dt14": _COMPACT_DAY + _COMPACT_CLOCK,
    "YYYYMMDDhhmmss": _COMPACT_DAY + _COMPACT_CLOCK,
    "YYYYMMDDThhmmss": f"{_COMPACT_DAY}T{_COMPACT_CLOCK}",
    "dt19": f"{_DAY}T{_CLOCK}",
}
_BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_IDENTIFIERS = {
    "uscc": "^[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}$",
    "organisation-code": "^[0-9A-Z]{8}-?[0-9X]$",
    "citizen-id": "^[1-9][0-9]{16}[0-9X]$",
    "licence-id": (
        r"^1\.2\.156\.3005\.2\.[0-9A-Z]{21}\.[0-9A-Z]{18}\.[0-9A-Z-]{1,40}\.[0-9]{3}\.[0-9A-Z]$"
    ),
    "food-licence": "^(SC|JY|YB)[0-9]{14}$",
}


def json_schema(resource: Resource, catalogue: Catalogue) -> dict[str, Json]:
    """Raises `Misconfigured` where an item is bound to nothing known."""
    return {
        "$schema": DIALECT,
        "$id": f"urn:shuniu:resource:{resource.resource}:{resource.version}",
        "title": resource.name.zh,
        "description": resource.summary,
        **_group(resource.items, catalogue),
    }


def _group(items: tuple[Item, ...], catalogue: Catalogue) -> Schema:
    return {
        "type": "object",
        "properties": {item.wire_name: _item(item, catalogue) for item in items},
        "required": [item.wire_name for item in items if item.required],
        "additionalProperties": False,
    }


def _item(item: Item, catalogue: Catalogue) -> Schema:
    one = _group(item.items, catalogue) if item.group else _element(item, catalogue)
    if item.name is not None:
        one["title"] = item.name.zh
    if not item.is_list:
        return one
    many: Schema = {"type": "array", "items": one}
    if item.required:
        many["minItems"] = 1
    if isinstance(item.max_occurs, int):
        many["maxItems"] = item.max_occurs
    return many


def _element(item: Item, catalogue: Catalogue) -> Schema:
    element = catalogue.elements.get(item.element or "")
    if element is None:
        raise Misconfigured("catalog.unknown-element", "No such element", element=item.wire_name)
    schema: Schema = {"title": element.name.zh, "description": element.definition}
    if element.unit is not None:
        schema["description"] = f"{element.definition}单位：{element.unit}。"
    return schema | _kind(element, parse_format(element.format), catalogue)


def _kind(element: DataElement, form: Format, catalogue: Catalogue) -> Schema:
    match element.type:
        case DataType.BOOLEAN:
            return {"type": "boolean"}
        case DataType.BINARY:
            return {"type": "string", "contentEncoding": "base64", "pattern": _BASE64}
        case DataType.NUMBER if form.places is None:
            return _whole(element, form)
        case DataType.NUMBER:
            return {"type": "string", "pattern": _decimal(form)}
        case DataType.DATE | DataType.DATETIME | DataType.TIME:
            return {"type": "string", "pattern": f"^{_MOMENTS[form.notation]}$"}
        case DataType.STRING:
            return _text(element, form, catalogue)


def _whole(element: DataElement, form: Format) -> Schema:
    most = 10 ** min(form.most, 18) - 1
    domain = element.domain
    low = Decimal(domain.minimum) if domain.minimum else Decimal(-most)
    high = Decimal(domain.maximum) if domain.maximum else Decimal(most)
    return {"type": "integer", "minimum": max(int(low), -most), "maximum": min(int(high), most)}


def _decimal(form: Format) -> str:
    places = form.places or 0
    return rf"^-?[0-9]+(\.[0-9]{{1,{places}}})?$" if places else "^-?[0-9]+$"


def _text(element: DataElement, form: Format, catalogue: Catalogue) -> Schema:
    schema: dict[str, Any] = {"type": "string", "minLength": max(form.least, 1)}
    if form.most < UNLIMITED:
        schema["maxLength"] = form.most
    if element.domain.codes is not None:
        codes = catalogue.code_lists.get(element.domain.codes)
        if codes is None:
            raise Misconfigured(
                "catalog.unknown-codes", "No such code list", code_list=element.domain.codes
            )
        schema["oneOf"] = [{"const": code, "title": label} for code, label in codes.codes.items()]
    if element.domain.identifier is not None:
        schema["pattern"] = _IDENTIFIERS[element.domain.identifier]
    elif form.pattern:
        schema["pattern"] = f"^{form.pattern}$"
    elif form.digits:
        schema["pattern"] = "^[0-9]+$"
    elif not element.domain.codes:
        schema["pattern"] = r"\S"
    return schema
