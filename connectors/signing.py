"""Signed requests, both ways: over method, path, query, sender, time, nonce and content, by HMAC-SM3 or SM2.

Standard   GM/T 0004-2012 (SM3), RFC 2104 (HMAC), GM/T 0003-2012 (SM2)
Form       headers ``X-App-Id X-Timestamp X-Nonce X-Content-SM3 X-Sign-Type X-Key-Id X-Signature``;
           signed text: method, path, sorted query, app id, timestamp, nonce, content digest, one a line
Units      the timestamp is in milliseconds since 1970 and may be `WINDOW_S` seconds off
Promises   a signature passes once: its nonce is remembered for longer than its timestamp is good; with whom one
           scheme was agreed, the other is not let in, whatever a header says
Not here   the schemes themselves (`connectors.signing_schemes`); secrets (`secret://…` in a profile, resolved by the composition root)
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlsplit

from cryptography.hazmat.primitives.hashes import SM3, Hash

from connectors.signing_schemes import HmacSm3, Scheme, hmac_sm3
from hub.port import Inbound
from schemas.errors import Misconfigured

__all__ = ["Nonces", "hmac_sm3", "signed_headers", "sm3", "verify"]

WINDOW_S = 300
MOST_NONCES = 200_000
NONCE_LENGTH = (16, 64)
HUB = "shuniu"


class Nonces:
    """
    The nonces seen of late, with their timestamps, oldest first. One for each system.

    There is room for *most*. When a busy system needs more, the oldest is forgotten, and from then
    on whatever is not stamped later than it is turned away: a repeat never passes, and a system in
    good time is never shut out.
    """

    def __init__(self, most: int = MOST_NONCES) -> None:
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._most, self._forgotten_ms = most, 0

    def is_new(self, nonce: str, stamp_ms: int, now_ms: int) -> bool:
        """False when it was seen before, or can no longer be told from one that was."""
        while self._seen and next(iter(self._seen.values())) < now_ms - WINDOW_S * 1000:
            self._seen.popitem(last=False)
        return nonce not in self._seen and stamp_ms > self._forgotten_ms

    def take(self, nonce: str, stamp_ms: int, now_ms: int) -> bool:
        """Remember *nonce*; False when it is not new."""
        if not self.is_new(nonce, stamp_ms, now_ms):
            return False
        self._seen[nonce] = stamp_ms
        if len(self._seen) > self._most:
            _, oldest_ms = self._seen.popitem(last=False)
            self._forgotten_ms = max(self._forgotten_ms, oldest_ms)
        return True


def sm3(content: bytes) -> str:
    digest = Hash(SM3())
    digest.update(content)
    return digest.finalize().hex()


def signed_headers(
    agreed: Scheme | str, *, method: str, url: str, body: bytes, at: datetime, app_id: str = HUB
) -> dict[str, str]:
    """The headers that make a request to *url* the hub's own. *agreed*: a scheme, or the secret of
    `HmacSm3`."""
    scheme = _scheme(agreed)
    parts = urlsplit(url)
    stamp, nonce, digest = str(int(at.timestamp() * 1000)), secrets.token_hex(16), sm3(body)
    text = _text(method, parts.path, parts.query, app_id, stamp, nonce, digest)
    return {
        "X-App-Id": app_id,
        "X-Timestamp": stamp,
        "X-Nonce": nonce,
        "X-Content-SM3": digest,
        "X-Sign-Type": scheme.name,
        "X-Key-Id": "1",
        "X-Signature": scheme.sign(text),
    }


def verify(
    agreed: Scheme | str, app_id: str, request: Inbound, nonces: Nonces, *, door: str = "in"
) -> None:
    """Raises `Misconfigured` (``sender.denied``) unless *request* is *app_id*'s, fresh and first.
    What exactly is wrong is not told: a stranger would learn from it. *door*: the first part of the
    address at which it came."""
    headers, scheme = request.headers, _scheme(agreed)
    stamp, nonce = headers.get("x-timestamp", ""), headers.get("x-nonce", "")
    now_ms = int(request.received_at.timestamp() * 1000)
    fresh = stamp.isascii() and stamp.isdigit() and len(stamp) <= 16
    fresh = fresh and abs(now_ms - int(stamp)) <= WINDOW_S * 1000
    digest = sm3(request.body)
    path = f"/{door}/{app_id}/{request.path}"
    query = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in request.query.items())
    text = _text(request.method, path, query, app_id, stamp, nonce, digest)
    untold = scheme.name if scheme.may_be_untold else ""
    # The signature last: of SM2 it takes a hundred times as long as all the rest.
    good = (
        fresh
        and headers.get("x-app-id") == app_id
        and headers.get("x-sign-type", untold) == scheme.name
        and NONCE_LENGTH[0] <= len(nonce) <= NONCE_LENGTH[1]
        and hmac.compare_digest(headers.get("x-content-sm3", "").encode(), digest.encode())
        and nonces.is_new(nonce, int(stamp), now_ms)
        and scheme.proves(text, headers.get("x-signature", ""))
    )
    # Taken last: a forged request must not use up somebody else's nonce.
    if not good or not nonces.take(nonce, int(stamp), now_ms):
        raise Misconfigured("sender.denied", "The request is not signed as agreed", system=app_id)


def _scheme(agreed: Scheme | str) -> Scheme:
    return HmacSm3(agreed) if isinstance(agreed, str) else agreed


def _text(method: str, path: str, query: str, *rest: str) -> bytes:
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    in_order = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    return "\n".join((method.upper(), path, in_order, *rest)).encode()
