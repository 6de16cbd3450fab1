"""Bodies at rest: compressed, then sealed; what was sealed does not shrink.

Form       sealed: ``0x01 | zlib`` (RFC 1950) of the body as it was sent. A first byte ``{`` is a body
           of before, not compressed
Units      level: 1, the quickest; at 2 KB the higher ones gain little and cost twice the time
"""

from __future__ import annotations

import zlib

from hub.crypto import Seal
from schemas.errors import Misconfigured

__all__ = ["packed", "unpacked"]

ZLIB = b"\x01"
LEVEL = 1


def packed(body: bytes, seal: Seal) -> bytes:
    return seal.seal(ZLIB + zlib.compress(body, LEVEL))


def unpacked(sealed: bytes, seal: Seal) -> bytes:
    """Raises `Misconfigured` where key or content is wrong."""
    content = seal.open(sealed)
    if content[:1] != ZLIB:
        return content
    try:
        return zlib.decompress(content[1:])
    except zlib.error as error:
        raise Misconfigured("crypto.sealed", "Sealed content was altered") from error
