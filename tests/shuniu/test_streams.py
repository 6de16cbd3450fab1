"""Who subscribes by the AsyncAPI description alone gets what it describes, from a real broker."""

from __future__ import annotations

from typing import Any

import aio_pika
import httpx
import orjson
from jsonschema import Draft7Validator

from catalog.derive.asyncapi import asyncapi
from catalog.derive.example import example_body
from connectors.signing import signed_headers
from hub.store import Store
from shuniu.clock import now
from tests.shuniu.a_gateway import PARTNER, RESOURCE, SECRET, declarations, open_door


def faults(document: Any, schema: Any, value: Any) -> list[str]:
    return [
        f"{each.json_path}: {each.message}"
        for each in Draft7Validator({**document, **schema}).iter_errors(value)
    ]


async def test_a_subscriber_needs_nothing_else(amqp_url: str, store: Store) -> None:
    """A client of others binds its queue as the channel says; key, headers and body of the message
    are as described, and so are the receipts."""
    catalogue = declarations().catalogue
    resource = catalogue.resources[RESOURCE]
    document = orjson.loads(orjson.dumps(asyncapi([resource], catalogue)))
    channels, messages = document["channels"], document["components"]["messages"]
    body = example_body(resource, catalogue)

    async with open_door(amqp_url, store) as door:
        connection = await aio_pika.connect(amqp_url)
        async with connection:
            line = await connection.channel()
            queues = {}
            for name in (RESOURCE, "_receipts"):
                told = channels[name]["bindings"]["amqp"]["exchange"]
                queues[name] = await line.declare_queue(exclusive=True)
                exchange = await line.get_exchange(told["name"])
                key = channels[name]["address"].replace("{operation}", "*")
                await queues[name].bind(
                    exchange, key.replace("{region}", "*").replace("{key}", "#")
                )
            url = f"{door.url}/in/{PARTNER}/{RESOURCE}"
            content = orjson.dumps(body)
            signed = signed_headers(
                SECRET, method="POST", url=url, body=content, at=now(), app_id=PARTNER
            )
            async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
                taken = await client.post(url, content=content, headers=signed)
            message = await first(queues[RESOURCE])
            receipts = await first(queues["_receipts"])

    assert 202 == taken.status_code
    assert f"{RESOURCE}.created.{body['regionCode']}" == message.routing_key
    told = messages[RESOURCE]
    assert told["contentType"] == message.content_type
    assert [] == faults(document, told["headers"], dict(message.headers))
    envelope = document["components"]["schemas"]["_envelope"]
    assert [] == faults(document, envelope, orjson.loads(str(message.headers["shuniu"])))
    assert [] == faults(document, told["payload"], orjson.loads(message.body))
    assert body == orjson.loads(message.body)
    assert [] == faults(document, messages["_receipts"]["payload"], orjson.loads(receipts.body))


async def first(queue: Any) -> Any:
    """The first message that comes, kept and acknowledged."""
    async with queue.iterator(timeout=20) as incoming:
        async for message in incoming:
            await message.ack()
            return message
    raise AssertionError("nothing came")
