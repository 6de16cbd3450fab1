"""Commercial cryptography (国密): SM3 digests and signatures and SM4 sealing, from `cryptography`; SM2 signatures."""

from __future__ import annotations

from hub.crypto.digest import sm3, sm3_bytes
from hub.crypto.mac import Mac
from hub.crypto.seal import Seal, Sm4Seal

__all__ = ["Mac", "Seal", "Sm4Seal", "sm3", "sm3_bytes"]
