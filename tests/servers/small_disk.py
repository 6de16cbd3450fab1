"""A file system of a few megabytes, for a server whose disk is to become full.

Form       a tmpfs in a mount namespace of its own, kept by a process that sleeps: nobody else sees it,
           and it is gone with that process, whatever becomes of us
Units      bytes, unless *megabytes* is said
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.unprivileged import RunAs

__all__ = ["SmallDisk", "may_mount", "small_disk"]

_KEEP_S = 3600
_SPARE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """*seen*: its root, from outside; *inside*: what begins a command that sees it at its place."""

    seen: Path
    inside: Sequence[str]

    def fill(self) -> None:
        """Leave no room."""
        with self._filler.open("wb", buffering=0) as file:
            block = bytes(1 << 20)
            while block:
                try:
                    file.write(block)
                except OSError:
                    block = block[: len(block) // 2]
                    if len(block) < _SPARE_BYTES:
                        return

    def make_room(self) -> None:
        self._filler.unlink()

    @property
    def free_bytes(self) -> int:
        told = os.statvfs(self.seen)
        return told.f_bavail * told.f_frsize

    @property
    def _filler(self) -> Path:
        return self.seen / "filler"


def may_mount() -> bool:
    """Whether this user may mount in a namespace of its own."""
    if os.getuid() != 0:
        return False
    with _mounts("mount -t tmpfs none /mnt") as trying:
        return trying.wait() == 0


@contextmanager
def small_disk(place: Path, megabytes: int, owner: RunAs) -> Iterator[SmallDisk]:
    """At *place*, a folder that is there; it belongs to *owner*."""
    options = f"size={megabytes}m,mode=0755"
    if owner:
        options += f",uid={owner['user']},gid={owner['group']}"
    mount = shlex.join(["mount", "-t", "tmpfs", "-o", options, "none", str(place)])
    keeper = _mounts(f"{mount} && echo ready && exec sleep {_KEEP_S}")
    try:
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == b"ready\n"
        inside = ["nsenter", f"--mount=/proc/{keeper.pid}/ns/mnt"]
        if owner:
            inside += ["--setuid", str(owner["user"]), "--setgid", str(owner["group"])]
        yield SmallDisk(Path(f"/proc/{keeper.pid}/root{place}"), [*inside, "--"])
    finally:
        keeper.kill()
        keeper.wait()
        if keeper.stdout is not None:
            keeper.stdout.close()


def _mounts(script: str) -> subprocess.Popen[bytes]:
    """*script* in a mount namespace of its own, which ends with us."""
    command = ["unshare", "--mount", "--propagation", "private", "setpriv", "--pdeathsig", "KILL"]
    return subprocess.Popen(
        [*command, "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
