"""The door for grantees that fetch, signed with the grant's secret: ``GET /out/<grant>/records``, and ``…/file``.

Standard   R-C8; cursors in place of pages, so that nothing is skipped or read twice
Form       query: *after* (the cursor told the last time), *limit*, *subject* (one business key); the answer
           has *records* in the order of the ledger, and *after* for the next time. A file has the same
           records a line each (NDJSON), and the line ``{"end": …}`` last: *records*, *after*, *more*, and
           *sm3* and *sha256* of all before it. A file without that line is not whole
Promises   whoever cannot sign learns nothing, not even whether there is such a grant; a grant lets
           through its items alone, and nothing from the moment it ends
Not here   how requests are signed: *proven* raises `Misconfigured` for one that is not
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from functools import partial
from typing import Protocol

import orjson
import structlog
from cryptography.hazmat.primitives.hashes import SM3, Hash
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from catalog.lifecycle.kept import ACTIVE, Grant
from hub.crypto import Seal
from hub.port import Inbound
from hub.recover import faults_of
from hub.registry import grant_rows
from hub.registry.pulls import MOST, Pulled, Wanted, pull, with_secrets
from hub.store import Store
from schemas.calendar import BEIJING, beijing_day
from schemas.errors import HubError, Misconfigured, Rejected, Transient
from schemas.texts import both

__all__ = ["GrantDoor", "Proof"]

INTERFACE, FILE = "interface", "file"
MOST_OF_FILE, FILE_S = 100_000, 3600.0
STATUS = {"sender.denied": 401, "grant.ended": 403, "grant.used-up": 429}
DAY = timedelta(days=1)
RETRY_S = 5
log = structlog.get_logger("hub.grant_door")


class Proof(Protocol):
    """Whether a request is signed with *secret* by *app_id*. Raises `Misconfigured`
    (``sender.denied``)."""

    def __call__(self, secret: str, app_id: str, request: Inbound, /) -> None: ...


@dataclass(frozen=True, slots=True)
class GrantDoor:
    """The app id is the grant's number. *page_records*: how many are in memory at once."""

    store: Store
    seal: Seal
    clock: Callable[[], datetime]
    proven: Proof
    page_records: int = MOST

    def routes(self) -> list[Route]:
        return [
            Route("/out/{number}/records", self.records),
            Route("/out/{number}/file", self.file),
        ]

    async def records(self, request: Request) -> Response:
        """What is new of the granted resource."""
        at, number = self.clock(), request.path_params["number"]
        inbound = _inbound(request, "records", at)
        try:
            grant = await self._entitled(number, inbound, INTERFACE)
            found = await self._pulled(grant, _wanted(inbound.query, MOST), at)
        except HubError as error:
            return self._refused(error, number, at)
        return _told(found)

    async def file(self, request: Request) -> Response:
        """The same for a grant by way of files: as many records as are asked for, in one file."""
        at, number = self.clock(), request.path_params["number"]
        inbound = _inbound(request, "file", at)
        try:
            grant = await self._entitled(number, inbound, FILE)
            wanted = _wanted(inbound.query, MOST_OF_FILE)
            # The first page before the answer begins: what is refused has a status of its own.
            first = await self._pulled(grant, self._page(wanted, 0, wanted.after), at)
        except HubError as error:
            return self._refused(error, number, at)
        name = f"{number}-{wanted.after}.ndjson"
        return _File(
            self._lines(grant, wanted, first),
            media_type="application/x-ndjson",
            headers={
                "content-disposition": f'attachment; filename="{name}"',
                "cache-control": "no-store",
            },
        )

    async def _pulled(self, grant: Grant, wanted: Wanted, at: datetime) -> Pulled:
        return await self.store.write(
            partial(pull, grant=grant, wanted=wanted, seal=self.seal, at=at)
        )

    async def _lines(self, grant: Grant, wanted: Wanted, page: Pulled) -> AsyncIterator[bytes]:
        """A page at a time, each asked for when the one before has gone out."""
        digest, many = _Digest(), 0
        while True:
            content = b"".join(orjson.dumps(each) + b"\n" for each in page.records)
            digest.update(content)
            many += len(page.records)
            if content:
                yield content
            if page.whole or many >= wanted.limit:
                break
            try:
                held = await self.store.read(partial(grant_rows.grant, number=grant.number))
                at = self.clock()
                _must_last(held, at)
                page = await self._pulled(held, self._page(wanted, many, page.after), at)
            except HubError as error:
                # It ended or was used up meanwhile: the file ends here, and says that there is more.
                log.info("grant.file_cut", grant=grant.number, code=error.code, records=many)
                break
        told = {"records": many, "after": str(page.after), "more": not page.whole, **digest.told()}
        yield orjson.dumps({"end": told}) + b"\n"

    def _page(self, wanted: Wanted, had: int, after: int) -> Wanted:
        """The next page of what is *wanted*, of which *had* records are there already."""
        return replace(wanted, after=after, limit=min(self.page_records, wanted.limit - had))

    async def _entitled(self, number: str, inbound: Inbound, way: str) -> Grant:
        at = inbound.received_at
        held, secrets = await self.store.read(
            partial(with_secrets, number=number, seal=self.seal, at=at)
        )
        self._prove(number, secrets, inbound)
        if held is None or held.way != way:
            raise Misconfigured("sender.denied", "Not a grant of this way", system=number[:64])
        _must_last(held, at)
        return held

    def _prove(self, number: str, secrets: tuple[str, ...], inbound: Inbound) -> None:
        for secret in secrets:
            try:
                self.proven(secret, number, inbound)
                return
            except Misconfigured:
                continue
        raise Misconfigured("sender.denied", "Not signed as agreed", system=number[:64])

    def _refused(self, error: HubError, number: str, at: datetime) -> Response:
        log.info("grant.refused", grant=number[:64], code=error.code)
        told = {"code": error.code, "reasons": [both(fault) for fault in faults_of(error)]}
        if isinstance(error, Transient):
            return JSONResponse(told, 503, {"Retry-After": str(RETRY_S)})
        status = STATUS.get(error.code, 400)
        headers = {"Retry-After": str(_until_tomorrow_s(at))} if status == 429 else None
        return JSONResponse(told, status, headers)


class _File(StreamingResponse):
    """Somebody who takes forever to read it is let go of: it has no last line then."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with asyncio.timeout(FILE_S):
            await super().__call__(scope, receive, send)


class _Digest:
    """Of what a file holds so far."""

    def __init__(self) -> None:
        self._sm3, self._sha256 = Hash(SM3()), hashlib.sha256()

    def update(self, content: bytes) -> None:
        self._sm3.update(content)
        self._sha256.update(content)

    def told(self) -> dict[str, str]:
        return {"sm3": self._sm3.copy().finalize().hex(), "sha256": self._sha256.hexdigest()}


def _inbound(request: Request, path: str, at: datetime) -> Inbound:
    return Inbound(
        method=request.method,
        path=path,
        query=dict(request.query_params),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=b"",
        received_at=at,
    )


def _must_last(held: Grant, at: datetime) -> None:
    if held.state != ACTIVE or at >= held.ends:
        raise Rejected("grant.ended", "It has ended", number=held.number)


def _wanted(query: Mapping[str, str], most: int) -> Wanted:
    return Wanted(
        after=_number(query, "after", 0, least=0, most=2**63 - 1),
        limit=_number(query, "limit", 100 if most == MOST else most, least=1, most=most),
        subject=query.get("subject", "")[:128],
    )


def _number(query: Mapping[str, str], name: str, usual: int, *, least: int, most: int) -> int:
    told = query.get(name, str(usual))
    if not (told.isascii() and told.isdigit() and len(told) < 20 and least <= int(told) <= most):
        raise Rejected("grant.query", "Not such a number", at=name, least=least, most=most)
    return int(told)


def _told(found: Pulled) -> Response:
    return JSONResponse({"records": list(found.records), "after": str(found.after)})


def _until_tomorrow_s(at: datetime) -> int:
    tomorrow = datetime.combine(beijing_day(at) + DAY, time(), BEIJING)
    return int((tomorrow - at).total_seconds()) + 1
