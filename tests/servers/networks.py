"""Machines in one machine: network namespaces, each with a line to the clients' network and one to
the cluster's, which can be pulled out.

Form       198.18.<n>.0/24 clients, with this process at .1; 198.19.<n>.0/24 the cluster, on which
           the machines hear nobody but each other (198.18.0.0/15 is for tests, RFC 2544)
Careful    takes root. Namespaces have no names: they end with the processes in them, and a killed
           session leaves none behind but by its servers
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network

from tests.servers.loopback import belongs_here

__all__ = ["Machine", "Machines", "machines", "why_not"]


@dataclass(frozen=True, slots=True)
class Machine:
    """*address* is where clients reach it, *inner* where the other machines do."""

    number: int
    holder: int
    address: str
    inner: str

    def command(self, words: Sequence[str]) -> list[str]:
        """*words* as a command that runs on this machine."""
        return ["nsenter", f"--net=/proc/{self.holder}/ns/net", "--", *words]


@dataclass(frozen=True, slots=True)
class Machines:
    switch: Machine
    all: tuple[Machine, ...]

    def pull(self, machine: Machine, *, clients_too: bool = False) -> None:
        """Pull the machine's line to the others, or both its lines, out of the switch."""
        self._set(machine, "down", clients_too=clients_too)

    def plug(self, machine: Machine) -> None:
        self._set(machine, "up", clients_too=True)

    def _set(self, machine: Machine, state: str, *, clients_too: bool) -> None:
        for port in ("c", "o") if clients_too else ("c",):
            _run(self.switch.command(["ip", "link", "set", f"{port}{machine.number}", state]))


def why_not() -> str:
    """Why this machine cannot have them; "" where it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    tried = subprocess.run(
        ["unshare", "--net", "ip", "link", "add", "x", "type", "bridge"],
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if tried.returncode == 0 else f"no network namespaces here: {tried.stderr.strip()}"


@contextmanager
def machines(count: int) -> Iterator[Machines]:
    """*count* machines on one switch; gone when left."""
    n = secrets.randbelow(254) + 1
    with ExitStack() as stack:
        belongs_here(IPv4Network(f"198.18.{n}.0/24"))
        switch = Machine(0, stack.enter_context(_namespace()), "", "")
        for bridge in ("clients", "cluster"):
            _run(switch.command(["ip", "link", "add", bridge, "type", "bridge"]))
            _run(switch.command(["ip", "link", "set", bridge, "up"]))
        found = []
        for number in range(1, count + 1):
            holder = stack.enter_context(_namespace())
            machine = Machine(number, holder, f"198.18.{n}.{10 + number}", f"198.19.{n}.{number}")
            _run(machine.command(["ip", "link", "set", "lo", "up"]))
            _wire(switch, f"o{number}", "clients", holder, machine.address)
            _wire(switch, f"c{number}", "cluster", holder, machine.inner)
            found.append(machine)
        mine = f"sh{os.getpid()}"
        _wire(switch, "root", "clients", os.getpid(), f"198.18.{n}.1", name=mine)
        yield Machines(switch, tuple(found))


def _wire(
    switch: Machine, port: str, bridge: str, holder: int, address: str, *, name: str = ""
) -> None:
    """A line from *port* of the switch to the namespace of the process *holder*."""
    name = name or bridge
    words = ["ip", "link", "add", port, "type", "veth", "peer", "name", name]
    _run(switch.command([*words, "netns", str(holder)]))
    _run(switch.command(["ip", "link", "set", port, "master", bridge, "up"]))
    there = Machine(0, holder, "", "")
    _run(there.command(["ip", "address", "add", f"{address}/24", "dev", name]))
    _run(there.command(["ip", "link", "set", name, "up"]))


@contextmanager
def _namespace() -> Iterator[int]:
    """A network namespace; the id of the process that holds it."""
    holder = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        with holder:
            assert holder.stdout is not None
            holder.stdout.readline()  # it has its namespace by now
            try:
                yield holder.pid
            finally:
                holder.kill()
    finally:
        holder.wait()


def _run(words: Sequence[str]) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=20)
