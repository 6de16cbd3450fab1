"""Where a bench runs: a broker's virtual host and a PostgreSQL database, fresh for each sample.

Without ``SHUNIU_AMQP_URL`` the broker is a private node, started for the run and stopped after it.
With it, its virtual host is used as it is; it must hold nothing of a hub's, and is emptied again.
PostgreSQL is a private server with its default of safety: what is committed is on disk.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import psycopg
from pamqp import commands
from psycopg import sql

from bench.wire import Wire, opened
from hub.store import Store
from hub.store.migrate import migrate
from hub.topology import FAILURES, HISTORY, INTAKE, LEDGER, PIPELINE, RECEIPTS, RUNGS, STREAMS, TAP
from schemas.errors import Misconfigured, Transient
from shuniu.node import PrivateNode
from tests.servers import postgresql
from tests.servers.rabbitmq import VirtualHosts

__all__ = ["QUORUM", "Place", "places"]

QUORUM = {"x-queue-type": "quorum"}
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Place:
    """The servers of a run. *broker_pid* is 0 where the broker is somebody else's."""

    hosts: VirtualHosts | None
    given_url: str
    broker_pid: int
    postgres: str

    @asynccontextmanager
    async def broker(self) -> AsyncIterator[str]:
        """The address of a virtual host that holds nothing; it holds nothing after it, either."""
        if self.hosts is None:
            await _must_be_free(self.given_url)
            try:
                yield self.given_url
            finally:
                await _emptied(self.given_url)
            return
        url = await asyncio.to_thread(self.hosts.add)
        try:
            yield url
        finally:
            await asyncio.to_thread(self.hosts.delete, url)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The address of a fresh database with the hub's tables."""
        name = f"bench_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(f"postgresql://{self.postgres}/postgres", autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            try:
                url = f"postgresql+psycopg://{self.postgres}/{name}"
                store = Store(url)
                try:
                    migrate(store)
                finally:
                    store.close()
                yield url
            finally:
                drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
                admin.execute(drop.format(sql.Identifier(name)))


@contextmanager
def places() -> Iterator[Place]:
    """Start what is needed; stop it when left."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="shuniu-bench-")))
        folder.chmod(0o755)  # the database server runs as a user of its own
        log = stack.enter_context((folder / "postgresql.log").open("wb"))
        facts = stack.enter_context(postgresql.serving(folder, durable=True, output=log))
        postgres = f"{facts['user']}:{facts['password']}@{facts['host']}:{facts['port']}"
        if given := os.environ.get("SHUNIU_AMQP_URL"):
            yield Place(None, given, 0, postgres)
            return
        node = PrivateNode(folder / "node")
        node.start_now()
        stack.callback(node.stop_now)
        hosts = stack.enter_context(VirtualHosts(node.folder))
        yield Place(hosts, "", node.broker_pid, postgres)


async def _must_be_free(url: str) -> None:
    """A hub's own queues would lose their messages to us."""
    async with opened(url) as wire:
        try:
            await wire.depth(*PIPELINE)
        except Transient:
            return
    raise Misconfigured(
        "bench.occupied",
        "The virtual host belongs to a hub: name another in SHUNIU_AMQP_URL",
        vhost=urlsplit(url).path,
    )


async def _emptied(url: str) -> None:
    async with opened(url) as wire:
        rungs = [f"hub.retry.{s}s" for s in RUNGS]
        for queue in (*PIPELINE, LEDGER, HISTORY, "failures", *rungs):
            await _gone(wire, commands.Queue.Delete(queue=queue))
        for name in (INTAKE, STREAMS, TAP, RECEIPTS, FAILURES, *(f"hub.retry.{s}s" for s in RUNGS)):
            await _gone(wire, commands.Exchange.Delete(exchange=name))


async def _gone(wire: Wire, delete: commands.Queue.Delete | commands.Exchange.Delete) -> None:
    """Deleting what is not there is no error (RabbitMQ)."""
    await wire.call(delete)
