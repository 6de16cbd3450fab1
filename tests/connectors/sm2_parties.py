"""The hub and a partner, each with a pair of keys; the partner's program is the openssl command."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hub.crypto.sm2 import Sm2PrivateKey, new_key
from simulators.sm2_command import OpensslSm2, new_key_file, public_key_of

__all__ = ["Parties", "parties"]


@dataclass(frozen=True, slots=True)
class Parties:
    """*stranger* signs like the partner, with a key that the hub does not know."""

    hub: Sm2PrivateKey
    partner: OpensslSm2
    stranger: OpensslSm2
    partner_public: str

    @property
    def profile(self) -> dict[str, str]:
        """What a profile says of it."""
        return {
            "sign_type": "SM2",
            "private_key": self.hub.hex,
            "public_key": self.partner_public,
        }


@cache
def parties() -> Parties:
    folder = Path(tempfile.mkdtemp(prefix="sm2-parties-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    hub = new_key()
    (folder / "hub.pem").write_text(hub.public.pem)
    partner = OpensslSm2(new_key_file(folder / "partner.key"), folder / "hub.pem")
    stranger = OpensslSm2(new_key_file(folder / "stranger.key"), folder / "hub.pem")
    return Parties(hub, partner, stranger, public_key_of(partner.own))
