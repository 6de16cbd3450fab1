"""The JSON connector and its client, where the suites do not reach: answers of every sort."""

from __future__ import annotations

import gzip
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import orjson
import pytest
from pydantic import ValidationError

from connectors.conformance import PERSON, Fault
from connectors.http_client import ask, new_client
from connectors.http_json import HttpJson, Settings
from schemas.errors import HubError, Misconfigured, Rejected, Transient
from schemas.message import Json, SystemCode
from simulators.signing import Doorkeeper
from tests.connectors.socket_system import Asked, Said, SocketSystem, on_a_socket
from tests.simulators.exchange import a_delivery

MEGABYTE = 1024 * 1024


@dataclass
class Says:
    """Always the same."""

    said: Said
    asked: list[Asked] = field(default_factory=list)

    def answers(self, asked: Asked) -> Said:
        self.asked.append(asked)
        return self.said

    def says(self, fault: Fault, asked: Asked) -> Said:
        return self.answers(asked)


def told(status: int, document: object = None, **headers: str) -> Says:
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return Says(Said(status, body, {name.replace("_", "-"): v for name, v in headers.items()}))


def connector(system: SocketSystem, **more: object) -> HttpJson:
    given = {"url": f"{system.url}/api/", "secret": "s" * 16, "timeout_s": 2, **more}
    return HttpJson(SystemCode("one-window"), Settings.model_validate(given))


@pytest.mark.parametrize(
    ("says", "kind", "code"),
    [
        (told(301, Location="http://elsewhere/"), Transient, "target.busy"),
        (told(400, {}), Rejected, "target.refused"),
        (told(401, {}), Misconfigured, "target.denied"),
        (told(404, b"<html>"), Misconfigured, "target.denied"),
        (told(422, {"reason": 7, "item": ["?"]}), Rejected, "target.refused"),
        (told(429), Transient, "target.busy"),
        (told(500, b"Traceback"), Transient, "target.busy"),
        (told(201, {"number": ""}), Transient, "target.gibberish"),
        (told(201, {"number": {"a": 1}}), Transient, "target.gibberish"),
        (told(201, [1]), Transient, "target.gibberish"),
        (told(200, b""), Transient, "target.gibberish"),
        (told(200, b" " * (5 * MEGABYTE)), Transient, "target.gibberish"),
        (
            told(200, gzip.compress(b" " * (64 * MEGABYTE), 1), Content_Encoding="gzip"),
            Transient,
            "target.gibberish",
        ),
        (told(200, b"no gzip", Content_Encoding="gzip"), Transient, "target.gibberish"),
    ],
    ids=lambda value: str(value.said.status) if isinstance(value, Says) else "",
)
async def test_what_an_answer_means(says: Says, kind: type[HubError], code: str) -> None:
    """By status first, then by what it holds."""
    async with on_a_socket(says) as system, connector(system) as sink:
        with pytest.raises(HubError) as caught:
            await sink.deliver(a_delivery("cases", {"name": PERSON}))

    assert (kind, code) == (type(caught.value), caught.value.code)


@pytest.mark.parametrize(
    ("asked", "date", "after_s"),
    [
        ("7", "", 7.0),
        ("Mon, 02 Mar 2026 09:00:30 GMT", "Mon, 02 Mar 2026 09:00:00 GMT", 30.0),
        ("Mon, 02 Mar 2026 09:00:00 GMT", "Mon, 02 Mar 2026 09:00:30 GMT", 0.0),
        ("Mon, 02 Mar 2026 09:00:30 GMT", "", 0.0),
        ("soon", "", 0.0),
        ("-1", "", 0.0),
        ("99999999999999999999", "", 0.0),
    ],
)
async def test_the_wait_that_is_asked_for(asked: str, date: str, after_s: float) -> None:
    """In seconds, or until a date by the answer's own clock; anything else is no wait."""
    headers = {"Retry_After": asked} | ({"Date": date} if date else {})
    async with on_a_socket(told(503, **headers)) as system, connector(system) as sink:
        with pytest.raises(Transient) as caught:
            await sink.deliver(a_delivery("cases", {}))

    assert after_s == caught.value.after_s


async def test_a_number_may_be_one() -> None:
    """Partners write ``{"number": 17}``, deep inside."""
    says = told(200, {"data": {"serialNo": 17}})
    async with on_a_socket(says) as system, connector(system, number="data.serialNo") as sink:
        assert "17" == (await sink.deliver(a_delivery("cases", {}))).number


async def test_a_call_may_have_its_own_method_and_path() -> None:
    """With items of the payload in the path, which the partner's own program finds well signed."""
    calls = {"reply": {"method": "PUT", "path": "cases/{case.no}/replies/{n}"}}
    says = told(200, {"number": "1"})
    async with on_a_socket(says) as system, connector(system, calls=calls) as sink:
        await sink.deliver(a_delivery("reply", {"case": {"no": "MS2026-1"}, "n": 2}))
        await sink.deliver(a_delivery("cases", {}))

    assert [("PUT", "/api/cases/MS2026-1/replies/2"), ("POST", "/api/cases")] == [
        (asked.method, asked.path) for asked in says.asked
    ]
    asked = says.asked[0]
    now_ms = int(asked.headers["x-timestamp"])
    doorkeeper = Doorkeeper("s" * 16)
    assert not doorkeeper.refusal(
        asked.method, asked.path, asked.query, asked.headers, asked.body, now_ms=now_ms
    )


@pytest.mark.parametrize("no", [None, "", ".", "..", ["a"], True])
async def test_a_path_that_lacks_its_item_is_not_called(no: Json) -> None:
    """Nor is one whose item would lead somewhere else."""
    says = told(200, {"number": "1"})
    calls = {"reply": {"path": "cases/{case.no}/replies"}}
    async with on_a_socket(says) as system, connector(system, calls=calls) as sink:
        with pytest.raises(Rejected) as caught:
            await sink.deliver(a_delivery("reply", {"case": {"no": no}}))

    assert [] == says.asked
    assert ["/case/no"] == [fault.at for fault in caught.value.faults]


async def test_an_entry_that_cannot_be_read_blocks_nothing() -> None:
    """It comes out too, under a kind that no intake knows, so that a person gets to see it."""
    entries = [{"id": 1, "a": "x"}, "?", {"a": "no id"}, {"id": 2, "a": "y"}]
    feed = {"path": "changes", "kind": {"const": "change"}, "key": "id"}
    says = told(200, {"items": entries, "next": "4"})
    async with on_a_socket(says) as system, connector(system, feed=feed) as source:
        records = [record async for record in source.records(None)]

    kinds = [record.kind for record in records]
    assert ["change", "unreadable", "unreadable", "change"] == kinds
    assert {"entry": "?"} == records[1].body
    assert 4 == len({record.key for record in records})
    assert "4" == records[-1].cursor


async def test_a_system_that_only_tells_is_checked_by_its_feed() -> None:
    """The provincial library's interface has nothing else to ask."""
    feed = {"path": "acks", "kind": {"const": "acknowledgement"}, "key": "lsh"}
    says = told(200, {"items": [], "next": "0"})
    async with on_a_socket(says) as system, connector(system, feed=feed) as source:
        await source.check()

    assert ["/api/acks"] == [asked.path for asked in says.asked]


def test_a_kind_is_one_or_the_other() -> None:
    """Told when the profile is read, not at the first entry."""
    for kind in ({}, {"const": "a", "path": "b"}):
        with pytest.raises(ValidationError):
            Settings.model_validate(
                {
                    "url": "http://far/",
                    "secret": "s",
                    "feed": {"path": "f", "key": "id", "kind": kind},
                }
            )


class Fails(httpx.AsyncBaseTransport):
    """A line on which nothing but *error* happens."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise self._error


def _all_below(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _all_below(each)


ERRORS = sorted({*_all_below(httpx.HTTPError), httpx.InvalidURL}, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
async def test_every_error_of_the_library_is_translated(kind: type[Exception]) -> None:
    """A new class in a new version is met here, not at night."""
    request = httpx.Request("GET", "http://far/")
    error = (
        kind("", request=request, response=httpx.Response(500))
        if issubclass(kind, httpx.HTTPStatusError)
        else kind("")
    )
    async with httpx.AsyncClient(transport=Fails(error)) as client:
        with pytest.raises(HubError):
            await ask(client, request, 1.0)


async def test_a_certificate_is_a_persons_business() -> None:
    """Trying again would not make it trusted."""
    error = httpx.ConnectError("")
    error.__cause__ = ssl.SSLCertVerificationError()
    async with httpx.AsyncClient(transport=Fails(error)) as client:
        with pytest.raises(Misconfigured) as caught:
            await ask(client, httpx.Request("GET", "https://far/"), 1.0)

    assert "target.certificate" == caught.value.code


async def test_the_surroundings_do_not_reroute_us(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the machine's user is none of ours."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    says = told(200, {"number": "1"})
    async with on_a_socket(says) as system, new_client(2.0) as client:
        reply = await ask(client, client.build_request("GET", system.url), 2.0)

    assert 200 == reply.status
