"""Systems that speak JSON over HTTP: they take documents, tell what is new, or push to us.

Speaks to   市一体化政务服务平台, 一窗综合管理平台, 省数字市场监管综合业务平台, the provincial library's
            acknowledgements (see ``sites/reference/systems``)
Standard    status codes RFC 9110; signed as `connectors.signing` says
Form        ``POST <url>/<call>`` with ``Idempotency-Key``; a feed is ``GET <url>/<path>?after=&limit=``;
            pushes come to ``/in/<system>/<kind>``
Promises    at least once; the system drops repeats by the key
Not here    retry, order, rates, tracing, masking: the engine puts them around every connector
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self

import httpx
import orjson
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, field_validator, model_validator

from connectors.calls import Call, path_of
from connectors.http_client import Reply, ask, new_client
from connectors.refusals import code_word, fit_to_show
from connectors.safe_json import read_json
from connectors.signing import Nonces, signed_headers, sm3, verify
from connectors.signing_settings import SigningSettings, believable
from hub.port import Cursor, Inbound, Outbound, Traits
from schemas.errors import Misconfigured, Rejected, Transient
from schemas.message import Answer, Body, Delivery, MessageId, Record, SystemCode

__all__ = ["Feed", "HttpJson", "Judged", "Kind", "Settings"]

CHECK_S = 5.0
UNREADABLE = "unreadable"
DONE, REPEATED = (200, 201, 202), 409
# It broke down on the way, or what stands before it gave up: it may have been taken.
UNKNOWN = (500, 502, 504)
REFUSED, DENIED = (400, 413, 415, 422), (401, 403, 404, 405)


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Judged(_Settings):
    """Which words in an answer's body say how it went, where the status does not."""

    path: Annotated[str, Field(description="Where in the body, dots between steps.")] = "code"
    done: Annotated[tuple[str, ...], Field(description="Words for: taken.")]
    repeated: Annotated[tuple[str, ...], Field(description="Words for: had it already.")] = ()
    refused: Annotated[tuple[str, ...], Field(description="Words for: never as it is.")] = ()
    denied: Annotated[tuple[str, ...], Field(description="Words for: key or grant wrong.")] = ()


class Kind(_Settings):
    """What sort of record an entry of a feed is: always the same, or told by the entry."""

    const: str | None = None
    path: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.const is None) == (self.path is None):
            raise ValueError("either const or path")
        return self


class Feed(_Settings):
    """What is new, behind a cursor."""

    path: Annotated[str, Field(description="Below the address.")]
    items: Annotated[str, Field(description="Path of the list in the answer.")] = "items"
    next: Annotated[str, Field(description="Path of the next cursor in the answer.")] = "next"
    kind: Annotated[Kind, Field(description="Sort of record.")]
    key: Annotated[str, Field(description="Path of what identifies an entry.")]
    page_rows: Annotated[int, Field(ge=1, le=1000, description="Entries asked for at once.")] = 200


class Settings(SigningSettings):
    """A profile. The descriptions are the manual."""

    url: Annotated[HttpUrl, Field(description="Where it listens, with the context path.")]
    timeout_s: Annotated[float, Field(gt=0, le=60, description="Longest wait, seconds.")] = 10.0
    number: Annotated[str, Field(description="Path of the system's number in its answer.")] = (
        "number"
    )
    reason: Annotated[str, Field(description="Path of the reason in a refusal.")] = "reason"
    item: Annotated[str, Field(description="Path of the item's name in a refusal.")] = "item"
    judged: Annotated[Judged | None, Field(description="Where 200 may mean a refusal.")] = None
    ping: Annotated[
        str | None,
        Field(description="Path that answers when all is well; none: the feed, or else `ping`."),
    ] = None
    delivers: Annotated[bool, Field(description="Whether it takes deliveries.")] = True
    calls: Annotated[
        Mapping[str, Call], Field(description="Calls that are not simply POST <url>/<call>.")
    ] = {}
    feed: Annotated[Feed | None, Field(description="Where it tells what is new.")] = None
    receives: Annotated[bool, Field(description="Whether it pushes to us.")] = False

    _believed = field_validator("receives")(believable)


class HttpJson:
    """One such system. *transport* is replaced in tests; *clock* stamps what we sign."""

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
        self._base = str(settings.url).rstrip("/")
        self._nonces, self._agreed = Nonces(), settings.scheme()

    @property
    def abilities(self) -> frozenset[str]:
        told = {
            "deliver": self._settings.delivers,
            "records": self._settings.feed is not None,
            "receive": self._settings.receives,
        }
        return frozenset(name for name, able in told.items() if able)

    async def __aenter__(self) -> Self:
        self._http = new_client(self._settings.timeout_s)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._http.aclose()

    async def check(self) -> None:
        feed = self._settings.feed
        path = self._settings.ping or (f"{feed.path}?limit=1" if feed else "ping")
        timeout_s = min(CHECK_S, self._settings.timeout_s)
        self._judge(await self._ask("GET", path, timeout_s=timeout_s), {})

    async def deliver(self, delivery: Delivery, /) -> Answer:
        body = orjson.dumps(delivery.payload)
        call = self._settings.calls.get(delivery.call)
        reply = await self._ask(
            call.method if call else "POST",
            path_of(call, delivery.payload) if call else delivery.call,
            body,
            {"Content-Type": "application/json", "Idempotency-Key": delivery.key},
        )
        document, repeated = self._judge(reply, delivery.payload)
        number = _at(document, self._settings.number)
        if not isinstance(number, str | int) or number == "":
            raise Transient("target.gibberish", "The answer holds no number", in_doubt=True)
        return Answer(str(number), repeated=repeated)

    async def records(self, after: Cursor | None, /) -> AsyncIterator[Record]:
        feed = self._settings.feed
        if feed is None:
            return
        cursor = after or ""
        while True:
            query = httpx.QueryParams({"after": cursor, "limit": str(feed.page_rows)})
            document, _ = self._judge(await self._ask("GET", f"{feed.path}?{query}"), {})
            entries, told = _at(document, feed.items), _at(document, feed.next)
            if not isinstance(entries, list):
                raise Transient("target.gibberish", "The answer holds no list")
            following = cursor if told is None else str(told)
            for n, entry in enumerate(entries, 1):
                yield _record(entry, feed, following if n == len(entries) else "")
            if len(entries) < feed.page_rows or following == cursor:
                return
            cursor = Cursor(following)

    async def taken(self, records: Sequence[Record], /) -> None:
        """The cursor is all there is to remember."""

    def receive(self, request: Inbound, /) -> Sequence[Record]:
        verify(self._agreed, str(self._system), request, self._nonces)
        body = read_json(request.body)
        if not isinstance(body, dict):
            raise Rejected("json.not-object", "One JSON object is expected")
        key = request.headers.get("idempotency-key", "") or sm3(request.body)
        return [Record(kind=request.path.strip("/"), key=key, body=body)]

    def acknowledge(self, request: Inbound, ids: Sequence[MessageId], /) -> Outbound:
        del request
        return _outbound(202, {"id": ids[0] if ids else None})

    def refuse(self, request: Inbound, reasons: Sequence[str], status: int, /) -> Outbound:
        del request
        return _outbound(status, {"reasons": list(reasons)})

    async def _ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        timeout_s: float | None = None,
    ) -> Reply:
        url = f"{self._base}/{path.lstrip('/')}"
        signed = signed_headers(self._agreed, method=method, url=url, body=body, at=self._clock())
        request = self._http.build_request(
            method, url, content=body, headers=signed | dict(headers or {})
        )
        return await ask(self._http, request, timeout_s or self._settings.timeout_s)

    def _judge(self, reply: Reply, payload: Body) -> tuple[Any, bool]:
        """The answer's document, and whether the system had it already."""
        status = reply.status
        if status in DENIED:
            raise Misconfigured("target.denied", "Key, grant or address is wrong", status=status)
        if status in REFUSED:
            raise self._refusal(_document(reply), payload)
        if status not in (*DONE, REPEATED):
            raise Transient(
                "target.busy",
                "The system cannot now",
                after_s=reply.after_s,
                in_doubt=status in UNKNOWN or status < 300,
                status=status,
            )
        document = _document(reply)
        judged = self._settings.judged
        if judged is None:
            return document, status == REPEATED
        word = str(_at(document, judged.path))
        if word in judged.denied:
            raise Misconfigured("target.denied", "Key, grant or address is wrong", word=word)
        if word in judged.refused:
            raise self._refusal(document, payload)
        if word in judged.done or word in judged.repeated:
            return document, word in judged.repeated or status == REPEATED
        raise Transient(
            "target.busy", "The system cannot now", after_s=reply.after_s, word=code_word(word)
        )

    def _refusal(self, document: Any, payload: Body) -> Rejected:
        """A refusal in the partner's own words, but for the citizen they may quote."""
        item = _at(document, self._settings.item)
        reason = _at(document, self._settings.reason)
        return Rejected(
            "target.refused",
            "The system refuses the record",
            at=_pointer(item) if isinstance(item, str) else "",
            system=self._system,
            reason=fit_to_show(reason, payload) if isinstance(reason, str) else "",
        )


def _document(reply: Reply) -> Any:
    try:
        return read_json(reply.body)
    except Rejected as error:
        # It says that all is well, and not what it did.
        raise Transient(
            "target.gibberish", "Not the answer that was agreed", in_doubt=True
        ) from error


def _record(entry: Any, feed: Feed, cursor: str) -> Record:
    """One that lacks its key or kind must not block those behind it for ever: it is passed on under
    a kind that no intake knows, and so a person gets to see it."""
    key = _at(entry, feed.key)
    kind = feed.kind.const or _at(entry, feed.kind.path or "")
    if not isinstance(entry, dict) or not isinstance(key, str | int) or not isinstance(kind, str):
        body = entry if isinstance(entry, dict) else {"entry": entry}
        return Record(kind=UNREADABLE, key=sm3(orjson.dumps(entry)), body=body, cursor=cursor)
    return Record(kind=kind, key=str(key), body=entry, cursor=cursor)


def _at(document: Any, path: str) -> Any:
    for step in path.split("."):
        document = document.get(step) if isinstance(document, Mapping) else None
    return document


def _pointer(item: str) -> str:
    return item[:200] if item.startswith("/") else "/" + item[:200].replace(".", "/")


def _outbound(status: int, document: Mapping[str, object]) -> Outbound:
    return Outbound(status, "application/json; charset=utf-8", orjson.dumps(document))
