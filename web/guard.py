"""What stands around every page: security headers, and proof that a POST comes from our own page.

Standard   Content Security Policy level 3; Fetch Metadata (``Sec-Fetch-Site``); RFC 6454 (Origin)
Promises   no page loads or sends anything outside its own origin; a POST without our token, or from
           another site, is answered 403 and reaches nobody
Form       a POST is ``application/x-www-form-urlencoded`` of at most `MOST_BYTES` bytes; its fields
           are in ``request.state.form``. Or it is ``application/json`` of at most `MOST_JSON_BYTES`
           bytes, and carries the token of its cookie in the header `CSRF_HEADER`. At an address for
           *uploads* it is ``multipart/form-data`` with one file, in ``request.state.upload``
           What is refused is told as the application tells its errors (*refused*)
Careful    doors for machines (*open_to*: path prefixes) prove themselves otherwise: signed requests
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.errors import Fault
from web.upload import Refused, taken

__all__ = ["CSRF_COOKIE", "CSRF_FIELD", "CSRF_HEADER", "HEADERS", "MOST_BYTES", "Form", "Guard"]

Form = dict[str, list[str]]
Refusal = Callable[[Request, Fault, int], Response]
CSRF_COOKIE, CSRF_FIELD, CSRF_HEADER = "shuniu_csrf", "csrf", "x-shuniu-csrf"
MOST_BYTES, MOST_FIELDS, MOST_JSON_BYTES = 524_288, 10_000, 2_097_152
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(
        self,
        app: ASGIApp,
        refused: Refusal,
        open_to: Sequence[str] = ("/in/",),
        uploads: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """*uploads*: by path, how many bytes the file has at most."""
        self._app, self._refused = app, refused
        self._open_to, self._uploads = tuple(open_to), uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self._open_to):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        known = _cookie(headers, CSRF_COOKIE)
        token = known or secrets.token_urlsafe(24)
        scope.setdefault("state", {})["csrf"] = token
        guarded = _with_headers(send, "" if known else token)
        if scope["method"] in SAFE:
            await self._app(scope, receive, guarded)
            return
        kind = headers.get("content-type", "").partition(";")[0].strip()
        if kind == "multipart/form-data" and scope["path"] in self._uploads:
            await self._take_file(scope, receive, guarded, known)
            return
        # Another site's form cannot send this type, nor its script our header, without being asked.
        as_json = kind == "application/json"
        most = MOST_JSON_BYTES if as_json else MOST_BYTES
        body = await _body(receive, most)
        form: Form | None = None
        if body is not None:
            form = {} if as_json else _form(body)
        given = headers.get(CSRF_HEADER, "") if as_json else (form or {}).get(CSRF_FIELD, [""])[0]
        if form is None:
            await self._tell(_too_large(most), 413, scope, receive, guarded)
        elif not (_same_origin(headers) and known and _proved(given, known)):
            await self._tell(_ELSEWHERE, 403, scope, receive, guarded)
        else:
            scope["state"]["form"] = form
            await self._app(scope, _again(body or b"", receive), guarded)

    async def _take_file(self, scope: Scope, receive: Receive, send: Send, token: str) -> None:
        # Before the file is read: who is nobody may not make us read one.
        if not (_same_origin(Headers(scope=scope)) and token):
            await self._tell(_ELSEWHERE, 403, scope, receive, send)
            return
        most = self._uploads[scope["path"]]
        try:
            upload = await taken(scope, receive, most)
        except Refused as error:
            fault = _too_large(most) if error.status == 413 else Fault("web.upload.broken")
            await self._tell(fault, error.status, scope, receive, send)
            return
        try:
            if not _proved(upload.fields.get(CSRF_FIELD, [""])[0], token):
                await self._tell(_ELSEWHERE, 403, scope, receive, send)
                return
            scope["state"].update(form=upload.fields, upload=upload.file)
            await self._app(scope, _again(b"", receive), send)
        finally:
            await upload.close()

    async def _tell(
        self, fault: Fault, status: int, scope: Scope, receive: Receive, send: Send
    ) -> None:
        answer = self._refused(Request(scope), fault, status)
        await answer(scope, receive, send)


_ELSEWHERE = Fault("web.post.unproven")


def _too_large(most_bytes: int) -> Fault:
    return Fault("web.post.too-large", "", {"most_kb": most_bytes // 1024})


def _with_headers(send: Send, fresh: str) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
            if fresh and headers.get("content-type", "").startswith("text/html"):
                cookie = f"{CSRF_COOKIE}={fresh}; Path=/; HttpOnly; SameSite=Strict"
                headers.append("set-cookie", cookie)
        await send(message)

    return guarded


def _cookie(headers: Headers, name: str) -> str:
    found = cookie_parser(headers.get("cookie", "")).get(name, "")
    return found if len(found) <= 64 else ""


def _same_origin(headers: Headers) -> bool:
    """A browser says where a POST comes from; one that says nothing is a program, and has a token."""
    if (site := headers.get("sec-fetch-site")) is not None and site != "same-origin":
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host", "")


def _proved(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _form(body: bytes) -> Form | None:
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return None


async def _body(receive: Receive, most_bytes: int) -> bytes | None:
    """The whole body, or None where it is too large or breaks off."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > most_bytes:
            return None
        if not message.get("more_body"):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """*receive*, with *body* put back in front."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
