"""SM3 digests of message bodies.

Standard   GM/T 0004-2012, GB/T 32905-2016
Form       64 lower-case hexadecimal digits
"""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SM3, Hash

__all__ = ["sm3"]


def sm3(content: bytes) -> str:
    digest = Hash(SM3())
    digest.update(content)
    return digest.finalize().hex()
