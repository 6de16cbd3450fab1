"""SM2 signatures with SM3, and their keys as people hold them.

Standard   GM/T 0003-2012, GB/T 32918-2016; user id GM/T 0009-2012, section 10
Form       a signature is ``r || s``, 64 bytes, as partners' programs have it; one in DER, as the openssl command
           makes it, is verified too. Keys: hexadecimal digits (private 64; public 128, with or without ``04`` in
           front) or PEM (PKCS#8 or SEC 1; SubjectPublicKeyInfo)
Careful    a private key is never printed: ``repr`` shows the public one alone
Not here   encryption; certificates
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

from hub.crypto.digest import sm3_bytes
from hub.crypto.libcrypto import CURVE, Pkey, not_a_key, sign_digest, verify_digest
from schemas.errors import Misconfigured

__all__ = ["USER_ID", "Sm2PrivateKey", "Sm2PublicKey", "new_key", "sign", "verify"]

USER_ID = "1234567812345678"
NUMBER_BYTES = 32
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
# The curve's a, b and generator, as the digest of a signer's name takes them in.
_CURVE_NUMBERS = bytes.fromhex(
    "fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc"
    "28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93"
    "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"
    "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"
)
# A private key as SEC 1 has it: what stands before its number, and behind it.
_NUMBER_AT = bytes.fromhex("0201010420")
_SEC1 = (bytes.fromhex("30310201010420"), bytes.fromhex("a00a06082a811ccf5501822d"))
# In PKCS#8, with the public key.
_PKCS8 = (
    bytes.fromhex("308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b0201010420"),
    bytes.fromhex("a14403420004"),
)
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----")
_PUBLIC_HEX, _PRIVATE_HEX = re.compile(r"(?:04)?([0-9a-f]{128})"), re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Sm2PublicKey:
    """*point*: its two coordinates, 64 bytes. Raises `Misconfigured` for one that is not on the curve."""

    point: bytes
    pkey: Pkey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pkey", Pkey(CURVE + self.point))

    @classmethod
    def read(cls, text: str) -> Self:
        """From hexadecimal digits or PEM. Raises `Misconfigured` (``crypto.sm2-key``)."""
        if found := _PUBLIC_HEX.fullmatch(text.strip().lower()):
            return cls(bytes.fromhex(found[1]))
        return cls(Pkey(_der(text, "PUBLIC KEY")).public_der().removeprefix(CURVE))

    @property
    def hex(self) -> str:
        """With ``04`` in front, as most programs want it."""
        return f"04{self.point.hex()}"

    @property
    def pem(self) -> str:
        return _pem("PUBLIC KEY", CURVE + self.point)


@dataclass(frozen=True, slots=True)
class Sm2PrivateKey:
    """*number*: 32 bytes. Raises `Misconfigured` for one that the standard does not allow."""

    number: bytes = field(repr=False)
    public: Sm2PublicKey = field(init=False, compare=False)
    pkey: Pkey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.number) != NUMBER_BYTES or not 1 <= int.from_bytes(self.number) <= ORDER - 2:
            raise not_a_key()
        pkey = Pkey(_SEC1[0] + self.number + _SEC1[1], private=True)
        object.__setattr__(self, "pkey", pkey)
        object.__setattr__(self, "public", Sm2PublicKey(pkey.public_der().removeprefix(CURVE)))

    @classmethod
    def read(cls, text: str) -> Self:
        """From hexadecimal digits or PEM. Raises `Misconfigured` (``crypto.sm2-key``)."""
        if _PRIVATE_HEX.fullmatch(digits := text.strip().lower()):
            return cls(bytes.fromhex(digits))
        pkey = Pkey(_der(text, "PRIVATE KEY", "EC PRIVATE KEY"), private=True)
        _, mark, behind = pkey.private_der().partition(_NUMBER_AT)
        if not mark:
            raise not_a_key()
        key = cls(behind[:NUMBER_BYTES])
        # Somebody else's public key in the same file would go into every digest.
        if key.public.point != pkey.public_der().removeprefix(CURVE):
            raise not_a_key()
        return key

    @property
    def hex(self) -> str:
        return self.number.hex()

    @property
    def pem(self) -> str:
        return _pem("PRIVATE KEY", _PKCS8[0] + self.number + _PKCS8[1] + self.public.point)


def new_key() -> Sm2PrivateKey:
    """Drawn by the operating system."""
    return Sm2PrivateKey((1 + secrets.randbelow(ORDER - 2)).to_bytes(NUMBER_BYTES))


def sign(private: Sm2PrivateKey, content: bytes, user_id: str = USER_ID) -> bytes:
    """The signature of *content*, 64 bytes."""
    made = _raw(sign_digest(private.pkey, _digest(private.public, content, user_id)))
    if made is None:
        raise Misconfigured(
            "crypto.no-sm2", "libcrypto signs in another form", why="signs otherwise"
        )
    return made


def verify(public: Sm2PublicKey, content: bytes, signature: bytes, user_id: str = USER_ID) -> bool:
    """Whether *signature* is of *content* and made with *public*'s private key. 64 bytes are always
    ``r || s``; what is longer or shorter is DER, of the one form that DER allows."""
    raw = signature if len(signature) == 2 * NUMBER_BYTES else _raw(signature)
    if raw is None:
        return False
    r, s = _numbers(raw)
    if not (0 < r < ORDER and 0 < s < ORDER):
        return False
    digest = _digest(public, content, user_id)
    return verify_digest(public.pkey, digest, _sequence(r, s))


def _digest(public: Sm2PublicKey, content: bytes, user_id: str) -> bytes:
    return sm3_bytes(_signer(public.point, user_id) + content)


@lru_cache(maxsize=1024)
def _signer(point: bytes, user_id: str) -> bytes:
    """The digest of the signer's name and key (the standard's Z)."""
    name = user_id.encode()
    return sm3_bytes((len(name) * 8).to_bytes(2) + name + _CURVE_NUMBERS + point)


def _numbers(raw: bytes) -> tuple[int, int]:
    return int.from_bytes(raw[:NUMBER_BYTES]), int.from_bytes(raw[NUMBER_BYTES:])


def _sequence(r: int, s: int) -> bytes:
    """In DER, which libcrypto wants."""
    content = b"".join(
        b"\x02" + bytes([length := each.bit_length() // 8 + 1]) + each.to_bytes(length)
        for each in (r, s)
    )
    return b"\x30" + bytes([len(content)]) + content


def _raw(der: bytes) -> bytes | None:
    """``r || s`` of a signature in DER; None where *der* is not the one way to write it."""
    head, r_bytes = der[:3], der[3:4]
    if len(der) > 72 or len(head) < 3 or not r_bytes:
        return None
    r_ends = 4 + r_bytes[0]
    r, s = int.from_bytes(der[4:r_ends]), int.from_bytes(der[r_ends + 2 :])
    if r >= ORDER or s >= ORDER or _sequence(r, s) != der:
        return None
    return r.to_bytes(NUMBER_BYTES) + s.to_bytes(NUMBER_BYTES)


def _der(text: str, *kinds: str) -> bytes:
    """The content of a PEM file of one of these *kinds*."""
    for kind, content in _PEM.findall(text):
        if kind in kinds:
            try:
                return base64.b64decode("".join(content.split()), validate=True)
            except binascii.Error as error:
                raise not_a_key() from error
    raise not_a_key()


def _pem(kind: str, der: bytes) -> str:
    content = base64.encodebytes(der).decode("ascii").replace("\n", "")
    lines = [content[n : n + 64] for n in range(0, len(content), 64)]
    return "\n".join((f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""))
