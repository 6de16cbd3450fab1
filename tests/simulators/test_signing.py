"""The partners' own signing agrees with the hub's, and with the standard."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.signing import signed_headers as signed_by_the_hub
from simulators.signing import Doorkeeper, signed_headers, sm3

NOW = datetime(2026, 3, 2, 1, 2, 3, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
URL = "http://127.0.0.1:1/gateway/changes?limit=200&after=1%2F2&z="


def refusal(headers: dict[str, str], *, body: bytes = b"x", now_ms: int = NOW_MS) -> str:
    lower = {name.lower(): value for name, value in headers.items()}
    query = URL.partition("?")[2]
    keeper = Doorkeeper("secret")
    return keeper.refusal("GET", "/gateway/changes", query, lower, body, now_ms=now_ms)


def test_sm3_is_the_standards() -> None:
    """GM/T 0004-2012, appendix A.1."""
    expected = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"

    assert expected == sm3(b"abc")


def test_what_the_hub_signs_is_let_in() -> None:
    """Two programs, written apart, agree; the order of the query does not matter."""
    headers = signed_by_the_hub("secret", method="GET", url=URL, body=b"x", at=NOW)

    assert "" == refusal(headers)


@pytest.mark.parametrize(
    ("change", "body", "later_ms"),
    [
        ({"X-Signature": "0" * 64}, b"x", 0),
        ({"X-Nonce": "short"}, b"x", 0),
        ({"X-App-Id": "another"}, b"x", 0),
        ({}, b"y", 0),
        ({}, b"x", 300_001),
        ({"X-Timestamp": "soon"}, b"x", 0),
    ],
)
def test_anything_changed_is_turned_away(
    change: dict[str, str], body: bytes, later_ms: int
) -> None:
    """Signature, nonce, sender, content, or time."""
    headers = signed_headers(
        "secret", app_id="shuniu", method="GET", url=URL, body=b"x", now_ms=NOW_MS
    )

    assert refusal({**headers, **change}, body=body, now_ms=NOW_MS + later_ms)
