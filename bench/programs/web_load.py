"""Signed submissions over plain sockets: the least that a client can cost beside its server.

Form       spec ``{"port", "messages", "connections", "signing"}``; says one line of JSON: rate and
           latencies
Units      latencies in milliseconds
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from statistics import quantiles

from bench.programs.gate import begin, read_spec, say
from bench.records import BODIES, bodies
from bench.site import KIND, SYSTEM
from connectors.signing import signed_headers
from connectors.signing_schemes import Scheme
from connectors.signing_settings import SigningSettings
from hub.envelope import encode_body
from schemas.errors import Transient
from shuniu.clock import now

__all__ = ["main"]

LONGEST_S = 240.0


async def main() -> None:
    spec = read_spec()
    agreed = SigningSettings.model_validate(spec["signing"]).scheme()
    requests = _signed(spec["messages"], spec["port"], agreed)
    begin()
    took: list[float] = []
    began = time.perf_counter()
    async with asyncio.timeout(LONGEST_S), asyncio.TaskGroup() as tasks:
        for n in range(spec["connections"]):
            own = requests[n :: spec["connections"]]
            tasks.create_task(_submit(spec["port"], own, took))
    all_s = time.perf_counter() - began
    cuts = quantiles(took, n=100)
    found = {
        "per_s": len(took) / all_s,
        "p50_ms": cuts[49] * 1000,
        "p99_ms": cuts[98] * 1000,
    }
    say(json.dumps(found))


def _signed(messages: int, port: int, agreed: Scheme) -> list[bytes]:
    contents = [encode_body(body) for body in bodies()]
    url = f"http://127.0.0.1:{port}/in/{SYSTEM}/{KIND}"
    requests = []
    for n in range(messages):
        content = contents[n % BODIES]
        headers = {
            "Host": f"127.0.0.1:{port}",
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            "Idempotency-Key": f"G{n}",
            **signed_headers(agreed, method="POST", url=url, body=content, at=now(), app_id=SYSTEM),
        }
        lines = [f"POST /in/{SYSTEM}/{KIND} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        requests.append("\r\n".join([*lines, "", ""]).encode() + content)
    return requests


async def _submit(port: int, requests: Sequence[bytes], took: list[float]) -> None:
    """One after the other on one connection; anything but 202 ends the bench."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        took.append(time.perf_counter() - began)
        if b" 202 " not in head[:20]:
            said = body[:300].decode(errors="replace")
            raise Transient("bench.child", f"The server refused: {said}", program="web_server")
    writer.close()


if __name__ == "__main__":
    asyncio.run(main())
