"""Three RabbitMQ nodes, joined: on machines of their own where this one permits, else side by side.

Promises   there is one cluster, never two: up to RabbitMQ 3.12 the first starts alone and the others
           find it; a later one waits for others before it serves, and they agree who is first
Careful    nodes notice each other's loss within five seconds, not a minute as usual; a side that has
           no majority stops serving (``pause_minority``)
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from shuniu.node_identity import NodeIdentity, free_port, login_works, new_identity, strays
from shuniu.node_install import environment, lay_out, plain_path, scripts_folder
from tests.servers.networks import Machine, Machines, machines, why_not

__all__ = ["Cluster", "ClusterNode", "three_nodes"]

START_S, LOOK_EVERY_S, TICK_S = 90.0, 0.1, 4
MAKE = """
    ok = rabbit_vhost:add(<<"%(name)s">>, <<"%(user)s">>),
    ok = rabbit_auth_backend_internal:set_permissions(
        <<"%(user)s">>, <<"%(name)s">>, <<".*">>, <<".*">>, <<".*">>, <<"%(user)s">>).
"""
SETTINGS = {
    "cluster_partition_handling": "pause_minority",
    "cluster_formation.peer_discovery_backend": "rabbit_peer_discovery_classic_config",
}


@dataclass(slots=True)
class ClusterNode:
    folder: Path
    identity: NodeIdentity
    machine: Machine | None
    process: subprocess.Popen[bytes] | None = None

    @property
    def place(self) -> str:
        """Host and port, as in a broker's address."""
        host = self.machine.address if self.machine else "127.0.0.1"
        return f"{host}:{self.identity.amqp_port}"

    def start(self) -> None:
        with (self.folder / "output.log").open("ab") as output:
            self.process = subprocess.Popen(
                self._command([str(scripts_folder() / "rabbitmq-server")]),
                env=self._environment(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Until it lets its users in."""
        deadline = time.monotonic() + START_S
        while not self.serves():
            assert self.process is not None
            assert self.process.poll() is None, f"{self.folder} ended: see its log"
            assert time.monotonic() < deadline, f"{self.folder} does not serve: see its log"
            time.sleep(LOOK_EVERY_S)

    def serves(self) -> bool:
        """Whether it lets its users in now."""
        host = self.machine.address if self.machine else "127.0.0.1"
        return login_works(self.identity, host=host)

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """As a machine that loses its power."""
        for stray in strays(self.identity.name, self.folder / "home"):
            stray.send(signal.SIGKILL)
            stray.ended_within(10)
        if self.process:
            self.process.wait(10)

    def ctl(self, *words: str) -> str:
        """What ``rabbitmqctl`` prints."""
        ran = subprocess.run(
            self._command([str(scripts_folder() / "rabbitmqctl"), "--quiet", *words]),
            env=self._environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr or ran.stdout
        return ran.stdout

    def epmd(self) -> subprocess.Popen[bytes]:
        inner = self.machine.inner if self.machine else "127.0.0.1"
        words = ["epmd", "-port", str(self.identity.epmd_port), "-address", inner]
        return subprocess.Popen(
            self._command(words), stdin=subprocess.DEVNULL, start_new_session=True
        )

    def _command(self, words: Sequence[str]) -> list[str]:
        return self.machine.command(words) if self.machine else list(words)

    def _environment(self) -> dict[str, str]:
        found = environment(self.folder, self.identity)
        tick = f"-kernel net_ticktime {TICK_S}"
        if self.machine:
            listen = f"{{{self.machine.inner.replace('.', ',')}}}"
            found["RABBITMQ_CTL_ERL_ARGS"] = f"-kernel inet_dist_use_interface {listen}"
            found["ERL_EPMD_ADDRESS"] = self.machine.inner
            found["RABBITMQ_USE_LONGNAME"] = "true"
            erl = f"-kernel inet_dist_use_interface {listen} {tick} +S 2:2 +A 16"
            found["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"] = erl
        else:
            found["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"] += f" {tick}"
        return found


@dataclass(slots=True)
class Cluster:
    """*machines* is None where the nodes run side by side, and no line can be pulled."""

    nodes: list[ClusterNode]
    machines: Machines | None
    vhosts: list[str] = field(default_factory=list)

    def url(self, *, first: ClusterNode | None = None) -> str:
        """The address of a fresh virtual host, *first* before the other nodes."""
        name = f"test-{len(self.vhosts) + 1}"
        self.vhosts.append(name)
        identity = self.nodes[0].identity
        # Both in one: a control command takes a second.
        self.nodes[0].ctl("eval", MAKE % {"name": name, "user": identity.user})
        nodes = sorted(self.nodes, key=lambda node: node is not first)
        places = ",".join(node.place for node in nodes)
        return f"amqp://{identity.user}:{identity.password}@{places}/{name}"

    def wait(self) -> None:
        for node in self.nodes:
            node.wait()


@contextmanager
def three_nodes(folder: Path) -> Iterator[Cluster]:
    """A cluster in *folder*, stopped when left."""
    with ExitStack() as stack:
        hosts = None if why_not() else stack.enter_context(machines(3))
        first = replace(new_identity(folder), epmd_port=free_port())
        nodes = []
        for number in range(1, 4):
            machine = hosts.all[number - 1] if hosts else None
            host = machine.inner if machine else "localhost"
            home = plain_path(folder / f"node-{number}")
            fresh = new_identity(home)
            identity = replace(
                first,
                folder=str(home),
                name=f"{fresh.name.partition('@')[0]}@{host}",
                amqp_port=fresh.amqp_port,
                dist_port=fresh.dist_port,
            )
            nodes.append(ClusterNode(home, identity, machine))
        for node in nodes:
            _lay_out(node, nodes)
            if node is nodes[0] or hosts:
                epmd = node.epmd()
                stack.callback(_end, epmd)
            stack.callback(node.kill)
        nodes[0].start()
        if not _wait_for_each_other(nodes[0]):
            nodes[0].wait()
        for node in nodes[1:]:
            node.start()
        cluster = Cluster(nodes, hosts)
        cluster.wait()
        yield cluster


def _wait_for_each_other(node: ClusterNode) -> bool:
    version = node.ctl("version").strip().split(".")
    return tuple(map(int, version[:2])) >= (3, 13)


def _lay_out(node: ClusterNode, nodes: Sequence[ClusterNode]) -> None:
    node.folder.mkdir(parents=True, mode=0o700)
    more = dict(SETTINGS)
    for number, each in enumerate(nodes, 1):
        more[f"cluster_formation.classic_config.nodes.{number}"] = each.identity.name
    more["listeners.tcp.local"] = node.place
    lay_out(node.folder, node.identity, more)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(10)
