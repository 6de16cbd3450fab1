"""Which private node belongs to a folder, and whether a process is still the one we started.

Form       ``node.json`` beside the node's data, mode 0600: name, ports, user, password, processes
Units      ports are TCP ports of 127.0.0.1; ``started`` is clock ticks since boot, from ``/proc``
Careful    a process id is used again by the system: only id, start tick and boot together name one
Careful    a copied or moved folder carries its file along: it names the folder, so the copy is told
Not here   starting and stopping: `shuniu.node`
"""

from __future__ import annotations

import json
import os
import random
import secrets
import select
import signal
import socket
import struct
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

__all__ = [
    "NodeIdentity",
    "Process",
    "free_port",
    "identity_in",
    "login_works",
    "new_identity",
    "save",
    "strays",
    "write_private",
]

# Below the range from which Linux takes the ports of outgoing connections (32768 and up), so that
# no client of anybody sits on the port between our looking and the node's binding.
_PORTS = range(15_000, 32_000)
_CONNECTION_TUNE = (10, 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process of this machine and this boot, beyond doubt."""

    pid: int
    started: int
    boot: str

    @classmethod
    def now(cls, pid: int) -> Process | None:
        """The process that has this id now; None if there is none, or only its corpse."""
        state, process = _look_at(pid)
        return None if state in "ZX" else process

    def lives(self) -> bool:
        """Say whether this very process still runs."""
        return Process.now(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this process and to no other that may have got its id."""
        with suppress(ProcessLookupError):
            watch = os.pidfd_open(self.pid)
            try:
                if self.lives():
                    signal.pidfd_send_signal(watch, number)
            finally:
                os.close(watch)

    def ended_within(self, wait_s: float) -> bool:
        """Wait until it has ended, at most *wait_s* seconds; say whether it has. Any process, not
        only a child."""
        try:
            watch = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            if _look_at(self.pid)[1] != self:
                return True
            # A corpse may have threads that still hold its ports; this waits for the last of them.
            poll = select.poll()
            poll.register(watch, select.POLLIN)
            return bool(poll.poll(wait_s * 1000))
        finally:
            os.close(watch)


def _look_at(pid: int) -> tuple[str, Process | None]:
    """The state letter of the process with this id, and which one it is; "X" if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "X", None
    # The command's name is in brackets and may itself hold blanks and brackets.
    fields = stat.rpartition(")")[2].split()
    return fields[0], Process(pid=pid, started=int(fields[19]), boot=boot)


def strays(name: str, home: Path) -> list[Process]:
    """
    Our processes that run for the node *name* with this home, whether anybody noted them or not.

    A hub killed between starting a process and noting it leaves one that no file tells of; both
    words stand in the environment that we gave it.
    """
    told = {f"RABBITMQ_NODENAME={name}".encode(), f"HOME={home}".encode()}
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            given = set((place / "environ").read_bytes().split(b"\0"))
        except OSError:  # another user's, or gone meanwhile
            continue
        if told <= given and (process := Process.now(int(place.name))):
            found.append(process)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeIdentity:
    """What a folder's node is called, where it listens, who may enter, and what runs it now."""

    folder: str
    name: str
    user: str
    password: str
    cookie: str
    amqp_port: int
    dist_port: int
    epmd_port: int
    broker: Process | None = None
    epmd: Process | None = None

    def __repr__(self) -> str:
        return f"NodeIdentity({self.name}, amqp_port={self.amqp_port})"

    def url(self, vhost: str) -> str:
        """The AMQP address of a virtual host; it holds the password, so it is never logged."""
        return f"amqp://{self.user}:{self.password}@127.0.0.1:{self.amqp_port}/{quote(vhost, '')}"

    def settled(self) -> NodeIdentity:
        """The same node at its old ports, or at new ones if one of them is taken."""
        ports = (self.amqp_port, self.dist_port, self.epmd_port)
        return self if all(_is_free(port) for port in ports) else self.with_new_ports()

    def with_new_ports(self) -> NodeIdentity:
        """The same node elsewhere, for when somebody has taken one of its ports."""
        amqp, dist, epmd = _free_ports(3)
        return replace(self, amqp_port=amqp, dist_port=dist, epmd_port=epmd)


def new_identity(folder: Path) -> NodeIdentity:
    """A node that does not exist yet: fresh name, ports, user, password and cookie."""
    amqp, dist, epmd = _free_ports(3)
    return NodeIdentity(
        folder=str(folder),
        name=f"shuniu-{secrets.token_hex(4)}@localhost",
        user="shuniu",
        password=secrets.token_urlsafe(24),
        cookie=secrets.token_hex(20).upper(),
        amqp_port=amqp,
        dist_port=dist,
        epmd_port=epmd,
    )


def identity_in(folder: Path) -> NodeIdentity | None:
    """
    The node of *folder* as its file tells; None where there is none.

    In a copied or moved folder the node keeps its name (its data are filed under it) and its
    password, but gets ports of its own, and what runs elsewhere is not taken for it.
    """
    folder = folder.resolve()
    try:
        told: dict[str, Any] = json.loads((folder / "node.json").read_text(encoding="utf-8"))
        broker, epmd = told.pop("broker"), told.pop("epmd")
        identity = NodeIdentity(
            **told,
            broker=Process(**broker) if broker else None,
            epmd=Process(**epmd) if epmd else None,
        )
    except (OSError, ValueError, KeyError, TypeError):
        # Written whole or not at all (see `save`), so this is: none yet, or another version's.
        return None
    if identity.folder != str(folder):
        return replace(identity.with_new_ports(), folder=str(folder), broker=None, epmd=None)
    return identity


def save(identity: NodeIdentity) -> None:
    """Write the identity into its folder, whole or not at all, readable by its owner only."""
    write_private(Path(identity.folder) / "node.json", json.dumps(asdict(identity), indent=2))


def write_private(path: Path, text: str) -> None:
    """Replace a file at one stroke by one that only its owner may read."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nobody listens now."""
    return _free_ports(1)[0]


def _free_ports(count: int) -> list[int]:
    found: list[int] = []
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        if _is_free(port):
            found.append(port)
        if len(found) == count:
            break
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            # As the broker binds: connections of a former node that are still settling do not
            # keep it from its port, somebody who listens does.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def login_works(identity: NodeIdentity, wait_s: float = 2.0, *, host: str = "127.0.0.1") -> bool:
    """
    Say whether the node answers at its port and lets its own user in (AMQP 0-9-1, PLAIN).

    A listening port alone proves nothing: another program may have it. The broker opens it last
    when booting, so this is also the sign that it is ready.
    """
    try:
        with socket.create_connection((host, identity.amqp_port), wait_s) as line:
            line.settimeout(wait_s)
            line.sendall(b"AMQP\x00\x00\x09\x01")
            _method_on(line)
            line.sendall(_start_ok(identity))
            return _method_on(line) == _CONNECTION_TUNE
    except (OSError, struct.error):
        return False


def _start_ok(identity: NodeIdentity) -> bytes:
    answer = f"\0{identity.user}\0{identity.password}".encode()
    payload = (
        struct.pack(">HHI", 10, 11, 0)  # connection.start-ok with an empty table of properties
        + b"\x05PLAIN"
        + struct.pack(">I", len(answer))
        + answer
        + b"\x05en_US"
    )
    return struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce"


def _method_on(line: socket.socket) -> tuple[int, int]:
    """Read one frame; the class and number of its method."""
    size = struct.unpack(">BHI", _exactly(line, 7))[2]
    # The broker's longest first frame is some hundreds of bytes; whatever is longer is no broker.
    payload = _exactly(line, min(size, 64 * 1024) + 1)
    kind, method = struct.unpack(">HH", payload[:4])
    return kind, method


def _exactly(line: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        part = line.recv(size - len(read))
        if not part:
            raise ConnectionResetError
        read += part
    return read
