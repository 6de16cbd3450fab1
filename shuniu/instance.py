"""One hub on one machine: settings, secrets, records, broker, declarations, put together.

Promises   what `open_instance` opened is closed again, in the opposite order, whatever happens
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from hub.broker import Broker
from hub.crypto import Mac, Sm4Seal
from hub.plan import Plan, compile_plan
from hub.store import Store
from hub.store.migrate import migrate
from shuniu.addresses import Addresses
from shuniu.node import PrivateNode
from shuniu.secret_store import SecretStore
from shuniu.service_list import MIGRATIONS
from shuniu.settings import Settings
from shuniu.site import read_site

__all__ = ["Instance", "open_broker", "open_store"]


@dataclass(frozen=True, slots=True)
class Instance:
    """What every command needs, without the broker."""

    settings: Settings
    secrets: SecretStore
    addresses: Addresses

    @classmethod
    def of(cls, settings: Settings) -> Instance:
        home = settings.home
        return cls(settings, SecretStore(home / "secrets"), Addresses(home / "addresses.json"))

    def plan(self) -> Plan:
        return compile_plan(read_site(self.settings.site))

    def mac(self) -> Mac:
        """Signs what the hub's processes tell each other."""
        return Mac(self.secrets.key("message-key"))

    def seal(self) -> Sm4Seal:
        return Sm4Seal(self.secrets.key("data-key"))


def open_store(settings: Settings) -> Store:
    """The records, migrated to the present shape."""
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = Store(settings.database_url)
    migrate(store, MIGRATIONS)
    return store


@asynccontextmanager
async def open_broker(settings: Settings, name: str) -> AsyncIterator[tuple[Broker, str]]:
    """The broker and its address: the given one, or a private node that lives as long as this."""
    async with AsyncExitStack() as stack:
        url = settings.amqp_url
        if url is None:
            node = await stack.enter_async_context(PrivateNode(settings.home / "broker"))
            url = node.url
        mac = Instance.of(settings).mac()
        yield await stack.enter_async_context(Broker(url, name=name, mac=mac)), url
