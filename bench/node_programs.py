"""The peers in JavaScript, set up in ``.bench/node`` from the lock file of ``bench/node``.

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

_SOURCE = Path(__file__).parent / "node"
_PLACE = ROOT / ".bench" / "node"
_INSTALL_S = 300.0


def node_program(name: str) -> list[str]:
    """The command of a program in ``bench/node``. Raises `Misconfigured` ``bench.absent``."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Misconfigured("bench.absent", "Node.js or npm is not installed", program=name)
    _set_up(npm)
    return [node, str(_PLACE / name)]


def _set_up(npm: str) -> None:
    files = sorted(path for path in _SOURCE.iterdir() if path.is_file())
    locked = hashlib.sha256((_SOURCE / "package-lock.json").read_bytes()).hexdigest()
    mark = _PLACE / ".locked"
    _PLACE.mkdir(parents=True, exist_ok=True)
    for path in files:
        shutil.copy(path, _PLACE)
    if mark.exists() and mark.read_text(encoding="ascii") == locked:
        return
    mark.unlink(missing_ok=True)
    try:
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=_PLACE,
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
