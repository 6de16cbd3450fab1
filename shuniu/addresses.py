"""Where systems listen, apart from what they are: ``address://<name>/<path>`` is resolved here.

Form       the environment (``SHUNIU_ADDRESS_<NAME>``) or ``<home>/addresses.json``, name to URL
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.errors import Misconfigured
from shuniu.secret_store import SecretStore

__all__ = ["Addresses", "resolved"]


class Addresses:
    def __init__(self, file: Path, environment: Mapping[str, str] = os.environ) -> None:
        self._file, self._environment = file, environment

    def get(self, name: str) -> str:
        """Raises `Misconfigured` where no address of this name is known."""
        variable = "SHUNIU_ADDRESS_" + name.upper().replace("-", "_")
        found = self._environment.get(variable) or self._listed().get(name)
        if not found:
            raise Misconfigured(
                "address.missing", "No address for a system", name=name, variable=variable
            )
        return found

    def _listed(self) -> dict[str, str]:
        try:
            listed: dict[str, str] = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise Misconfigured("address.file", "addresses.json cannot be read") from error
        return listed


def resolved(value: Any, addresses: Addresses, secrets: SecretStore, site: Path) -> Any:
    """*value* with every ``address://``, ``secret://`` and ``site://`` reference put in."""
    if isinstance(value, Mapping):
        return {k: resolved(v, addresses, secrets, site) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [resolved(each, addresses, secrets, site) for each in value]
    if not isinstance(value, str):
        return value
    scheme, separator, rest = value.partition("://")
    if not separator:
        return value
    name, slash, path = rest.partition("/")
    match scheme:
        case "secret":
            return secrets.get(rest)
        case "address":
            return addresses.get(name).rstrip("/") + slash + path if slash else addresses.get(name)
        case "site":
            return str(site / rest)
        case _:
            return value
