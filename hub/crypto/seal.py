"""Bodies at rest are sealed: SM4 in GCM mode, with the key's id in front, so that keys can rotate.

Standard   GM/T 0002-2012 (SM4), RFC 8998 (GCM); asked by GB/T 39786-2021, confidentiality in storage
Form       ``0x01 | key id (8) | nonce (12) | ciphertext | tag (16)``; all lengths in bytes
Careful    the key is never printed: ``repr`` shows its id alone
"""

from __future__ import annotations

import os
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import GCM

from hub.crypto.digest import sm3
from schemas.errors import Misconfigured

__all__ = ["KEY_BYTES", "Seal", "Sm4Seal"]

KEY_BYTES = 16
_VERSION = b"\x01"
_ID_BYTES, _NONCE_BYTES, _TAG_BYTES = 8, 12, 16


class Seal(Protocol):
    """Seals and opens bytes. `open` raises `Misconfigured` where key or content is wrong."""

    def seal(self, content: bytes, /) -> bytes: ...
    def open(self, sealed: bytes, /) -> bytes: ...


class Sm4Seal:
    """The seal of one 16-byte key; *former* are keys that still open what they sealed."""

    def __init__(self, key: bytes, *former: bytes) -> None:
        for each in (key, *former):
            if len(each) != KEY_BYTES:
                raise Misconfigured("crypto.key", "An SM4 key has 16 bytes", found_bytes=len(each))
        self._key, self._id = key, _key_id(key)
        self._keys = {_key_id(each): each for each in (*former, key)}

    def __repr__(self) -> str:
        return f"Sm4Seal(key id {self._id.hex()})"

    def seal(self, content: bytes, /) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        head = _VERSION + self._id
        encryptor = Cipher(SM4(self._key), GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(head)
        return head + nonce + encryptor.update(content) + encryptor.finalize() + encryptor.tag

    def open(self, sealed: bytes, /) -> bytes:
        head, rest = sealed[: 1 + _ID_BYTES], sealed[1 + _ID_BYTES :]
        key = self._keys.get(head[1:])
        if head[:1] != _VERSION or key is None or len(rest) < _NONCE_BYTES + _TAG_BYTES:
            raise Misconfigured("crypto.sealed", "Sealed with a key that is not here")
        nonce, body, tag = (
            rest[:_NONCE_BYTES],
            rest[_NONCE_BYTES:-_TAG_BYTES],
            rest[-_TAG_BYTES:],
        )
        decryptor = Cipher(SM4(key), GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(head)
        try:
            return decryptor.update(body) + decryptor.finalize()
        except InvalidTag as error:
            raise Misconfigured("crypto.sealed", "Sealed content was altered") from error


def _key_id(key: bytes) -> bytes:
    return bytes.fromhex(sm3(b"shuniu key id" + key))[:_ID_BYTES]
