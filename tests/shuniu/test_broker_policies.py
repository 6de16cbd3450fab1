"""The policies of a real broker, by its management interface."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import pytest

from hub.topology import PIPELINE
from schemas.errors import Misconfigured, Transient
from shuniu.broker_policies import check_policies, hub_queues
from shuniu.node_identity import free_port, new_identity
from shuniu.node_install import lay_out, plain_path
from tests.hub.site import small_plan
from tests.servers.cluster import ClusterNode

# One worker starts the broker for all of them, instead of each for its share.
pytestmark = pytest.mark.xdist_group("managed_node")
QUEUES = hub_queues(small_plan(), ["follow"])


@dataclass
class Managed:
    """A broker with its management interface."""

    http: str
    amqp: str

    def put(self, kind: str, name: str, **policy: object) -> None:
        path = f"{self.http}/api/{kind}/shuniu/{name}"
        httpx.put(path, json=policy, trust_env=False).raise_for_status()

    def take_away(self, kind: str, name: str) -> None:
        httpx.delete(f"{self.http}/api/{kind}/shuniu/{name}", trust_env=False).raise_for_status()


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    home = plain_path(tmp_path_factory.mktemp("managed"))
    home.chmod(0o700)
    identity, port = new_identity(home), free_port()
    node = ClusterNode(home, identity, None)
    more = {"management.tcp.ip": "127.0.0.1", "management.tcp.port": str(port)}
    # The node's one user may ask and set.
    lay_out(home, identity, more | {"default_user_tags.administrator": "true"})
    (home / "enabled_plugins").write_text("[rabbitmq_management].\n", encoding="ascii")
    epmd = node.epmd()
    try:
        node.start()
        node.wait()
        told = f"{identity.user}:{identity.password}"
        yield Managed(f"http://{told}@127.0.0.1:{port}", f"amqp://{told}@{node.place}/shuniu")
    finally:
        node.kill()
        epmd.send_signal(signal.SIGKILL)
        epmd.wait(10)


async def test_a_broker_whose_policies_do_no_harm_is_taken(managed: Managed) -> None:
    """As many as there are; none is needed."""
    assert 0 == await check_policies(managed.http, managed.amqp, QUEUES)
    managed.put("policies", "long", pattern="^pipeline", definition={"delivery-limit": 2000})
    try:
        assert 1 == await check_policies(managed.http, managed.amqp, QUEUES)
    finally:
        managed.take_away("policies", "long")


@pytest.mark.parametrize(
    ("kind", "definition"),
    [("policies", {"delivery-limit": 50}), ("operator-policies", {"expires": 600_000})],
)
async def test_a_policy_that_would_lose_messages_is_named(
    managed: Managed, kind: str, definition: dict[str, int]
) -> None:
    """With queue and setting, so that the broker's people know what to take away."""
    managed.put(kind, "tidy", pattern="^pipeline", definition=definition)
    try:
        with pytest.raises(Misconfigured) as caught:
            await check_policies(managed.http, managed.amqp, QUEUES)
    finally:
        managed.take_away(kind, "tidy")

    (setting,) = definition
    facts = {"policy": "tidy", "queue": PIPELINE[0], "setting": setting}
    assert "broker.policy" == caught.value.code
    assert facts.items() <= caught.value.facts.items()


async def test_who_may_not_ask_is_told_so(managed: Managed) -> None:
    """A wrong password is misconfigured; nobody at the address may pass."""
    wrong = f"http://nobody:wrong@{managed.http.rpartition('@')[2]}"
    with pytest.raises(Misconfigured) as denied:
        await check_policies(wrong, managed.amqp, QUEUES)
    with pytest.raises(Transient) as away:
        await check_policies(f"http://127.0.0.1:{free_port()}", managed.amqp, QUEUES)

    assert ("broker.management-denied", "broker.management") == (
        denied.value.code,
        away.value.code,
    )


async def test_no_password_is_logged(managed: Managed, caplog: pytest.LogCaptureFixture) -> None:
    """The client logs the addresses that it calls, where somebody turns that on."""
    caplog.set_level(logging.DEBUG, "httpx")
    await check_policies(managed.http, managed.amqp, QUEUES)

    told = urlsplit(managed.http)
    assert str(told.hostname) in caplog.text
    assert str(told.password) not in caplog.text


async def test_what_is_no_address_is_told() -> None:
    """And not waited for."""
    for wrong in ("notaurl", "amqp://user:secret@host:15672", "http://"):
        with pytest.raises(Misconfigured) as caught:
            await check_policies(wrong, "amqp://host/x", QUEUES)
        assert "broker.management-address" == caught.value.code
        assert "secret" not in str(caught.value)
