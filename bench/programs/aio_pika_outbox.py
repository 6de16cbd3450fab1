"""An outbox relay as one writes it first: hundreds of rows read, published one by one, deleted.

Form       spec ``{"url", "database"}``
"""

from __future__ import annotations

import asyncio
from functools import partial

import aio_pika
from aio_pika.abc import AbstractExchange
from sqlalchemy import Connection, Row, delete, select

from bench.programs.gate import begin, read_spec, until_stopped
from hub.crypto import Sm4Seal, sm3
from hub.store import Store
from hub.store.tables import outbox
from hub.topology import INTAKE

__all__ = ["main"]

ROWS = 100


async def main() -> None:
    spec = read_spec()
    store = Store(spec["database"])
    async with await aio_pika.connect_robust(spec["url"]) as connection:
        channel = await connection.channel(publisher_confirms=True)
        exchange = await channel.get_exchange(INTAKE)
        begin()
        await until_stopped(_relay(store, exchange))
    store.close()


async def _relay(store: Store, exchange: AbstractExchange) -> None:
    seal = Sm4Seal(bytes(16))
    while rows := await store.read(_waiting):
        for row in rows:
            body = seal.open(row.sealed)
            headers = {
                "cloudEvents:id": row.record_id,
                "cloudEvents:source": row.service,
                "cloudEvents:type": row.resource,
                "cloudEvents:time": row.at.isoformat(),
                "cloudEvents:traceparent": row.traceparent,
                "cloudEvents:digest": sm3(body),
                "x-key": row.key,
                "x-operation": row.operation,
            }
            message = aio_pika.Message(
                body,
                headers=dict(headers),
                content_type="application/json",
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            )
            await exchange.publish(message, f"0.{row.service}.{row.resource}")
        await store.write(partial(_deleted, ids=[row.record_id for row in rows]))


def _waiting(connection: Connection) -> list[Row[tuple[object, ...]]]:
    return list(connection.execute(select(outbox).order_by(outbox.c.record_id).limit(ROWS)))


def _deleted(connection: Connection, ids: list[str]) -> None:
    connection.execute(delete(outbox).where(outbox.c.record_id.in_(ids)))


if __name__ == "__main__":
    asyncio.run(main())
