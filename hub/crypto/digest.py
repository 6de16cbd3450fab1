"""SM3 digests of message bodies.

Standard   GM/T 0004-2012, GB/T 32905-2016
Form       64 lower-case hexadecimal digits
"""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SM3, Hash

__all__ = ["sm3", "sm3_bytes"]


# Copied, it costs a tenth less than one made anew.
_EMPTY = Hash(SM3())


def sm3(content: bytes) -> str:
    return sm3_bytes(content).hex()


def sm3_bytes(content: bytes) -> bytes:
    """The 32 bytes themselves."""
    digest = _EMPTY.copy()
    digest.update(content)
    return digest.finalize()
