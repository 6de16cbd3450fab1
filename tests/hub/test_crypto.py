"""SM3 against the standard's vectors; SM4 sealing against what it must withstand."""

from __future__ import annotations

import pytest

from hub.crypto import Sm4Seal, sm3
from schemas.errors import Misconfigured

KEY, OTHER = bytes(range(16)), bytes(range(1, 17))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_sm3_is_that_of_the_standard(content: bytes, expected: str) -> None:
    """GB/T 32905-2016, annex A, examples 1 and 2."""
    assert expected == sm3(content)


def test_what_is_sealed_opens_and_does_not_show() -> None:
    """Round trip; two seals of the same content differ."""
    seal = Sm4Seal(KEY)
    content = "民宿一件事 11010519491231002X".encode()

    first, second = seal.seal(content), seal.seal(content)

    assert content == seal.open(first) == seal.open(second)
    assert first != second
    assert content not in first


def test_an_altered_byte_is_noticed() -> None:
    """GCM authenticates: no bit of nonce, text or tag can change unseen."""
    seal = Sm4Seal(KEY)
    sealed = seal.seal(b"x" * 40)

    for place in range(9, len(sealed)):
        altered = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(Misconfigured):
            seal.open(altered)


def test_a_former_key_still_opens() -> None:
    """Rotation: new content under the new key, old content stays readable."""
    old, new = Sm4Seal(KEY), Sm4Seal(OTHER, KEY)

    assert b"old" == new.open(old.seal(b"old"))
    with pytest.raises(Misconfigured):
        old.open(new.seal(b"new"))


def test_the_key_is_not_shown() -> None:
    """Neither repr nor an error carries key material."""
    with pytest.raises(Misconfigured) as caught:
        Sm4Seal(b"short")

    assert KEY.hex() not in repr(Sm4Seal(KEY))
    assert "short" not in f"{caught.value} {caught.value.facts}"
