"""The peers in JavaScript, set up in ``.bench/`` from the lock files of ``bench/node`` and ``bench/node_red``.

Promises   a machine without Node or npm, or without a package index, is told in plain words: the
           peer is left out, and the bench goes on
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from bench.children import ROOT
from schemas.errors import Misconfigured

__all__ = ["node_program"]

_SOURCES = Path(__file__).parent
_SHARED = "node/mapping.js"
_INSTALL_S = 300.0


def node_program(folder: str, name: str) -> list[str]:
    """The command of a program in ``bench/<folder>``. Raises `Misconfigured` ``bench.absent``."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Misconfigured("bench.absent", "Node.js or npm is not installed", program=name)
    place = ROOT / ".bench" / folder
    shutil.copytree(_SOURCES / folder, place, dirs_exist_ok=True)
    shutil.copy(_SOURCES / _SHARED, place)
    _install(npm, place)
    return [node, str(place / name)]


def _install(npm: str, place: Path) -> None:
    """What the lock file names, unless it is there."""
    locked = hashlib.sha256((place / "package-lock.json").read_bytes()).hexdigest()
    mark = place / ".locked"
    if mark.exists() and mark.read_text(encoding="ascii") == locked:
        return
    mark.unlink(missing_ok=True)
    try:
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=place,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_INSTALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Misconfigured("bench.absent", "npm took too long to install the peers") from error
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip()[-300:]
        raise Misconfigured("bench.absent", f"npm could not install the peers: {why}")
    mark.write_text(locked, encoding="ascii")
