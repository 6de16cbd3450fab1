"""Signatures: the standard's vectors, a partner's own program, and nonces when many come."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from connectors.signing import Nonces, hmac_sm3, signed_headers, sm3, verify
from hub.port import Inbound
from schemas.errors import Misconfigured
from simulators import signing as theirs

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MS = int(AT.timestamp() * 1000)
SECRET = "a-shared-secret"
WINDOW_MS = 300_000


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_sm3_vectors(content: bytes, expected: str) -> None:
    """GM/T 0004-2012, appendix A."""
    assert expected == sm3(content)


@pytest.mark.parametrize(
    ("key", "content", "expected"),
    [
        (
            bytes(range(1, 33)),
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq" * 2,
            "ca05e144ed05d1857840d1f318a4a8669e559fc8391f414485bfdf7bb408963a",
        ),
        (
            b"key",
            b"abc",
            "28e63256e7c5a087b1f073265dc53092163f7b82729735d06f28f10af9d52393",
        ),
    ],
)
def test_hmac_sm3_vectors(key: bytes, content: bytes, expected: str) -> None:
    """As other programs count it too."""
    assert expected == hmac_sm3(key, content)


@pytest.mark.parametrize(
    "url",
    [
        "http://far/api/cases",
        "http://far:8080/gateway/changes?limit=5&after=12",
        "http://far/changes?after=&limit=5",
        "http://far/changes?b=2&a=%E7%9F%B3%20%26&a=1",
    ],
)
@pytest.mark.parametrize("body", [b"", '{"a": "石家庄"}'.encode()])
def test_a_partner_understands_our_signature(url: str, body: bytes) -> None:
    """Its program was written apart from ours."""
    doorkeeper = theirs.Doorkeeper(SECRET)
    headers = signed_headers(SECRET, method="POST", url=url, body=body, at=AT)
    lower = {name.lower(): value for name, value in headers.items()}
    parts = urlsplit(url)

    refusal = doorkeeper.refusal("POST", parts.path, parts.query, lower, body, now_ms=MS)

    assert not refusal


def pushed(query: str = "", *, secret: str = SECRET, at: datetime = AT) -> Inbound:
    """Signed by the partner's program."""
    headers = theirs.signed_headers(
        secret,
        app_id="one-window",
        method="POST",
        url=f"http://hub/in/one-window/event{query}",
        body=b"{}",
        now_ms=int(at.timestamp() * 1000),
    )
    lower = {name.lower(): value for name, value in headers.items()}
    asked = dict(pair.split("=") for pair in query.removeprefix("?").split("&") if pair)
    return Inbound(
        method="POST", path="event", query=asked, headers=lower, body=b"{}", received_at=AT
    )


@pytest.mark.parametrize("query", ["", "?b=2&a=1"])
def test_we_understand_a_partners_signature(query: str) -> None:
    """And the other way round."""
    verify(SECRET, "one-window", pushed(query), Nonces())


@pytest.mark.parametrize("off_s", [-300, 300])
def test_a_clock_may_be_five_minutes_off(off_s: int) -> None:
    """To the second, both ways."""
    verify(SECRET, "one-window", pushed(at=AT + timedelta(seconds=off_s)), Nonces())

    further = pushed(at=AT + timedelta(seconds=off_s + (1 if off_s > 0 else -1)))
    with pytest.raises(Misconfigured):
        verify(SECRET, "one-window", further, Nonces())


def test_a_forged_request_uses_up_no_nonce() -> None:
    """Who guesses nonces cannot shut the true sender out."""
    nonces, request = Nonces(), pushed()
    with pytest.raises(Misconfigured):
        verify(SECRET, "one-window", replace(request, body=b"{} "), nonces)

    verify(SECRET, "one-window", request, nonces)


def test_a_nonce_passes_once_for_as_long_as_its_stamp_is_good() -> None:
    """One stamped five minutes ahead is good for ten."""
    nonces = Nonces()

    assert nonces.take("n" * 16, MS + WINDOW_MS, MS)
    assert not nonces.take("n" * 16, MS + WINDOW_MS, MS + 2 * WINDOW_MS)


def test_a_busy_sender_is_not_shut_out() -> None:
    """More than there is room for, in good time: every one is let in, and no repeat of any."""
    nonces = Nonces(most=10)
    stamps = [(f"{n:016}", MS + n) for n in range(50)]

    assert all(nonces.take(nonce, stamp, stamp) for nonce, stamp in stamps)
    assert not any(nonces.take(nonce, stamp, MS + 50) for nonce, stamp in stamps)


def test_nonces_do_not_pile_up() -> None:
    """What is too old to pass is forgotten."""
    nonces = Nonces()
    for n in range(1000):
        nonces.take(f"{n:016}", MS + n, MS + n)

    nonces.take("fresh-and-alone-", MS + 2 * WINDOW_MS, MS + 2 * WINDOW_MS)

    assert 1 == len(nonces._seen)
