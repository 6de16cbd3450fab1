"""kombu doing the hop: one by one, which is its only way to wait for confirms; two connections.

Careful    publishing with confirms from a consumer's callback on the same connection would re-enter
           its event drain, and with a backlog ends in a RecursionError: hence the second one

Form       spec ``{"url", "source", "exchange", "key"}``
"""

from __future__ import annotations

import contextlib
import select
import sys
from typing import Any

from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.messaging import Consumer, Producer

from bench.plain import DIGEST, passed_on
from bench.programs.gate import begin, read_spec

__all__ = ["main"]

PREFETCH = 500


def main() -> None:
    spec = read_spec()
    url = spec["url"].replace("amqp://", "pyamqp://")
    confirmed = {"confirm_publish": True}
    with Connection(url) as taking, Connection(url, transport_options=confirmed) as giving:
        producer = Producer(giving.channel(), exchange=Exchange(spec["exchange"], passive=True))

        def hop(body: Any, message: Any) -> None:
            del body
            headers, content = passed_on(message.headers[DIGEST], bytes(message.body))
            producer.publish(
                content,
                routing_key=spec["key"],
                delivery_mode=2,
                content_type="application/json",
                content_encoding="binary",
                headers=headers,
            )
            message.ack()

        source = Queue(spec["source"], no_declare=True)
        channel = taking.channel()
        channel.basic_qos(0, PREFETCH, a_global=False)
        consumer = Consumer(
            channel, [source], callbacks=[hop], accept=["json"], on_message=None, no_ack=False
        )
        consumer.on_message = lambda message: hop(None, message)
        begin()
        consumer.consume()
        while not select.select([sys.stdin], [], [], 0)[0]:
            with contextlib.suppress(TimeoutError):
                taking.drain_events(timeout=0.2)


if __name__ == "__main__":
    main()
