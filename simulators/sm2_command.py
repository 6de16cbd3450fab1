"""SM2 by the ``openssl`` command, so that a partner's signatures are not made by the hub's own code.

Standard   GM/T 0003-2012 (SM2), GM/T 0009-2012 (user id)
Form       keys are files in PEM; a signature is ``r || s`` in hexadecimal, 128 digits, in DER for the command alone
Careful    a program is started for each signature: enough for a partner that is made up
Tested on  OpenSSL 3.0
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

__all__ = ["OpensslSm2", "new_key_file", "public_key_of"]

LONGEST_S = 30.0
_NUMBER = re.compile(rb"prim: INTEGER +:([0-9A-F]+)")


@dataclass(frozen=True, slots=True)
class OpensslSm2:
    """*own*: the private key with which the partner signs; *theirs*: the public key of the other side."""

    own: Path
    theirs: Path
    user_id: str = "1234567812345678"

    def sign(self, text: bytes) -> str:
        how = ("-sm3", "-sign", str(self.own), "-sigopt", f"distid:{self.user_id}")
        der = _openssl("dgst", *how, given=text).stdout
        listed = _openssl("asn1parse", "-inform", "DER", given=der).stdout
        r, s = _NUMBER.findall(listed)
        return f"{int(r, 16):064x}{int(s, 16):064x}"

    def proves(self, text: bytes, signature: str) -> bool:
        if not re.fullmatch("[0-9a-f]{128}", signature):
            return False
        how = ("-sm3", "-verify", str(self.theirs), "-sigopt", f"distid:{self.user_id}")
        with tempfile.NamedTemporaryFile() as file:
            file.write(_der(int(signature[:64], 16), int(signature[64:], 16)))
            file.flush()
            return not _openssl("dgst", *how, "-signature", file.name, given=text).returncode


def new_key_file(file: Path) -> Path:
    """A private key of a partner."""
    _openssl("genpkey", "-algorithm", "SM2", "-out", str(file))
    return file


def public_key_of(file: Path) -> str:
    """In PEM, to be given to the other side."""
    return _openssl("pkey", "-in", str(file), "-pubout").stdout.decode("ascii")


def _openssl(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = ("openssl", *arguments)
    return subprocess.run(  # noqa: S603 - a fixed program, and arguments of our own
        command, input=given, capture_output=True, timeout=LONGEST_S, check=False
    )


def _der(*numbers: int) -> bytes:
    each = [number.to_bytes(number.bit_length() // 8 + 1, "big") for number in numbers]
    content = b"".join(bytes((2, len(number))) + number for number in each)
    return bytes((0x30, len(content))) + content
