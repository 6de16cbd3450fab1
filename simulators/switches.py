"""What a partner that is called shall do wrong, and the layer around its program that does it.

Form       ``POST /_sim/faults`` names switches; ``…_every`` is each n-th call, counted anew from then;
           what is not named stays as it was; control addresses (``/_sim/``) always work
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Self

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulators.server import break_off

__all__ = ["Misbehaving", "Switches"]

CONTROL = "/_sim/"


@dataclass(frozen=True, slots=True)
class Switches:
    """0 is never. ``…_s``: seconds. Calls are what others ask; events are what it tells by itself."""

    hang_for_s: float = 0.0  # every call waits until this much time has passed from the switch
    slow_s: float = 0.0  # every answer waits
    error_every: int = 0  # a call is answered 500, before anything is taken
    refuse_every: int = 0  # a delivery is turned away for good
    lose_answer_every: int = 0  # a call is taken, then the connection drops
    half_answer_every: int = 0  # the answer breaks off in the middle
    malformed_every: int = 0  # the answer, or an event, is no document
    duplicate_every: int = 0  # an event is told twice
    out_of_order: bool = False  # events of a case are told in pairs, the later one first

    def changed(self, given: Mapping[str, object]) -> Self:
        """Raises `ValueError` for an unknown switch or a value that is no number."""
        known = {each.name for each in fields(self)}
        if unknown := set(given) - known:
            raise ValueError(f"unknown switch: {', '.join(sorted(unknown))}")
        if any(not isinstance(value, int | float) or value < 0 for value in given.values()):
            raise ValueError("a switch takes a number from 0 on, or a truth value")
        return replace(self, **given)  # type: ignore[arg-type]  # just checked


class Misbehaving:
    """
    *app*, going wrong as its switches say.

    *broken* and *refusal* are the answers in the partner's own form; *refusable*: paths below which
    a call is a delivery that can be turned away.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        broken: Callable[[], Response],
        refusal: Callable[[], Response],
        refusable: Callable[[Scope], bool],
    ) -> None:
        self._app, self._broken, self._refusal = app, broken, refusal
        self._refusable = refusable
        self.switches = Switches()
        self._calls = self._deliveries = 0
        self._awake_at = 0.0

    def turn(self, given: Mapping[str, object]) -> None:
        self.switches = self.switches.changed(given)
        self._awake_at = time.monotonic() + self.switches.hang_for_s
        self._calls = self._deliveries = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(CONTROL):
            await self._app(scope, receive, send)
            return
        switches = self.switches
        await asyncio.sleep(max(switches.slow_s, self._awake_at - time.monotonic(), 0))
        self._calls += 1
        if _due(self._calls, switches.error_every):
            await self._broken()(scope, receive, send)
        elif self._refuses(scope):
            await self._refusal()(scope, receive, send)
        elif _due(self._calls, switches.lose_answer_every):
            await self._app(scope, receive, _silence)
            break_off(send)
        elif _due(self._calls, switches.half_answer_every):
            await self._app(scope, receive, _Halved(send))
        elif _due(self._calls, switches.malformed_every):
            await self._app(scope, receive, _Garbled(send))
        else:
            await self._app(scope, receive, send)

    def _refuses(self, scope: Scope) -> bool:
        if not self.switches.refuse_every or not self._refusable(scope):
            return False
        self._deliveries += 1
        return _due(self._deliveries, self.switches.refuse_every)


class _Halved:
    """Sends half of what was announced, then drops the connection."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            body = message.get("body", b"")
            await self._send({**message, "body": body[: len(body) // 2], "more_body": True})
            break_off(self._send)
            return
        await self._send(message)


class _Garbled:
    """Answers as announced and in full, but what it sends is no document."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            size = len(message.get("body", b""))
            message = {**message, "body": (b"\xef\xbf\xbd<{" * (size // 5 + 1))[:size]}
        await self._send(message)


async def _silence(_: Message) -> None:
    """Nobody hears."""


def _due(number: int, every: int) -> bool:
    return bool(every) and number % every == 0
