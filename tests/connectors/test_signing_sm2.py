"""Requests signed by SM2: a partner with the openssl command agrees with us, and nothing else is let in."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from connectors.signing import Nonces, signed_headers, verify
from connectors.signing_schemes import HmacSm3, Scheme, Sm2
from hub.crypto.sm2 import Sm2PublicKey
from hub.port import Inbound
from schemas.errors import Misconfigured
from simulators import signing as theirs
from simulators.sm2_command import OpensslSm2
from tests.connectors.sm2_parties import parties

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl command")

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MS = int(AT.timestamp() * 1000)
SECRET = "a-shared-secret"


def agreed() -> Sm2:
    return Sm2(parties().hub, Sm2PublicKey.read(parties().partner_public))


def pushed(by: str | OpensslSm2) -> Inbound:
    """Signed by the partner's program."""
    url = "http://hub/in/one-window/event?b=2&a=1"
    headers = theirs.signed_headers(
        by, app_id="one-window", method="POST", url=url, body=b"{}", now_ms=MS
    )
    return Inbound(
        method="POST",
        path="event",
        query={"b": "2", "a": "1"},
        headers={name.lower(): value for name, value in headers.items()},
        body=b"{}",
        received_at=AT,
    )


def is_let_in(request: Inbound, scheme: Scheme, nonces: Nonces | None = None) -> bool:
    try:
        verify(scheme, "one-window", request, nonces or Nonces())
    except Misconfigured as error:
        return error.code != "sender.denied"
    return True


@pytest.mark.parametrize("url", ["http://far/api/cases", "http://far/c?b=2&a=%E7%9F%B3%20%26&a=1"])
def test_a_partner_understands_our_signature(url: str) -> None:
    """Its program is the openssl command, and it has our public key alone."""
    body = '{"a": "石家庄"}'.encode()
    headers = signed_headers(agreed(), method="POST", url=url, body=body, at=AT)
    lower = {name.lower(): value for name, value in headers.items()}
    parts = urlsplit(url)
    keeper = theirs.Doorkeeper(parties().partner)

    assert "SM2" == headers["X-Sign-Type"]
    assert not keeper.refusal("POST", parts.path, parts.query, lower, body, now_ms=MS)
    again = keeper.refusal("POST", parts.path, parts.query, lower, body + b" ", now_ms=MS)
    assert again


def test_we_understand_a_partners_signature_once() -> None:
    """And a second time it is a replay."""
    request, nonces = pushed(parties().partner), Nonces()

    assert is_let_in(request, agreed(), nonces)
    assert not is_let_in(request, agreed(), nonces)


def test_a_signature_in_der_is_let_in() -> None:
    """As the openssl command makes it, in hexadecimal."""
    request = pushed(parties().partner)
    raw = request.headers["x-signature"]
    numbers = [int(raw[:64], 16), int(raw[64:], 16)]
    each = [n.to_bytes(n.bit_length() // 8 + 1, "big") for n in numbers]
    content = b"".join(bytes((2, len(n))) + n for n in each)
    der = (bytes((0x30, len(content))) + content).hex()

    assert is_let_in(replace(request, headers={**request.headers, "x-signature": der}), agreed())


def test_no_scheme_opens_a_door_of_the_other() -> None:
    """Neither by its own name nor by the name of the one that was agreed, nor by none."""
    public = parties().partner_public
    by_secret, by_key = pushed(SECRET), pushed(parties().partner)
    # The worst mistake: a public key, which everybody has, taken for a shared secret.
    by_public = [pushed(each) for each in (public, Sm2PublicKey.read(public).hex)]

    for name in ("SM2", "HMAC-SM3", "", None, "sm2"):
        for request in (by_secret, *by_public):
            assert not is_let_in(named(request, name), agreed())
        assert not is_let_in(named(by_key, name), HmacSm3(SECRET))
        assert is_let_in(named(by_key, name), agreed()) is (name == "SM2")


def named(request: Inbound, name: str | None) -> Inbound:
    headers = {n: value for n, value in request.headers.items() if n != "x-sign-type"}
    return replace(request, headers=headers if name is None else {**headers, "x-sign-type": name})


def test_a_strangers_key_is_denied() -> None:
    """And so is anybody, where the partner's public key is not known."""
    assert not is_let_in(pushed(parties().stranger), agreed())
    assert not is_let_in(pushed(parties().partner), Sm2(parties().hub))


@pytest.mark.parametrize(
    "signature", ["", "00" * 64, "f" * 128, "签名", "3006020101020101", "ab" * 200]
)
def test_what_is_no_signature_is_denied(signature: str) -> None:
    """Without a bug on the way."""
    request = pushed(parties().partner)
    headers = {**request.headers, "x-signature": signature}

    assert not is_let_in(replace(request, headers=headers), agreed())


def test_a_forged_request_uses_up_no_nonce() -> None:
    """Who guesses nonces cannot shut the true sender out."""
    request, nonces = pushed(parties().partner), Nonces()

    assert not is_let_in(replace(request, body=b"[]"), agreed(), nonces)
    assert is_let_in(request, agreed(), nonces)


def test_a_replay_costs_no_signature() -> None:
    """It is turned away by its nonce: who sends one again and again takes no processor for SM2."""

    @dataclass(frozen=True)
    class Counting:
        of: Sm2
        asked: list[str]
        name = "SM2"
        may_be_untold = False

        def sign(self, text: bytes) -> str:
            return self.of.sign(text)

        def proves(self, text: bytes, signature: str) -> bool:
            self.asked.append(signature)
            return self.of.proves(text, signature)

    request, nonces, scheme = pushed(parties().partner), Nonces(), Counting(agreed(), [])

    assert [True, False, False] == [is_let_in(request, scheme, nonces) for _ in range(3)]
    assert 1 == len(scheme.asked)


def test_keys_do_not_show() -> None:
    """In `repr`, which logs and tracebacks use."""
    assert parties().hub.hex not in repr(agreed())
    assert SECRET not in repr(HmacSm3(SECRET))
