"""A resource as XML Schema, and a body as the XML that it describes; short names are the elements.

Standard   W3C XML Schema 1.0; GB/T 19488.1-2004 and R-A4: a short name is the XML element's name
Form       the root is the resource's name; items in the order of the resource; a list repeats its
           element; date and time as in JSON
Promises   what our validator finds fine is valid here
Careful    characters that XML 1.0 cannot carry are refused by `to_xml`; check characters, the digits of
           a decimal in all, and the kind of a number told beside it only our validator knows
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree

from catalog.derive.json_schema import json_schema
from catalog.derive.patterns import END, TEXT
from catalog.model import Catalogue, DataElement, DataType, Item, Resource
from schemas.errors import Rejected
from schemas.formats import Format, parse_format
from schemas.message import Body, Json

__all__ = ["to_xml", "xsd"]

XS = "http://www.w3.org/2001/XMLSchema"
_BASES = {"integer": "integer", "boolean": "boolean", "string": "string"}


def xsd(resource: Resource, catalogue: Catalogue) -> bytes:
    """Raises `Misconfigured` where an item is bound to nothing known."""
    schema = json_schema(resource, catalogue)
    root = etree.Element(f"{{{XS}}}schema", nsmap={"xs": XS}, elementFormDefault="qualified")
    root.set("version", str(resource.version))
    element = _under(root, "element", name=resource.resource)
    _described(element, f"{resource.name.zh}：{resource.summary}")
    _group(element, resource.items, schema, catalogue)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def to_xml(resource: Resource, body: Body) -> bytes:
    """*body* as XML. Raises `Rejected` for text that XML cannot carry."""
    root = etree.Element(resource.resource)
    try:
        _write(root, resource.items, body)
    except ValueError as error:
        raise Rejected("item.control", "XML cannot carry a character") from error
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _under(parent: etree._Element, tag: str, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{XS}}}{tag}", attributes)


def _described(element: etree._Element, text: str) -> None:
    _under(_under(element, "annotation"), "documentation").text = text


def _group(
    element: etree._Element, items: tuple[Item, ...], schema: Any, catalogue: Catalogue
) -> None:
    properties = schema["properties"]
    sequence = _under(_under(element, "complexType"), "sequence")
    for item in items:
        one = properties[item.wire_name]
        if item.is_list:
            one = one["items"]
        child = _under(
            sequence,
            "element",
            name=item.wire_name,
            minOccurs="1" if item.required else "0",
            maxOccurs="unbounded" if item.max_occurs == "N" else str(item.max_occurs),
        )
        _described(child, " ".join(str(one[key]) for key in ("title", "description") if key in one))
        if item.group:
            _group(child, item.items, one, catalogue)
        else:
            _simple(child, one, catalogue.elements[item.wire_name])


def _simple(element: etree._Element, schema: Any, declared: DataElement) -> None:
    types = schema["type"]
    form = parse_format(declared.format)
    decimal = declared.type is DataType.NUMBER and form.places is not None
    kind = "decimal" if decimal else _BASES[types[0] if isinstance(types, list) else types]
    restriction = _under(_under(element, "simpleType"), "restriction", base=f"xs:{kind}")
    if declared.domain.codes is not None:
        for code in schema["oneOf"]:
            if "const" in code:
                value = _under(restriction, "enumeration", value=str(code["const"]))
                _described(value, str(code["title"]))
        return
    facets = _of_decimal(declared, form) if decimal else _of_schema(schema)
    for facet, asked in facets.items():
        if asked is not None:
            _under(restriction, facet, value=str(asked))


def _of_decimal(declared: DataElement, form: Format) -> Mapping[str, Any]:
    """Its value is judged, where JSON Schema needs a pattern; the notation is ours, without "+"."""
    return {
        "fractionDigits": form.places,
        "minInclusive": declared.domain.minimum,
        "maxInclusive": declared.domain.maximum,
        "pattern": r"-?[0-9]+(\.[0-9]+)?",
    }


def _of_schema(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    pattern = schema.get("pattern")
    return {
        "minLength": schema.get("minLength"),
        "maxLength": schema.get("maxLength"),
        "minInclusive": schema.get("minimum"),
        "maxInclusive": schema.get("maximum"),
        "pattern": _pattern(str(pattern)) if pattern is not None else None,
    }


def _pattern(pattern: str) -> str:
    """XML Schema's patterns are anchored, and know no groups without a number."""
    if pattern == TEXT:
        return r"[\s\S]*\S[\s\S]*"
    return pattern.removeprefix("^").removesuffix(END).replace("(?:", "(")


def _write(parent: etree._Element, items: tuple[Item, ...], body: Body) -> None:
    for item in items:
        value = body.get(item.wire_name)
        if value is None:
            continue
        for each in value if isinstance(value, list) else [value]:
            child = etree.SubElement(parent, item.wire_name)
            if isinstance(each, dict):
                _write(child, item.items, each)
            else:
                child.text = _text(each)


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
