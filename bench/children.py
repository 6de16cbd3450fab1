"""One program of a sample in a process of its own: started, let go, measured and stopped.

Form       the child reads its spec, one line of JSON, says ``ready``, and begins at the line
           ``go``; end of its input means stop. More lines it says are read with `Child.line`
Units      processor time in seconds, of all the child's threads, in steps of 10 ms
Careful    a spec may hold passwords: it goes through the pipe, never on a command line
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from schemas.errors import Transient

__all__ = ["ROOT", "Child", "cpu_seconds", "python_program", "running"]

ROOT = Path(__file__).resolve().parents[1]
READY_S, STOP_S = 60.0, 15.0
_TICKS = os.sysconf("SC_CLK_TCK")


def python_program(name: str) -> list[str]:
    """The command of a module of `bench.programs`."""
    return [sys.executable, "-m", f"bench.programs.{name}"]


def cpu_seconds(pid: int) -> float:
    """User and system time that a process and all its threads have used."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    # The name in brackets may hold blanks; utime and stime are the 14th and 15th field.
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


class Child:
    def __init__(self, process: asyncio.subprocess.Process, said: IO[bytes], name: str) -> None:
        self._process, self._said, self._name = process, said, name

    @property
    def cpu_s(self) -> float:
        return cpu_seconds(self._process.pid)

    @property
    def peak_mb(self) -> float:
        """The most memory that was resident at once."""
        text = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        (line,) = (line for line in text.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024

    @property
    def pid(self) -> int:
        return self._process.pid

    def go(self) -> None:
        self._write("go\n")

    async def line(self, within_s: float) -> str:
        """The next line it says. Raises `Transient` ``bench.child`` when it ends or is silent."""
        stream = self._process.stdout
        try:
            async with asyncio.timeout(within_s):
                line = await stream.readline() if stream else b""
        except TimeoutError as error:
            raise self._failed("was silent") from error
        if not line:
            raise self._failed("ended early")
        return line.decode().strip()

    def check(self) -> None:
        """Raises `Transient` when the child has ended, which it does only when told."""
        if self._process.returncode is not None:
            raise self._failed("ended early")

    async def stop(self) -> None:
        """Close its input and wait until it has ended, in order."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                code = await self._process.wait()
        except TimeoutError as error:
            raise self._failed("did not stop") from error
        if code:
            raise self._failed(f"ended with {code}")

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()

    def _write(self, text: str) -> None:
        if self._process.stdin:
            self._process.stdin.write(text.encode())

    def _failed(self, what: str) -> Transient:
        self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, self._said.tell() - 2000))
        said = self._said.read().decode(errors="replace")
        return Transient("bench.child", f"{self._name} {what}: {said[-1500:]}", program=self._name)


@asynccontextmanager
async def running(
    command: Sequence[str], spec: Mapping[str, Any], *, env: Mapping[str, str] | None = None
) -> AsyncIterator[Child]:
    """A child that has said ``ready``. Left in order it was stopped by `Child.stop`; else killed."""
    name = Path(command[-1]).name.rpartition(".")[2] or command[-1]
    with TemporaryFile() as said:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=said,
        )
        child = Child(process, said, name)
        try:
            child._write(json.dumps(spec) + "\n")  # noqa: SLF001 - of the same module
            if (line := await child.line(READY_S)) != "ready":
                raise Transient("bench.child", f"{name} said {line[:200]}", program=name)
            yield child
        finally:
            child.kill()
            await process.wait()
