"""The servers of the tests themselves: private, fresh each time, and nothing goes outside."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import aio_pika
import pytest
import sqlalchemy as sa

from tests.conftest import BrokerNode
from tests.servers import mysql
from tests.servers.loopback import WentOutside
from tests.servers.rabbitmq import VirtualHosts


async def test_a_virtual_host_is_fresh(virtual_hosts: VirtualHosts) -> None:
    """What one test leaves in its virtual host, the next one does not see."""
    first, second = virtual_hosts.add(), virtual_hosts.add()
    async with await aio_pika.connect(first) as line:
        await (await line.channel()).declare_queue("kept", durable=True)

    async with await aio_pika.connect(second) as line:
        with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
            await (await line.channel()).declare_queue("kept", passive=True)
    virtual_hosts.delete(first)
    virtual_hosts.delete(second)


@pytest.mark.xdist_group("broker_node")
async def test_a_broker_can_be_maltreated(broker_node: BrokerNode) -> None:
    """Cut, stopped, started: a connection ends, none is had, and one is had again."""
    cut = asyncio.Event()
    line = await aio_pika.connect(broker_node.url)
    line.close_callbacks.add(lambda *_: cut.set())
    broker_node.cut()
    async with asyncio.timeout(5):
        await cut.wait()

    await broker_node.stop()
    with pytest.raises(aio_pika.exceptions.AMQPConnectionError):
        await aio_pika.connect(broker_node.url)

    await broker_node.start()
    async with await aio_pika.connect(broker_node.url) as again:
        assert not again.is_closed


@pytest.mark.parametrize("kind", ["postgres_url", "mariadb_url", "sqlite_url"])
def test_a_database_is_empty_and_holds_chinese(kind: str, request: pytest.FixtureRequest) -> None:
    """A fresh database, in which Chinese text and characters outside the basic plane survive."""
    url = request.getfixturevalue(kind)
    engine = sa.create_engine(url)
    table = sa.Table("words", sa.MetaData(), sa.Column("word", sa.Unicode(20)))

    with engine.begin() as connection:
        assert [] == sa.inspect(connection).get_table_names()
        table.create(connection)
        connection.execute(table.insert().values(word="民宿𠮷"))
    with engine.connect() as connection:
        assert "民宿𠮷" == connection.scalar(sa.select(table.c.word))
    engine.dispose()


def test_nothing_leaves_this_machine() -> None:
    """A connection to elsewhere is refused before a packet is sent (TEST-NET-1, RFC 5737)."""
    with socket.socket() as line, pytest.raises(WentOutside):
        line.connect(("192.0.2.1", 80))
    with pytest.raises(WentOutside):
        socket.getaddrinfo("partner.example", 80)


def test_a_mariadb_shares_no_folder_with_others(mariadb_url: str) -> None:
    """Where it begins it takes away all temporary tables in its folder, those of others too."""
    engine = sa.create_engine(mariadb_url)
    with engine.begin() as connection:
        data, scratch = connection.execute(sa.text("SELECT @@datadir, @@tmpdir")).one()
    engine.dispose()

    assert Path(data).parent == Path(scratch).parent


def test_mysql_stands_in_for_mariadb_where_it_is_asked_for(mariadb_url: str) -> None:
    """And nowhere else: what was run on which of them must be certain."""
    engine = sa.create_engine(mariadb_url)
    with engine.connect() as connection:
        version = str(connection.exec_driver_sql("SELECT VERSION()").scalar_one())
    engine.dispose()

    assert ("MariaDB" in version) is (mysql.asked_for() is None)
