"""The private node: found again after every way of dying, and never anybody else's."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import aio_pika
import pytest

from schemas.errors import Misconfigured, Transient
from shuniu.node import PrivateNode, running_url
from shuniu.node_identity import NodeIdentity, Process, identity_in, login_works, save, strays
from shuniu.node_install import plain_path, scripts_folder

# Each of these starts a broker, which takes seconds; together on one worker they do not fight.
pytestmark = pytest.mark.xdist_group("private_node")

_HUB = """
import pathlib, sys, time
from shuniu.node import PrivateNode
node = PrivateNode(pathlib.Path(sys.argv[1]))
node.start_now()
print("up", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateNode]:
    """One running node for all that does not harm it, at a path with blanks and Chinese."""
    running = PrivateNode(tmp_path_factory.mktemp("hub") / "民宿 一件事")
    running.start_now()
    yield running
    running.stop_now()


def _folder_of(node: PrivateNode, root: Path) -> Path:
    return next(f for f in root.glob("hub*/民宿 一件事") if running_url(f) == node.url)


@pytest.fixture
def identity(node: PrivateNode, tmp_path_factory: pytest.TempPathFactory) -> NodeIdentity:
    found = identity_in(_folder_of(node, tmp_path_factory.getbasetemp()))
    assert found is not None
    return found


def _all_of(identity: NodeIdentity) -> list[Process]:
    return strays(identity.name, plain_path(Path(identity.folder)) / "home")


def _listeners(port: int) -> set[str]:
    """Addresses (as the kernel writes them) on which somebody listens at *port*."""
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]
    ]
    listening = [row[1].split(":") for row in rows if row[3] == "0A"]
    return {address for address, number in listening if int(number, 16) == port}


async def _keep_a_message(url: str) -> None:
    async with await aio_pika.connect(url) as line:
        channel = await line.channel()
        await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(b"still here", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "kept")


async def _queue_is_on_disk(folder: Path) -> None:
    """RabbitMQ 3.10 writes the names of new quorum queues half a second late; one declared less
    than that before a kill never finds its leader again."""
    async with asyncio.timeout(10):
        while not any(b"kept" in names.read_bytes() for names in folder.rglob("names.dets")):
            await asyncio.sleep(0.02)


async def _kept_message(url: str) -> bytes:
    async with await aio_pika.connect(url) as line:
        queue = await (await line.channel()).get_queue("kept")
        message = await queue.get(timeout=5)
        await message.ack()
        return message.body


def test_it_listens_on_this_machine_only(identity: NodeIdentity) -> None:
    """Broker, distribution and name server alike: 127.0.0.1, which the kernel writes reversed."""
    for port in (identity.amqp_port, identity.dist_port, identity.epmd_port):
        # A name server takes IPv6's own loopback too when it is told an address.
        assert {"0100007F"} == _listeners(port) - {"00000000000000000000000001000000"}


async def test_nobody_enters_with_the_usual_password(identity: NodeIdentity) -> None:
    """`guest` does not exist, and what opens the door is readable by its owner only."""
    with pytest.raises(aio_pika.exceptions.ProbableAuthenticationError):
        await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{identity.amqp_port}/")

    folder = Path(identity.folder)
    for secret in ("node.json", "rabbitmq.conf", "home/.erlang.cookie"):
        assert 0 == stat.S_IMODE((folder / secret).stat().st_mode) & 0o077, secret
    assert identity.password not in repr(identity)


async def test_a_second_hub_is_told_who_has_the_folder(identity: NodeIdentity) -> None:
    """One folder, one hub: the second neither starts a node nor takes over a living one's."""
    with pytest.raises(Misconfigured) as caught:
        await PrivateNode(Path(identity.folder)).__aenter__()

    assert ("node.owned", os.getpid()) == (caught.value.code, caught.value.facts["pid"])
    assert login_works(identity)


async def test_a_virtual_host_is_made_once(node: PrivateNode) -> None:
    """Asking again is no error, and a name may hold blanks and Chinese."""
    url = await node.ensure_vhost("第二 个")

    assert url == await node.ensure_vhost("第二 个") == node.vhost_url("第二 个")
    async with await aio_pika.connect(url) as line:
        await (await line.channel()).declare_queue("here")


async def test_a_refused_command_says_why(node: PrivateNode) -> None:
    """The node's complaint comes through."""
    with pytest.raises(Transient) as caught:
        await node.control("delete_vhost", "not-there")

    assert "node.control" == caught.value.code
    assert "not-there" in str(caught.value.facts["why"])


def test_a_copied_folder_is_not_taken_for_the_original(
    identity: NodeIdentity, tmp_path: Path
) -> None:
    """A copy of a running hub's folder gets ports of its own and leaves the original alone."""
    assert identity == identity_in(Path(identity.folder))
    shutil.copy(Path(identity.folder) / "node.json", tmp_path / "node.json")

    copied = identity_in(tmp_path)

    assert copied is not None
    assert (identity.name, None, None) == (copied.name, copied.broker, copied.epmd)
    assert copied.amqp_port != identity.amqp_port
    assert running_url(tmp_path) is None


async def test_what_a_killed_hub_left_is_adopted(node: PrivateNode, tmp_path: Path) -> None:
    """A hub dies by ``kill -9``; the next one goes on with the same broker, beside another's."""
    folder = tmp_path / "stale"
    hub = subprocess.Popen(
        [sys.executable, "-c", _HUB, str(folder)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert hub.stdout is not None
    assert b"up\n" in iter(hub.stdout.readline, b"")
    left = identity_in(folder)
    hub.kill()
    hub.communicate()

    async with PrivateNode(folder) as adopted:
        assert left is not None
        assert left.broker is not None
        assert left.broker.pid == adopted.broker_pid != node.broker_pid
        await _keep_a_message(adopted.url)

    assert left.epmd is not None
    assert not left.broker.lives()
    assert not left.epmd.lives()
    assert running_url(folder) is None


async def test_a_killed_broker_comes_back_with_its_data(tmp_path: Path) -> None:
    """The broker dies by ``kill -9``; it is started again at the same address, nothing lost."""
    async with PrivateNode(tmp_path) as node:
        url, pid = node.url, node.broker_pid
        await _keep_a_message(url)
        await _queue_is_on_disk(tmp_path)
        os.kill(pid, signal.SIGKILL)
        before = Process.now(pid)
        assert before is None or before.ended_within(10)

        await node.revive()

        assert url == node.url
        assert pid != node.broker_pid
        assert b"still here" == await _kept_message(url)


async def test_what_nobody_noted_is_found(tmp_path: Path) -> None:
    """A hub killed while its broker boots, before it could write down which process that is."""
    hub = subprocess.Popen(
        [sys.executable, "-c", _HUB, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    async with asyncio.timeout(30):
        while (born := identity_in(tmp_path)) is None or len(_all_of(born)) < 2:
            await asyncio.sleep(0.01)
    hub.kill()
    hub.communicate()
    left = _all_of(born)
    save(replace(born, broker=None, epmd=None))

    async with PrivateNode(tmp_path) as node:
        assert node.broker_pid not in {process.pid for process in left}
        assert [] == [process for process in left if process.lives()]

    assert [] == _all_of(born)


async def test_data_of_an_old_broker_are_told(tmp_path: Path) -> None:
    """RabbitMQ goes from 3 to 4 by way of 3.13 only: one that refuses the data of 3.10 is not tried
    again and again, and says what it is; 3.10 goes on with them."""
    async with PrivateNode(tmp_path) as node:
        installed = tuple(map(int, (await node.control("version")).strip().split(".")[:2]))
    (flags,) = (tmp_path / "data").glob("*-feature_flags")
    flags.write_text("[quorum_queue,stream_queue,user_limits].\n", encoding="ascii")

    if installed >= (4, 0):
        with pytest.raises(Misconfigured) as caught:
            await PrivateNode(tmp_path).__aenter__()
        assert "node.older" == caught.value.code
        dumped = tmp_path / "log" / "erl_crash.dump"
        assert dumped.exists()
    else:
        async with PrivateNode(tmp_path) as node:
            await _keep_a_message(node.url)
            assert b"still here" == await _kept_message(node.url)
    born = identity_in(tmp_path)
    assert born is not None
    assert [] == _all_of(born)


async def test_a_cancelled_start_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C while the broker boots: no process stays, and the folder can be had again."""
    starting = asyncio.create_task(PrivateNode(tmp_path).__aenter__())
    async with asyncio.timeout(30):
        while (born := identity_in(tmp_path)) is None or born.epmd is None:
            await asyncio.sleep(0.01)
    starting.cancel()
    with suppress(asyncio.CancelledError):
        await starting

    assert [] == _all_of(born)
    ended = identity_in(tmp_path)
    assert ended is not None
    assert (None, None) == (ended.broker, ended.epmd)
    assert set() == _listeners(born.amqp_port)


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where RabbitMQ is not installed, the error holds the command that installs it."""
    monkeypatch.setenv("SHUNIU_RABBITMQ_BIN", str(tmp_path))

    with pytest.raises(Misconfigured) as caught:
        scripts_folder()

    assert "node.absent" == caught.value.code
    assert "apt-get install -y rabbitmq-server" == caught.value.facts["command"]


def test_a_link_stands_in_for_a_path_that_shell_scripts_cannot_read(tmp_path: Path) -> None:
    """Only then: a plain path is used as it is."""
    odd = tmp_path / "空 格"
    odd.mkdir()

    link = plain_path(odd)

    assert tmp_path == plain_path(tmp_path)
    assert str(link).isascii()
    assert " " not in str(link)
    assert odd == link.resolve()
    assert 0o700 == stat.S_IMODE(link.parent.stat().st_mode)
