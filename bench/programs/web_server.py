"""The gateway, or a bare Starlette app, in uvicorn as the hub runs it.

Form       spec ``{"app": "gateway" or "starlette", "port", "signing", "url", "database"}``, *signing* being
           that part of a profile; says ``listening`` when it does
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.programs.gate import begin, read_spec, say, until_stopped
from bench.records import MAC
from bench.site import SYSTEM, bench_plan
from connectors.http_json import HttpJson, Settings
from hub.broker import Broker
from hub.gateway import Gateway
from hub.ids import new_id
from hub.store import Store
from schemas.message import SystemCode
from shuniu.clock import now
from shuniu.interpreter import tune_interpreter
from shuniu.logs import set_up_logs

__all__ = ["main"]


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        say("listening")


async def main() -> None:
    spec = read_spec()
    if spec["app"] == "starlette":
        begin()
        await until_stopped(_serve(Starlette(routes=[_bare()]), spec["port"]))
        return
    store = Store(spec["database"])
    settings = Settings.model_validate(
        {"url": "http://127.0.0.1/", "receives": True, **spec["signing"]}
    )
    async with (
        Broker(spec["url"], name="bench", mac=MAC) as broker,
        broker.publisher() as publisher,
        HttpJson(SystemCode(SYSTEM), settings) as receiver,
    ):
        gateway = Gateway({SYSTEM: receiver}, publisher, store, now, bench_plan)
        tune_interpreter()
        begin()
        await until_stopped(_serve(Starlette(routes=gateway.routes()), spec["port"]))
    store.close()


def _bare() -> Route:
    async def take(request: Request) -> Response:
        orjson.loads(await request.body())
        answer = orjson.dumps({"id": new_id(now())})
        return Response(answer, 202, media_type="application/json")

    return Route("/in/{system}/{path:path}", take, methods=["POST"])


async def _serve(app: Starlette, port: int) -> None:
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving


if __name__ == "__main__":
    set_up_logs("ERROR")
    asyncio.run(main())
