"""The guard of the tests: nothing leaves this machine."""

from __future__ import annotations

import ipaddress
import sys
from typing import Any

__all__ = ["WentOutside", "belongs_here", "guard"]

_ours: list[ipaddress.IPv4Network] = []


class WentOutside(AssertionError):
    """A test, or the code under it, tried to reach another machine."""


def guard() -> None:
    """Refuse from now on, in this process, every connection that is not to this machine itself."""
    sys.addaudithook(_watch)


def belongs_here(network: ipaddress.IPv4Network) -> None:
    """*network* was made by the tests and ends in this machine."""
    _ours.append(network)


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        if isinstance(address, tuple) and not _is_here(str(address[0])):
            raise WentOutside(f"{event} to {address[0]}")
    elif event == "socket.getaddrinfo" and arguments[0] is not None:
        host = arguments[0]
        name = host.decode() if isinstance(host, bytes) else str(host)
        if not _is_here(name):
            raise WentOutside(f"name looked up: {name}")


def _is_here(host: str) -> bool:
    if host in {"", "localhost", "0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return True
    try:
        address = ipaddress.ip_address(host)
        return address.is_loopback or any(address in network for network in _ours)
    except ValueError:
        return False
