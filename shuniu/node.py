"""A private RabbitMQ node in the hub's own folder, for when no broker is named.

Speaks to  RabbitMQ 3.10 to 4.x, installed on this machine; nothing but 127.0.0.1
Promises   it never touches the machine's own broker: own name, ports, cookie, epmd, home and data
Promises   a node that outlived its hub is found again: adopted if it answers, else started anew
           with its data kept; two hubs in one folder never start two nodes
Units      waits in seconds
Careful    the node runs in a session of its own, so that Ctrl-C reaches the hub alone, which then
           stops it in order
Not here   what the hub declares on its broker: `hub.topology`
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Self

import structlog

from schemas.errors import Misconfigured, Transient
from shuniu.node_identity import (
    NodeIdentity,
    Process,
    identity_in,
    login_works,
    new_identity,
    save,
    strays,
)
from shuniu.node_install import environment, lay_out, plain_path, scripts_folder

__all__ = ["PrivateNode", "running_url"]

_START_S = 120.0
_STOP_S = 30.0
_STRAY_S = 5.0
_CONTROL_S = 60.0
_LOOK_EVERY_S = 0.05
# What RabbitMQ, from 3.11 on, says of data that it cannot take over.
_TOO_OLD = b"required feature flag not enabled"

log = structlog.get_logger()


def running_url(folder: Path) -> str | None:
    """The address of the node that runs in *folder* now; None if none does. For commands that are
    used beside a running hub."""
    identity = identity_in(folder.resolve())
    if identity is None or identity.broker is None or not identity.broker.lives():
        return None
    return identity.url("shuniu")


class PrivateNode:
    """
    The node of one folder. ``async with PrivateNode(folder) as node: node.url``

    Entering takes the folder's lock and brings the node up; leaving stops it and its epmd. The
    ``…_now`` methods do the same without a loop, for the command line.

    Entering raises `Misconfigured` ``node.absent`` (RabbitMQ is not installed), ``node.owned``
    (another hub runs in this folder), ``node.older`` (its data are of a RabbitMQ that the installed one
    has left behind) or ``node.link``, and `Transient` ``node.start``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._identity: NodeIdentity | None = None
        self._lock: IO[str] | None = None
        self._give_up = threading.Event()
        self._children: list[subprocess.Popen[bytes]] = []

    @property
    def folder(self) -> Path:
        """Where the node keeps its data."""
        return self._folder

    @property
    def url(self) -> str:
        """The AMQP address of the node's own virtual host. It holds the password."""
        return self.vhost_url("shuniu")

    @property
    def broker_pid(self) -> int:
        """The id of the broker's process."""
        broker = self._known().broker
        if broker is None:
            raise Misconfigured("node.stopped", "The node does not run")
        return broker.pid

    def vhost_url(self, name: str) -> str:
        """The AMQP address of a virtual host, whether it exists or not. It holds the password."""
        return self._known().url(name)

    async def __aenter__(self) -> Self:
        await self._in_thread(self.start_now)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._in_thread(self.stop_now)

    async def control(self, *words: str) -> str:
        """Run a ``rabbitmqctl`` command on the node and return what it prints; raises `Transient`
        ``node.control`` with its complaint."""
        return await asyncio.to_thread(self.control_now, *words)

    async def ensure_vhost(self, name: str) -> str:
        """Make a virtual host if it is not there, and return its address."""
        return await asyncio.to_thread(self.ensure_vhost_now, name)

    async def revive(self) -> None:
        """Bring the node up again, at the same address, after its process has died."""
        await self._in_thread(self._bring_up)

    async def _in_thread(self, work: Callable[[], None]) -> None:
        """Run blocking *work*; when cancelled, tell it to give up and wait until it has."""
        running = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            self._give_up.set()
            await asyncio.wait([running])
            raise

    def start_now(self) -> None:
        """Take the folder's lock and bring the node up, by adopting it or starting it."""
        self._give_up.clear()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = self._take_lock()
        try:
            self._bring_up()
        except BaseException:
            self.stop_now()
            raise

    def stop_now(self) -> None:
        """Stop the broker in order, then its epmd, then let the folder go. Does nothing twice."""
        identity = self._identity or identity_in(self._folder)
        if identity is not None and self._lock is not None:
            self._keep(self._end_all(identity))
            self._reap()
            log.info("node.stopped", name=identity.name)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def control_now(self, *words: str) -> str:
        """As `control`, without a loop."""
        identity = self._known()
        ran = subprocess.run(
            [scripts_folder() / "rabbitmqctl", "--quiet", "--node", identity.name, *words],
            env=environment(plain_path(self._folder), identity),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_CONTROL_S,
            check=False,
        )
        if ran.returncode:
            why = (ran.stderr or ran.stdout).decode(errors="replace").strip()
            raise Transient("node.control", "The control command failed", why=why[:400])
        return ran.stdout.decode()

    def ensure_vhost_now(self, name: str) -> str:
        """As `ensure_vhost`, without a loop."""
        identity = self._known()
        if name not in self.control_now("list_vhosts", "name").splitlines():
            self.control_now("add_vhost", name)
            self.control_now("set_permissions", "-p", name, identity.user, ".*", ".*", ".*")
        return identity.url(name)

    def _known(self) -> NodeIdentity:
        if self._identity is None:
            raise Misconfigured("node.stopped", "The node does not run")
        return self._identity

    def _keep(self, identity: NodeIdentity) -> NodeIdentity:
        save(identity)
        self._identity = identity
        return identity

    def _take_lock(self) -> IO[str]:
        """The lock goes with the process that holds it, however that ends."""
        lock = (self._folder / "owner.lock").open("a+", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            owner = lock.read().strip()
            lock.close()
            raise Misconfigured(
                "node.owned", "Another hub runs in this folder", pid=int(owner or 0)
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return lock

    def _bring_up(self) -> None:
        identity = identity_in(self._folder) or new_identity(self._folder)
        if identity.broker is not None and identity.broker.lives():
            if login_works(identity, 5.0):
                plain_path(self._folder)  # the link may have been swept away meanwhile
                self._identity = identity
                log.info("node.adopted", name=identity.name, port=identity.amqp_port)
                return
            log.warning("node.unwell", name=identity.name, pid=identity.broker.pid)
        self._start(self._keep(self._end_all(identity)))

    def _start(self, identity: NodeIdentity) -> None:
        """Start it at its old ports if they are free, so that clients find it again."""
        began = time.monotonic()
        for _ in range(3):
            identity = self._keep(identity.settled())
            lay_out(self._folder, identity)
            said = self._said()
            identity = self._keep(replace(identity, epmd=self._start_epmd(identity)))
            if self._start_broker(identity, began + _START_S):
                took_s = round(time.monotonic() - began, 1)
                log.info("node.started", name=identity.name, port=identity.amqp_port, s=took_s)
                return
            identity = self._keep(self._end_all(self._known()))
            if _TOO_OLD in self._said()[len(said) :]:
                log_folder = str(self._folder / "log")
                raise Misconfigured("node.older", "Data of an older RabbitMQ", log=log_folder)
            identity = identity.with_new_ports()
        raise Transient("node.start", "RabbitMQ did not start", log=str(self._folder / "log"))

    def _said(self) -> bytes:
        """What the broker has written to its output, ever."""
        output = self._folder / "log" / "output.log"
        return output.read_bytes() if output.exists() else b""

    def _start_epmd(self, identity: NodeIdentity) -> Process | None:
        """Ours by our own hand: left to itself, the broker would start one that nobody stops."""
        epmd = self._spawn(
            ["epmd", "-port", str(identity.epmd_port), "-address", "127.0.0.1"], identity
        )
        return Process.now(epmd.pid)

    def _start_broker(self, identity: NodeIdentity, deadline: float) -> bool:
        """Start the broker and wait until it lets us in; False if it ended instead."""
        told = self._folder / "broker.pid"
        told.unlink(missing_ok=True)
        script = self._spawn([str(scripts_folder() / "rabbitmq-server")], identity)
        while time.monotonic() < deadline and script.poll() is None:
            if self._give_up.wait(_LOOK_EVERY_S):
                break
            if identity.broker is None and (pid := _pid_in(told)):
                # Written at once: were we killed now, the next run must find it.
                identity = self._keep(replace(identity, broker=Process.now(pid)))
            if identity.broker is not None and login_works(identity):
                return True
        if script.poll() is None:
            script.send_signal(signal.SIGTERM)
        if self._give_up.is_set():
            log = str(self._folder / "log")
            raise Transient("node.start", "Starting RabbitMQ was cancelled", log=log)
        return False

    def _spawn(self, command: list[str], identity: NodeIdentity) -> subprocess.Popen[bytes]:
        with (self._folder / "log" / "output.log").open("ab") as output:
            child = subprocess.Popen(
                command,
                env=environment(plain_path(self._folder), identity),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._children.append(child)
        return child

    def _end_all(self, identity: NodeIdentity) -> NodeIdentity:
        """End whatever runs for this node: what was noted, in order, and then what was not."""
        _end(identity.broker, _STOP_S)
        _end(identity.epmd, _STOP_S)
        for stray in strays(identity.name, plain_path(self._folder) / "home"):
            _end(stray, _STRAY_S)
        return replace(identity, broker=None, epmd=None)

    def _reap(self) -> None:
        """Take leave of children that have ended, so that no corpses are left."""
        for child in self._children:
            child.wait(_STOP_S)
        self._children.clear()


def _pid_in(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _end(process: Process | None, wait_s: float) -> None:
    """End a process in order, by force if it does not; nothing if it is not there."""
    if process is None:
        return
    process.send(signal.SIGTERM)
    if not process.ended_within(wait_s):
        process.send(signal.SIGKILL)
        process.ended_within(wait_s)
