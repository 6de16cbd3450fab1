"""Receipts of many workers, published together: while one lot is being confirmed, the next gathers.

Promises   `tell` returns when its receipts are confirmed
"""

from __future__ import annotations

import asyncio

from hub.broker import Outgoing, Publisher
from hub.envelope import receipts_in_lots
from hub.topology import RECEIPTS
from schemas.errors import Transient
from schemas.receipt import Receipt

__all__ = ["ReceiptWriter"]

MOST = 500


class ReceiptWriter:
    """`run` must be running for `tell` to return. What waits is bounded by who waits."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._waiting: list[tuple[Receipt, asyncio.Future[None]]] = []
        self._there = asyncio.Event()

    async def tell(self, receipt: Receipt) -> None:
        """Raises `Transient` where it is not known to have arrived."""
        told = asyncio.get_running_loop().create_future()
        self._waiting.append((receipt, told))
        self._there.set()
        await told

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._there.wait()
            lot, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            if not self._waiting:
                self._there.clear()
            bodies = receipts_in_lots(receipt for receipt, _ in lot)
            error: Transient | None = None
            try:
                told_of = [Outgoing(RECEIPTS, "receipts", body) for body in bodies]
                await self._publisher.publish_all(told_of)
            except Transient as lost:
                error = lost
            for _, told in lot:
                if told.done():
                    continue
                if error:
                    told.set_exception(error)
                else:
                    told.set_result(None)
