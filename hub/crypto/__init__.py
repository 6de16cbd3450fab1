"""Commercial cryptography (国密): SM3 digests and SM4 sealing, from `cryptography`."""

from __future__ import annotations

from hub.crypto.digest import sm3
from hub.crypto.seal import Seal, Sm4Seal

__all__ = ["Seal", "Sm4Seal", "sm3"]
