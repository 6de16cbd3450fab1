"""Child processes of the demo: they end with it, also when it is killed.

Careful    each child watches its standard input: at end of file, which the system sends when this
           process is gone for whatever reason, it stops by itself
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from schemas.errors import Transient

__all__ = ["child", "ended", "until_parent_ends"]

STOP_S = 25.0


@asynccontextmanager
async def child(
    *words: str, environment: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run ``shuniu *words --watched`` until the block is left."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "shuniu",
        *words,
        "--watched",
        stdin=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.stdin:
            process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def until_parent_ends() -> None:
    """Return when standard input ends."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(4096):
        pass


def ended(process: asyncio.subprocess.Process, name: str) -> None:
    """Raises `Transient` when a child that should run has ended."""
    if process.returncode is not None:
        raise Transient("demo.child-ended", "A process of the demo ended", process=name)
