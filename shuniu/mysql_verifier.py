"""What MySQL keeps of a password, so that it need not be told the password.

Standard   SHA-256-crypt by Ulrich Drepper (SHA-crypt, 2008), with the one difference that salts are not cut off
           at 16 characters, since MySQL's are of 20
Form       ``$A$005$``, the salt, the digest: what plugin ``caching_sha2_password`` has in ``authentication_string``
           after 5 times 1000 rounds; given in hex, as MySQL takes it from 8.0.17 on
"""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode

__all__ = ["mysql_verifier", "sha256_crypt"]

ROUNDS = 5000
SALT_BYTES = 15  # which are 20 characters of base64: neither NUL nor the dollar, where MySQL would see an end
_ALPHABET = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def mysql_verifier(secret: str) -> str:
    """A hexadecimal literal for ``IDENTIFIED WITH caching_sha2_password AS``, each time with a salt of
    its own."""
    salt = b64encode(os.urandom(SALT_BYTES))
    return "0x" + (b"$A$005$" + salt + sha256_crypt(secret.encode(), salt)).hex().upper()


def sha256_crypt(secret: bytes, salt: bytes, rounds: int = ROUNDS) -> bytes:
    """The 43 characters after the salt; all of the salt counts."""
    digest = _first(secret, salt)
    of_secret = _as_long(_sha256(secret * len(secret)), secret)
    of_salt = _as_long(_sha256(salt * (16 + digest[0])), salt)
    for turn in range(rounds):
        odd = turn % 2
        digest = _sha256(
            (of_secret if odd else digest)
            + (of_salt if turn % 3 else b"")
            + (of_secret if turn % 7 else b"")
            + (digest if odd else of_secret)
        )
    return _printable(digest)


def _first(secret: bytes, salt: bytes) -> bytes:
    both = _sha256(secret + salt + secret)
    # A part for each binary digit of the secret's length, the lowest first.
    parts = (both if digit == "1" else secret for digit in reversed(f"{len(secret):b}"))
    return _sha256(secret + salt + _as_long(both, secret) + b"".join(parts))


def _printable(digest: bytes) -> bytes:
    """Three bytes are four characters, the lowest bits first; the order of the bytes is the standard's."""
    found = bytearray()
    at = (0, 10, 20)
    for _ in range(10):
        found += _characters(int.from_bytes(bytes(digest[each] for each in at)), 4)
        at = (at[2] + 1, at[0] + 1, at[1] + 1)
    return bytes(found + _characters(digest[31] << 8 | digest[30], 3))


def _characters(number: int, count: int) -> bytes:
    return bytes(_ALPHABET[number >> 6 * each & 63] for each in range(count))


def _as_long(digest: bytes, text: bytes) -> bytes:
    return (digest * (len(text) // len(digest) + 1))[: len(text)]


def _sha256(told: bytes) -> bytes:
    return hashlib.sha256(told).digest()
