"""Secrets by name, outside the declarations: ``secret://<name>`` is resolved here.

Form       the environment (``SHUNIU_SECRET_<NAME>``) or a file of mode 0600 under ``<home>/secrets``
Careful    a secret that is not there is an error, except for the reference site's simulators, for
           which `make_missing` draws one
"""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from schemas.errors import Misconfigured

__all__ = ["SecretStore"]

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
KEY_BYTES = 16


class SecretStore:
    def __init__(self, folder: Path, environment: Mapping[str, str] = os.environ) -> None:
        self._folder, self._environment = folder, environment

    def get(self, name: str) -> str:
        """Raises `Misconfigured` where there is none of this name."""
        if not NAME.fullmatch(name):
            raise Misconfigured("secret.name", "Not a name of a secret", name=name[:64])
        variable = "SHUNIU_SECRET_" + name.upper().replace("-", "_")
        if found := self._environment.get(variable):
            return found
        try:
            return (self._folder / name).read_text(encoding="ascii").strip()
        except FileNotFoundError as error:
            raise Misconfigured(
                "secret.missing", "A secret is not there", name=name, variable=variable
            ) from error

    def make_missing(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                self.get(name)
            except Misconfigured as error:
                if error.code != "secret.missing":
                    raise
                self._keep(name, secrets.token_urlsafe(24))

    def key(self, name: str) -> bytes:
        """A key of the hub's own, of 16 bytes; drawn at the first start."""
        try:
            return bytes.fromhex(self.get(name))
        except Misconfigured:
            self._keep(name, secrets.token_hex(KEY_BYTES))
            return bytes.fromhex(self.get(name))
        except ValueError as error:
            raise Misconfigured("secret.key", "A key is not hexadecimal", name=name) from error

    def keep_new(self, name: str, value: str) -> None:
        """Keep *value*. Raises `Misconfigured` (``secret.there``) where the name is taken: a key that is
        lost cannot be drawn again."""
        try:
            self.get(name)
        except Misconfigured as error:
            if error.code == "secret.missing" and self._keep(name, value):
                return
            if error.code != "secret.missing":
                raise
        raise Misconfigured("secret.there", "A secret of this name is there", name=name)

    def _keep(self, name: str, value: str) -> bool:
        """Keep *value*, unless another process was quicker: none ever reads half of it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, draft = tempfile.mkstemp(dir=self._folder)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(value)
            os.link(draft, self._folder / name)
        except FileExistsError:
            return False
        finally:
            Path(draft).unlink()
        return True
