"""What stands around every page: security headers, and proof that a POST comes from our own page.

Standard   Content Security Policy level 3; Fetch Metadata (``Sec-Fetch-Site``); RFC 6454 (Origin)
Promises   no page loads or sends anything outside its own origin; a POST without our token, or from
           another site, is answered 403 and reaches nobody
Form       a POST is ``application/x-www-form-urlencoded`` of at most `MOST_BYTES` bytes; its fields
           are in ``request.state.form``
Careful    doors for machines (*open_to*: path prefixes) prove themselves otherwise: signed requests
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CSRF_COOKIE", "CSRF_FIELD", "HEADERS", "Form", "Guard"]

Form = dict[str, list[str]]
CSRF_COOKIE, CSRF_FIELD = "shuniu_csrf", "csrf"
MOST_BYTES, MOST_FIELDS = 65_536, 2_000
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

    def __init__(self, app: ASGIApp, open_to: Sequence[str] = ("/in/",)) -> None:
        self._app, self._open_to = app, tuple(open_to)

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
        body = await _body(receive)
        form = _form(body) if body is not None else None
        if form is None:
            await PlainTextResponse("", 413)(scope, receive, guarded)
        elif not (_same_origin(headers) and known and _proved(form, known)):
            await PlainTextResponse("403", 403)(scope, receive, guarded)
        else:
            scope["state"]["form"] = form
            await self._app(scope, _again(body or b"", receive), guarded)


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


def _proved(form: Form, token: str) -> bool:
    given = form.get(CSRF_FIELD, [""])[0]
    return hmac.compare_digest(given.encode(), token.encode())


def _form(body: bytes) -> Form | None:
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return None


async def _body(receive: Receive) -> bytes | None:
    """The whole body, or None where it is too large or breaks off."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > MOST_BYTES:
            return None
        if not message.get("more_body"):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """*receive*, with *body* put back in front."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
