"""The two ways to sign the same text: HMAC-SM3 by a secret that both know, SM2 by a key of one's own.

Standard   GM/T 0004-2012 (SM3), RFC 2104 (HMAC); GM/T 0003-2012 (SM2)
Form       signatures are hexadecimal: 64 digits of HMAC-SM3, 128 of SM2 (``r || s``); one of SM2 in DER is let in too
Careful    secrets and private keys are never printed
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.hazmat.primitives.hashes import SM3
from cryptography.hazmat.primitives.hmac import HMAC

from hub.crypto.sm2 import USER_ID, Sm2PrivateKey, Sm2PublicKey, sign, verify

__all__ = ["HmacSm3", "Scheme", "Sm2", "hmac_sm3"]

# From the shortest in DER to the longest.
_HEX = re.compile(r"([0-9a-fA-F]{2}){8,72}")


class Scheme(Protocol):
    """What was agreed with one system."""

    @property
    def name(self) -> str:
        """As ``X-Sign-Type`` tells it."""

    @property
    def may_be_untold(self) -> bool:
        """Whether a request without ``X-Sign-Type`` is taken for one of this scheme."""

    def sign(self, text: bytes) -> str: ...
    def proves(self, text: bytes, signature: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class HmacSm3:
    """One secret, for both directions."""

    secret: str = field(repr=False)

    name = "HMAC-SM3"
    may_be_untold = True

    def sign(self, text: bytes) -> str:
        return hmac_sm3(self.secret.encode(), text)

    def proves(self, text: bytes, signature: str) -> bool:
        return hmac.compare_digest(signature.encode(), self.sign(text).encode())


@dataclass(frozen=True, slots=True)
class Sm2:
    """*private* signs what we send; *public* is the other side's, None where it sends nothing."""

    private: Sm2PrivateKey
    public: Sm2PublicKey | None = None
    user_id: str = USER_ID

    name = "SM2"
    may_be_untold = False

    def sign(self, text: bytes) -> str:
        return sign(self.private, text, self.user_id).hex()

    def proves(self, text: bytes, signature: str) -> bool:
        if self.public is None or not _HEX.fullmatch(signature):
            return False
        # On the loop: half a millisecond; a thread was measured to cost a tenth to a quarter more of the processor,
        # and its caller waits for two changes of threads. More senders are served by more processes.
        return verify(self.public, text, bytes.fromhex(signature), self.user_id)


def hmac_sm3(key: bytes, content: bytes) -> str:
    code = HMAC(key, SM3())
    code.update(content)
    return code.finalize().hex()
