"""XML from outside, read safely: no document type, no entities, no network, bounded depth and size.

Standard   XML 1.0; XML Schema 1.0 for validation; RFC 6901 for places
Promises   whatever the bytes: an element, or `Rejected` with line and reason
Form       as a mapping: children by local name, repeated ones as a list, leaves as text
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, cast

from lxml import etree

from schemas.errors import Fault, Misconfigured, Rejected

__all__ = ["as_mapping", "filled", "fit_for_xml", "read_schema", "read_xml", "valid"]

MOST_BYTES = 4 * 1_048_576
MOST_DEPTH = 32
MOST_FAULTS = 20
PIECE_BYTES = 65_536
DOCTYPE = b"<!DOCTYPE"
ENCODING = {
    etree.ErrorTypes.ERR_INVALID_ENCODING,
    etree.ErrorTypes.ERR_UNKNOWN_ENCODING,
    etree.ErrorTypes.ERR_UNSUPPORTED_ENCODING,
    etree.ErrorTypes.I18N_CONV_FAILED,
}
NOT_FOR_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
STEP = re.compile(r"(?:[^:\[]*:)?([^:\[]+)(?:\[(\d+)\])?")
EXPECTED = re.compile(r"Expected is (?:one of )?\( (.+) \)\.")
SPACE = re.compile(r"\{[^}]*\}")


def read_xml(content: bytes) -> etree._Element:
    """The root of the document that *content* is."""
    if len(content) > MOST_BYTES:
        raise Rejected("xml.too-long", "The document is too long", limit_bytes=MOST_BYTES)
    parser = etree.XMLPullParser(
        events=("start", "end"),
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    depth = 0
    try:
        # Piece by piece: what is dangerous is noticed before the rest of it is read.
        for start in range(0, len(content), PIECE_BYTES):
            parser.feed(content[start : start + PIECE_BYTES])
            depth = _watched(parser, depth)
        return parser.close()
    except etree.XMLSyntaxError as error:
        # The library stops at a depth of its own: ours is the better reason.
        _watched(parser, depth)
        raise _reason(error, content) from error


def _watched(parser: etree.XMLPullParser, depth: int) -> int:
    """The depth after what *parser* has read since; raises `Rejected` for what is not allowed."""
    # The stubs know of namespace events too; those are not asked for.
    events = cast("Iterable[tuple[str, Any]]", parser.read_events())
    for event, element in events:
        if event == "end":
            depth -= 1
            continue
        depth += 1
        line = element.sourceline or 1
        if depth == 1 and element.getroottree().docinfo.internalDTD is not None:
            raise Rejected("xml.dtd", "A document type is not allowed", line=line)
        if depth > MOST_DEPTH:
            raise Rejected("xml.too-deep", "Nested too deeply", limit=MOST_DEPTH, line=line)
    return depth


def _reason(error: etree.XMLSyntaxError, content: bytes) -> Rejected:
    line = error.lineno or 1
    # Without the zeros of UTF-16. A document type with a bomb never gets as far as to an element.
    if DOCTYPE in content[:PIECE_BYTES].replace(b"\0", b""):
        return Rejected("xml.dtd", "A document type is not allowed", line=line)
    # The stubs leave the code out.
    code = "xml.encoding" if cast("Any", error).code in ENCODING else "xml.malformed"
    return Rejected(code, "Not XML", line=line)


def read_schema(file: str) -> etree.XMLSchema:
    """A schema of our own. Raises `Misconfigured` where it cannot be used."""
    try:
        return etree.XMLSchema(etree.parse(file, etree.XMLParser(no_network=True)))
    except (OSError, etree.LxmlError) as error:
        raise Misconfigured(
            "soap.description", "A service description cannot be read", file=Path(file).name
        ) from error


def valid(element: etree._Element, schema: etree.XMLSchema, *, code: str = "xml.invalid") -> None:
    """Raises `Rejected` with the place and line of everything in *element* that does not fit
    *schema*; places are those in `as_mapping` of it."""
    if schema.validate(element):
        return
    # The stubs do not know that a log can be walked.
    entries = cast("Iterable[Any]", schema.error_log)
    faults = [_fault(element, entry, code) for entry in islice(entries, MOST_FAULTS)]
    raise Rejected(code, "The document does not fit its schema", faults=faults)


def _fault(element: etree._Element, entry: Any, code: str) -> Fault:
    """The message of the library quotes values: of it only the schema's own names are passed on."""
    at, facts = _pointer(element, entry.path), {"line": entry.line, "kind": entry.type_name}
    expected = EXPECTED.search(entry.message)
    if code == "xml.invalid" and expected:
        return Fault("xml.element", at, facts | {"expected": SPACE.sub("", expected[1])})
    return Fault(code, at, facts)


def as_mapping(element: etree._Element) -> dict[str, Any]:
    """The content of *element*."""
    content: dict[str, Any] = {}
    for child in element.iterchildren(etree.Element):
        name = etree.QName(child).localname
        value: Any = as_mapping(child) if len(child) else (child.text or "").strip()
        known = content.get(name)
        if known is None:
            content[name] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            content[name] = [known, value]
    return content


def filled(name: str, content: Mapping[str, Any]) -> etree._Element:
    """An element without namespace that holds *content*, in its order. Raises `Rejected` for what
    XML cannot hold."""
    root = etree.Element(name)
    _fill(root, content, "")
    return root


def fit_for_xml(text: str) -> str:
    """*text* without the characters that no XML document may hold."""
    return NOT_FOR_XML.sub("", text)


def _fill(parent: etree._Element, content: Mapping[str, Any], at: str) -> None:
    for name, value in content.items():
        several = isinstance(value, Sequence) and not isinstance(value, str | bytes)
        for n, each in enumerate(value if several else [value]):
            if each is None or each == "":
                continue
            place = f"{at}/{name}/{n}" if several else f"{at}/{name}"
            try:
                child = etree.SubElement(parent, name)
                if not isinstance(each, Mapping):
                    child.text = str(each).lower() if isinstance(each, bool) else str(each)
            except ValueError as error:
                raise Rejected("xml.character", "XML cannot hold it", at=place) from error
            if isinstance(each, Mapping):
                _fill(child, each, place)


def _pointer(element: etree._Element, path: str | None) -> str:
    """
    The JSON Pointer of what the library's *path* leads to, from *element* on.

    A step of the path is a name, with a number among its namesakes, or ``*`` with one among all.
    """
    pointer = ""
    for step in (path or "").split("/")[2:]:
        told = STEP.fullmatch(step)
        if told is None:
            break
        name, n = told[1], int(told[2] or 1)
        children = list(element.iterchildren(etree.Element))
        there = [child for child in children if name in ("*", _name(child))]
        if n > len(there):
            break
        element = there[n - 1]
        alike = [child for child in children if _name(child) == _name(element)]
        pointer += f"/{_name(element)}"
        pointer += f"/{alike.index(element)}" if len(alike) > 1 else ""
    return pointer


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname
