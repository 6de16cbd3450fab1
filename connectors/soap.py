"""Systems that speak SOAP: they take calls, tell what has changed, or call us.

Speaks to   娱乐服务场所和特种行业管理服务系统 (asked for changes), 消防监督管理系统 (calls us, with XML
            documents attached); see ``sites/reference/systems``
Standard    SOAP 1.1, WSDL 1.1 document/literal, XML Schema 1.0; signed as `connectors.signing` says
Form        the call's first child carries our key; an attachment is a base64 element that holds an
            XML document with a schema of its own
Promises    what we send and what we are answered fits the schema; descriptions are read from the
            site's own files, never from the network
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Self

import orjson
import zeep
import zeep.exceptions
from lxml import etree
from pydantic import BaseModel

from connectors.http_client import Reply, ask, new_client
from connectors.refusals import code_word, fit_to_show
from connectors.safe_xml import as_mapping, filled, fit_for_xml, read_schema, read_xml, valid
from connectors.signing import Nonces, signed_headers, sm3, verify
from connectors.soap_settings import Attachment, Feed, Settings
from hub.port import Cursor, Inbound, Outbound, Traits
from schemas.errors import Fact, HubError, Misconfigured, Rejected, Transient
from schemas.message import Answer, Body, Delivery, MessageId, Record, SystemCode

__all__ = ["Settings", "Soap"]

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
XML = "text/xml; charset=utf-8"
CHECK_S = 5.0
UNREADABLE = "unreadable"
DONE, DENIED, BUSY = (200, 202), (401, 403, 404, 405), (429, 502, 503, 504)


class _Description:
    """A WSDL and its schema, read once."""

    def __init__(self, wsdl: str) -> None:
        try:
            tree = etree.parse(wsdl, etree.XMLParser(no_network=True, resolve_entities=False))
        except (OSError, etree.LxmlError) as error:
            raise _unreadable(wsdl) from error
        imported = tree.find(".//{http://www.w3.org/2001/XMLSchema}import")
        if imported is None or not imported.get("schemaLocation"):
            raise _unreadable(wsdl)
        self.namespace = str(imported.get("namespace"))
        self.schema = read_schema(str(Path(wsdl).parent / str(imported.get("schemaLocation"))))
        settings = zeep.Settings(strict=True, xml_huge_tree=False, forbid_entities=True)
        try:
            self.client = zeep.Client(wsdl, transport=_Offline(), settings=settings)
        except (OSError, etree.LxmlError, zeep.exceptions.Error) as error:
            raise _unreadable(wsdl) from error
        ports = [port for s in self.client.wsdl.services.values() for port in s.ports.values()]
        self._operations = {n: op for port in ports for n, op in port.binding.all().items()}

    def operation(self, name: str) -> Any:
        """Raises `Misconfigured` where there is none of that *name*."""
        if name not in self._operations:
            raise Misconfigured(
                "soap.operation", "The description has no such operation", operation=name
            )
        return self._operations[name]

    def envelope(self, operation: str, content: Mapping[str, Any]) -> bytes:
        """Raises `Rejected` where *content* does not fit, `Misconfigured` for no such operation."""
        self.operation(operation)
        try:
            made = self.client.create_message(self.client.service, operation, **content)
        except (zeep.exceptions.Error, TypeError, ValueError, AttributeError) as error:
            # The first step of a path is the operation itself.
            path = (getattr(error, "path", None) or [operation])[1:]
            at = "".join(f"/{step}" for step in path)
            raise Rejected("soap.content", "The content does not fit the call", at=at) from error
        valid(_body(made), self.schema, code="soap.content")
        envelope: bytes = etree.tostring(made, xml_declaration=True, encoding="UTF-8")
        return envelope


class _Offline(zeep.Transport):
    """Descriptions come from our own files."""

    def load(self, url: str) -> bytes:
        if "://" in url:
            raise _unreadable(url)
        return Path(url).read_bytes()


class Soap:
    """One such system. *clock* stamps what we sign."""

    settings_model: ClassVar[type[BaseModel]] = Settings
    traits = Traits(idempotent=True, says_why=True)

    def __init__(
        self,
        system: SystemCode,
        settings: Settings,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._system, self._settings, self._clock = system, settings, clock
        self._nonces, self._agreed = Nonces(), settings.scheme()

    @property
    def abilities(self) -> frozenset[str]:
        told = {
            "deliver": self._settings.delivers,
            "records": self._settings.feed is not None,
            "receive": self._settings.receives is not None,
        }
        return frozenset(name for name, able in told.items() if able)

    async def __aenter__(self) -> Self:
        settings = self._settings
        # From files: not on the loop.
        await asyncio.to_thread(self._read_descriptions)
        self._http = new_client(settings.timeout_s)
        return self

    def _read_descriptions(self) -> None:
        settings, receives = self._settings, self._settings.receives
        self._description = _Description(settings.wsdl)
        self._documents = {n: read_schema(a.xsd) for n, a in settings.attachments.items()}
        if receives:
            self._calls = _Description(receives.wsdl)
            self._calls.operation(receives.operation)
            self._notices = {n: read_schema(a.xsd) for n, a in receives.attachments.items()}

    async def __aexit__(self, *exc: object) -> None:
        await self._http.aclose()

    async def check(self) -> None:
        """Its own description, asked for with our signature."""
        timeout_s = min(CHECK_S, self._settings.timeout_s)
        reply = await self._ask("GET", "?wsdl", b"", {}, timeout_s)
        if reply.status in DENIED:
            raise Misconfigured(
                "target.denied", "Key, grant or address is wrong", status=reply.status
            )
        if reply.status != 200:
            raise Transient("target.busy", "The system cannot now", status=reply.status)

    async def deliver(self, delivery: Delivery, /) -> Answer:
        # Our key last: no item of a payload may take its place.
        content = {**self._attached(delivery.payload), self._settings.key: delivery.key}
        told, after_s = await self._call(delivery.call, content, delivery.payload)
        words = self._settings.answer
        code = str(told.get(words.code, ""))
        if code in words.refused:
            raise self._refusal(told.get(words.item), told.get(words.message), delivery.payload)
        if code not in (*words.done, *words.repeated):
            raise _busy(after_s, word=code_word(code))
        number = told.get(words.number)
        if not isinstance(number, str) or not number:
            raise Transient("target.gibberish", "The answer holds no number", in_doubt=True)
        return Answer(number, repeated=code in words.repeated)

    async def records(self, after: Cursor | None, /) -> AsyncIterator[Record]:
        feed = self._settings.feed
        if feed is None:
            return
        cursor = after or ""
        while True:
            content = {feed.cursor: cursor, feed.limit: feed.page_rows}
            told, after_s = await self._call(feed.operation, content, {})
            words = self._settings.answer
            code = told.get(words.code, words.done[0])
            if code not in words.done:
                raise _busy(after_s, word=code_word(code))
            entries = told.get(feed.items, [])
            entries = entries if isinstance(entries, list) else [entries]
            following = str(told.get(feed.next) or cursor)
            for n, entry in enumerate(entries, 1):
                yield _record(entry, feed, following if n == len(entries) else "")
            if len(entries) < feed.page_rows or following == cursor:
                return
            cursor = Cursor(following)

    async def taken(self, records: Sequence[Record], /) -> None:
        """The cursor is all there is to remember."""

    def receive(self, request: Inbound, /) -> Sequence[Record]:
        receives = self._settings.receives
        verify(self._agreed, str(self._system), request, self._nonces)
        if receives is None:
            raise Misconfigured("sender.denied", "This system does not call us")
        call = _body(read_xml(request.body))
        if etree.QName(call).localname != receives.operation:
            raise Rejected("soap.operation", "No such operation", operation=receives.operation)
        valid(call, self._calls.schema)
        body = as_mapping(call)
        for name, attachment in receives.attachments.items():
            if name in body:
                with _inside(name):
                    body[name] = self._notice(name, attachment, body[name])
        key = str(body.get(receives.key) or sm3(request.body))
        return [Record(kind=request.path.strip("/"), key=key, body=body)]

    def _notice(self, name: str, attachment: Attachment, text: Any) -> dict[str, Any]:
        document = read_xml(_decoded(text))
        if etree.QName(document).localname != attachment.root:
            raise Rejected("xml.root", "Another document", root=attachment.root)
        valid(document, self._notices[name])
        return as_mapping(document)

    def acknowledge(self, request: Inbound, ids: Sequence[MessageId], /) -> Outbound:
        del request, ids
        receives = self._settings.receives
        if receives is None:
            raise Misconfigured("sender.denied", "This system does not call us")
        space = f"{{{self._calls.namespace}}}"
        told = etree.Element(self._calls.operation(receives.operation).output.body.qname)
        etree.SubElement(told, f"{space}{receives.code}").text = receives.done
        return _outbound(200, told)

    def refuse(self, request: Inbound, reasons: Sequence[str], status: int, /) -> Outbound:
        del request
        fault = etree.Element(f"{{{SOAP}}}Fault", nsmap={"soap": SOAP})
        # A server's fault is one that the partner tries again.
        sender = status < 500 and status != 429
        etree.SubElement(fault, "faultcode").text = "soap:Client" if sender else "soap:Server"
        etree.SubElement(fault, "faultstring").text = fit_for_xml("\n".join(reasons))
        return _outbound(status, fault)

    def _attached(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """*payload* with its documents written out, validated, as bytes."""
        content = dict(payload)
        for name, attachment in self._settings.attachments.items():
            held = content.get(name)
            if isinstance(held, Mapping):
                with _inside(name):
                    document = filled(attachment.root, held)
                    valid(document, self._documents[name], code="soap.content")
                content[name] = etree.tostring(document, xml_declaration=True, encoding="UTF-8")
        return content

    async def _call(
        self, operation: str, content: Mapping[str, Any], payload: Body
    ) -> tuple[dict[str, Any], float]:
        """The answer's content, and the wait it asks for. *payload* is what it may quote."""
        body = self._description.envelope(operation, content)
        action = self._description.operation(operation).soapaction
        headers = {"Content-Type": XML, "SOAPAction": f'"{action}"'}
        reply = await self._ask("POST", "", body, headers, self._settings.timeout_s)
        return self._judge(reply, operation, payload), reply.after_s

    async def _ask(
        self, method: str, query: str, body: bytes, headers: dict[str, str], timeout_s: float
    ) -> Reply:
        url = f"{self._settings.url}{query}"
        signed = signed_headers(self._agreed, method=method, url=url, body=body, at=self._clock())
        request = self._http.build_request(method, url, content=body, headers=signed | headers)
        return await ask(self._http, request, timeout_s)

    def _judge(self, reply: Reply, operation: str, payload: Body) -> dict[str, Any]:
        """The content of the answer's body."""
        if reply.status in DENIED:
            raise Misconfigured(
                "target.denied", "Key, grant or address is wrong", status=reply.status
            )
        if reply.status in BUSY:
            raise _busy(reply.after_s, status=reply.status)
        try:
            body = _body(read_xml(reply.body))
            if body.tag == f"{{{SOAP}}}Fault":
                raise self._fault(as_mapping(body), reply, payload)
            valid(body, self._description.schema)
        except Rejected as error:
            if error.code == "target.refused":
                raise
            if reply.status >= 500:
                raise _busy(reply.after_s, status=reply.status) from error
            raise Transient("target.gibberish", "No answer as agreed", in_doubt=True) from error
        if reply.status not in DONE:
            raise _busy(reply.after_s, status=reply.status)
        if body.tag != self._description.operation(operation).output.body.qname:
            raise Transient("target.gibberish", "The answer to another call", in_doubt=True)
        return as_mapping(body)

    def _fault(self, told: Mapping[str, Any], reply: Reply, payload: Body) -> HubError:
        """What a fault means: ``Client`` is our doing, ``Server`` theirs (SOAP 1.1, 4.4.1)."""
        code = str(told.get("faultcode", "")).rpartition(":")[2]
        sort, _, detail = code.partition(".")
        if sort == "Client" and detail.startswith("Authentication"):
            return Misconfigured("target.denied", "Key or grant is wrong", word=code_word(code))
        if sort == "Client":
            return self._refusal(None, told.get("faultstring"), payload)
        return _busy(reply.after_s, status=reply.status)

    def _refusal(self, item: Any, reason: Any, payload: Body) -> Rejected:
        """A partner's words may quote the citizen: what they quote is left out."""
        return Rejected(
            "target.refused",
            "The system refuses the call",
            at="/" + item[:200].lstrip("/").replace(".", "/") if isinstance(item, str) else "",
            system=self._system,
            reason=fit_to_show(reason, payload) if isinstance(reason, str) else "",
        )


def _unreadable(file: str) -> Misconfigured:
    """Or incomplete, or not all of our own files."""
    return Misconfigured(
        "soap.description", "A service description cannot be read", file=Path(file).name
    )


def _busy(after_s: float, **facts: Fact) -> Transient:
    error = Transient("target.busy", "The system cannot now", after_s=after_s)
    error.facts |= facts
    return error


def _body(envelope: etree._Element) -> etree._Element:
    """The one element in the body of *envelope*."""
    body = envelope.find(f"{{{SOAP}}}Body") if envelope.tag == f"{{{SOAP}}}Envelope" else None
    children = [] if body is None else list(body.iterchildren(etree.Element))
    if len(children) != 1:
        raise Rejected("soap.envelope", "Not a SOAP envelope with one body element")
    return children[0]


def _record(entry: Any, feed: Feed, cursor: str) -> Record:
    """One without its key must not block those behind it for ever: it is passed on under a kind
    that no intake knows, and so a person gets to see it."""
    key = entry.get(feed.key) if isinstance(entry, dict) else None
    if isinstance(key, str) and key:
        return Record(kind=feed.kind.const, key=key, body=entry, cursor=cursor)
    body = entry if isinstance(entry, dict) else {"entry": entry}
    return Record(kind=UNREADABLE, key=sm3(orjson.dumps(entry)), body=body, cursor=cursor)


@contextmanager
def _inside(name: str) -> Iterator[None]:
    """What is wrong with the part called *name* points into the whole."""
    try:
        yield
    except Rejected as error:
        faults = [replace(fault, at=f"/{name}{fault.at}") for fault in error.faults]
        raise Rejected(error.code, error.summary, faults=faults) from error


def _outbound(status: int, content: etree._Element) -> Outbound:
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP})
    etree.SubElement(root, f"{{{SOAP}}}Body").append(content)
    return Outbound(status, XML, etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _decoded(text: Any) -> bytes:
    try:
        return base64.b64decode("".join(str(text).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Rejected("xml.base64", "Not base64") from error
