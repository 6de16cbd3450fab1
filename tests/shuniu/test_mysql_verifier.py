"""MySQL's verifier of a password, by the published vectors of SHA-256-crypt and by Python's own `crypt`."""

from __future__ import annotations

import re
import sys
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuniu.mysql_verifier import mysql_verifier, sha256_crypt

SALT_LETTERS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# SHA-crypt.txt, the tests at its end, each salt as it is after the standard has cut it off at 16 characters.
PUBLISHED = [
    ("saltstring", 5000, "Hello world!", "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
    ("saltstringsaltst", 10000, "Hello world!", "3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"),
    (
        "toolongsaltstrin",
        5000,
        "This is just a test",
        "Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5",
    ),
    (
        "anotherlongsalts",
        1400,
        "a very much longer text to encrypt.  This one even stretches over morethan one line.",
        "Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1",
    ),
    (
        "short",
        77777,
        "we have a short salt string but not a short password",
        "JiO1O3ZpDAxGJeaDIuqCoEFysAe1mZNJRs3pw0KQRd/",
    ),
    ("asaltof16chars..", 123456, "a short string", "gP3VQ/6X7UUEW3HkBn2w1/Ptq2jxPyzV/cZKmF/wJvD"),
    (
        "roundstoolow",
        1000,
        "the minimum number is still observed",
        "yfvwcWrQ8l/K0DAWyuPMDNHpIVlTQebY9l/gL972bIC",
    ),
]


@pytest.mark.parametrize(("salt", "rounds", "secret", "published"), PUBLISHED)
def test_the_published_digests(salt: str, rounds: int, secret: str, published: str) -> None:
    """Every vector of the standard."""
    assert published == sha256_crypt(secret.encode(), salt.encode(), rounds).decode()


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="Python has no crypt any more")
@given(
    secret=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=80),
    salt=st.text(SALT_LETTERS, min_size=1, max_size=16),
    rounds=st.integers(1000, 1100),
)
def test_digests_are_those_of_crypt(secret: str, salt: str, rounds: int) -> None:
    """For secrets of any length and letters, with salts that the system's library takes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import crypt  # noqa: PLC0415 - it warns, and later Pythons have none
    said = crypt.crypt(secret, f"$5$rounds={rounds}${salt}")
    assert said.rsplit("$", 1)[1] == sha256_crypt(secret.encode(), salt.encode(), rounds).decode()


def test_a_verifier_is_as_mysql_keeps_it() -> None:
    """5 times 1000 rounds, 20 characters of salt without an end for MySQL in them, the digest; another
    salt each time, and not the secret."""
    first, second = (bytes.fromhex(mysql_verifier("a secret")[2:]) for _ in range(2))
    for told in (first, second):
        found = re.fullmatch(rb"\$A\$005\$([A-Za-z0-9+/]{20})([A-Za-z0-9./]{43})", told)
        assert found
        assert sha256_crypt(b"a secret", found[1]) == found[2]
    assert first != second
