"""SOAP 1.1 as a partner's server speaks it: envelopes read and written, checked against its own XSD.

Standard   SOAP 1.1, document/literal; XML Schema 1.0
Careful    a partner is attacked as well: no document type, no entities, no network
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from lxml import etree
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

__all__ = ["Schema", "answered", "described", "document", "envelope", "fault", "listed"]

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
XML = "text/xml; charset=utf-8"
Content = Mapping[str, Any]


class Schema:
    """One of the partner's schemas, by its file name in ``simulators/wsdl``."""

    def __init__(self, name: str) -> None:
        text = files("simulators").joinpath("wsdl", name).read_bytes()
        self._schema = etree.XMLSchema(etree.fromstring(text, _parser()))

    def read(self, text: bytes) -> tuple[str, dict[str, Any]]:
        """
        The name and content of a document, or of an envelope's body.

        Raises `ValueError` with what is wrong, in a clerk's words.
        """
        try:
            root = etree.fromstring(text, _parser())
        except etree.XMLSyntaxError as error:
            raise ValueError(f"报文不是合法的XML：{error.msg}") from error
        if root.getroottree().docinfo.internalDTD is not None:
            raise ValueError("报文不得包含DOCTYPE")
        body = root.find(f"{{{SOAP}}}Body")
        inner = root if body is None else next(iter(body), root)
        try:
            self._schema.assertValid(inner)
        except etree.DocumentInvalid as error:
            raise ValueError(f"报文不符合接口规范：{error}") from error
        return etree.QName(inner).localname, _content(inner)

    def fits(self, text: bytes) -> bool:
        try:
            self.read(text)
        except ValueError:
            return False
        return True


def envelope(namespace: str, name: str, content: Content) -> bytes:
    """An envelope with *content*; its keys in the order of the schema."""
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP})
    body = etree.SubElement(root, f"{{{SOAP}}}Body")
    inner = etree.SubElement(body, f"{{{namespace}}}{name}", nsmap={"p": namespace})
    _fill(inner, content, f"{{{namespace}}}")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def document(name: str, content: Content) -> bytes:
    """A document of its own, without a namespace, as attachments are."""
    root = etree.Element(name)
    _fill(root, content, "")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def described(path: str, name: str) -> Route:
    """The route under which the service shows its description, ``?wsdl``."""
    text = files("simulators").joinpath("wsdl", name).read_bytes()

    async def show(_: Request) -> Response:
        return Response(text, media_type=XML)

    return Route(path, show, methods=["GET"])


def answered(text: bytes) -> Response:
    return Response(text, media_type=XML)


def fault(code: str, said: str, status: int = 500) -> Response:
    """*code*: ``Client`` or ``Server``."""
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP})
    body = etree.SubElement(root, f"{{{SOAP}}}Body")
    told = etree.SubElement(body, f"{{{SOAP}}}Fault")
    etree.SubElement(told, "faultcode").text = f"soap:{code}"
    etree.SubElement(told, "faultstring").text = said
    text = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return Response(text, status, media_type=XML)


def listed(value: Any) -> list[Any]:
    """What may stand once, several times or not at all."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_blank_text=True
    )


def _fill(parent: etree._Element, content: Content, space: str) -> None:
    for name, value in content.items():
        several = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        for each in several:
            if each is None or each == "":
                continue
            child = etree.SubElement(parent, f"{space}{name}")
            if isinstance(each, Mapping):
                _fill(child, each, space)
            else:
                child.text = str(each)


def _content(parent: etree._Element) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for child in parent.iterchildren(etree.Element):
        name = etree.QName(child).localname
        value: Any = _content(child) if len(child) else child.text or ""
        if name in content:
            content[name] = [*listed(content[name]), value]
        else:
            content[name] = value
    return content
