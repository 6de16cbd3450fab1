"""A resource as JSON Schema: for partners' validators, editors and OpenAPI.

Standard   JSON Schema 2020-12; patterns in the regular expressions of ECMA-262
Promises   what our validator accepts is exactly what the schema accepts, where formats are checked by
           `FORMATS`; without them the one difference is that 3.0 passes for the integer 3, which
           JSON Schema calls the same number and our wire does not
Careful    check characters are doubts, which let a record pass, and so not in the schema. An item
           that is null counts as absent, known or not: the schema allows it where it is not required
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from catalog.derive.checks import LONGEST_DECIMAL, whole_limits
from catalog.derive.patterns import BASE64, END, IDENTIFIERS, MOMENTS, TEXT, decimal_pattern
from catalog.model import Catalogue, DataElement, DataType, Item, Resource
from schemas.errors import Misconfigured
from schemas.formats import Format, parse_format
from schemas.message import Json

__all__ = ["DIALECT", "FORMATS", "json_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Json]


def _is_written_whole(value: object) -> bool:
    """Of a number: written without point and exponent. Other values are no business of this format."""
    return not isinstance(value, float)


FORMATS: Mapping[str, Callable[[object], bool]] = {"int64": _is_written_whole}


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
    schema: Schema = {
        "type": "object",
        "properties": {item.wire_name: _item(item, catalogue) for item in items},
        "required": [item.wire_name for item in items if item.required],
        "additionalProperties": {"type": "null"},
    }
    if kinds := [each for item in items for each in _kinds(item, items, catalogue)]:
        schema["allOf"] = kinds
    return schema


def _kinds(item: Item, beside: tuple[Item, ...], catalogue: Catalogue) -> list[Json]:
    """What the code beside a number asks of it: 111 a citizen's, 001 an organisation's."""
    element = catalogue.elements.get(item.element or "")
    by = element.domain.identifier_by if element else None
    if element is None or by is None or item.is_list or by not in {one.element for one in beside}:
        return []
    return [
        {
            "if": {"properties": {by: {"const": code}}, "required": [by]},
            "then": {"properties": {item.wire_name: {"pattern": IDENTIFIERS[kind]}}},
        }
        for code, kind in element.domain.identifiers.items()
    ]


def _item(item: Item, catalogue: Catalogue) -> Schema:
    one = _group(item.items, catalogue) if item.group else _element(item, catalogue)
    if item.name is not None:
        one["title"] = item.name.zh
    if not item.is_list:
        return one if item.required else _or_null(one)
    many: Schema = {"type": "array", "items": one}
    if isinstance(item.max_occurs, int):
        many["maxItems"] = item.max_occurs
    if not item.required:
        return _or_null(many)
    return many | {"minItems": 1}


def _or_null(schema: Schema) -> Schema:
    """All other words of *schema* ask something of one type only."""
    schema["type"] = [schema["type"], "null"]
    codes = schema.get("oneOf")
    if isinstance(codes, list):
        schema["oneOf"] = [*codes, {"type": "null"}]
    return schema


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
            return {"type": "string", "contentEncoding": "base64", "pattern": BASE64}
        case DataType.NUMBER if form.places is None:
            low, high = whole_limits(element, form)
            return {"type": "integer", "format": "int64", "minimum": low, "maximum": high}
        case DataType.NUMBER:
            pattern = decimal_pattern(form, element.domain)
            return {"type": "string", "maxLength": LONGEST_DECIMAL, "pattern": pattern}
        case DataType.DATE | DataType.DATETIME | DataType.TIME:
            return {"type": "string", "pattern": f"^{MOMENTS[form.notation]}{END}"}
        case DataType.STRING:
            return _text(element, form, catalogue)


def _text(element: DataElement, form: Format, catalogue: Catalogue) -> Schema:
    schema: Schema = {"type": "string", "minLength": max(form.least, 1), "maxLength": form.most}
    domain = element.domain
    if domain.codes is not None:
        codes = catalogue.code_lists.get(domain.codes)
        if codes is None:
            raise Misconfigured(
                "catalog.unknown-codes", "No such code list", code_list=domain.codes
            )
        schema["oneOf"] = [{"const": code, "title": label} for code, label in codes.codes.items()]
    patterns = [IDENTIFIERS[domain.identifier]] if domain.identifier is not None else []
    if form.pattern:
        patterns.append(f"^{form.pattern}{END}")
    elif form.digits:
        patterns.append(f"^[0-9]+{END}")
    elif not patterns and domain.codes is None:
        patterns.append(TEXT)
    if patterns:
        schema["pattern"] = patterns[0]
    if len(patterns) > 1:
        schema["allOf"] = [{"pattern": pattern} for pattern in patterns[1:]]
    return schema
