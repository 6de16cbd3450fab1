"""Signing of requests as government gateways ask it: over method, path, time and content, by HMAC-SM3 or SM2.

Standard   GM/T 0004-2012 (SM3), RFC 2104 (HMAC), GM/T 0003-2012 (SM2)
Form       headers ``X-App-Id X-Timestamp X-Nonce X-Content-SM3 X-Sign-Type X-Key-Id X-Signature``;
           signed text: method, path, sorted query, app id, timestamp, nonce, content digest, one a line
Units      the timestamp counts milliseconds since 1970, and may be 5 minutes off
Not here   the hub's own signing: a partner has a program of its own
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from simulators.sm2_command import OpensslSm2

__all__ = ["Doorkeeper", "signed_headers", "sm3"]

WINDOW_MS = 300_000
NONCES_KEPT = 100_000


def sm3(content: bytes) -> str:
    digest = hashes.Hash(hashes.SM3())
    digest.update(content)
    return digest.finalize().hex()


def signed_headers(
    secret: str | OpensslSm2, *, app_id: str, method: str, url: str, body: bytes, now_ms: int
) -> dict[str, str]:
    """The headers for a request of *app_id*. *secret*: what was agreed, a secret or a pair of keys."""
    parts = urlsplit(url)
    nonce, digest = secrets.token_hex(16), sm3(body)
    text = _signed_text(method, parts.path, parts.query, app_id, str(now_ms), nonce, digest)
    return {
        "X-App-Id": app_id,
        "X-Timestamp": str(now_ms),
        "X-Nonce": nonce,
        "X-Content-SM3": digest,
        "X-Sign-Type": _name(secret),
        "X-Key-Id": "1",
        "X-Signature": _signature(secret, text),
    }


class Doorkeeper:
    """Lets in who knows the secret, or has the key that was agreed, once per nonce."""

    def __init__(self, secret: str | OpensslSm2) -> None:
        self._secret = secret
        self._nonces: OrderedDict[str, None] = OrderedDict()

    def refusal(
        self,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        now_ms: int,
    ) -> str:
        """Why the request is turned away; "" where it is not. Header names are lower case."""
        stamp, nonce = headers.get("x-timestamp", ""), headers.get("x-nonce", "")
        if not stamp.isascii() or not stamp.isdigit() or abs(now_ms - int(stamp)) > WINDOW_MS:
            return "时间戳缺失或超出允许范围"
        if headers.get("x-content-sm3", "") != sm3(body):
            return "报文摘要不符"
        app_id, digest = headers.get("x-app-id", ""), sm3(body)
        text = _signed_text(method, path, query, app_id, stamp, nonce, digest)
        if headers.get("x-sign-type", "HMAC-SM3") != _name(self._secret):
            return "签名算法不符"
        if not _proven(self._secret, text, headers.get("x-signature", "")):
            return "签名不符"
        if len(nonce) < 16 or nonce in self._nonces:
            return "随机数缺失或重复"
        self._nonces[nonce] = None
        while len(self._nonces) > NONCES_KEPT:
            self._nonces.popitem(last=False)
        return ""


def _signed_text(method: str, path: str, query: str, *rest: str) -> str:
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    in_order = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    return "\n".join((method.upper(), path, in_order, *rest))


def _name(secret: str | OpensslSm2) -> str:
    return "HMAC-SM3" if isinstance(secret, str) else "SM2"


def _proven(secret: str | OpensslSm2, text: str, signature: str) -> bool:
    if not isinstance(secret, str):
        return secret.proves(text.encode(), signature)
    return hmac.compare_digest(_signature(secret, text).encode(), signature.encode())


def _signature(secret: str | OpensslSm2, text: str) -> str:
    if not isinstance(secret, str):
        return secret.sign(text.encode())
    code = HMAC(secret.encode(), hashes.SM3())
    code.update(text.encode())
    return code.finalize().hex()
