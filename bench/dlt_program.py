"""The peer dlt, set up in an environment of its own in ``.bench/``: its libraries are not the hub's.

Promises   a machine without a package index is told in plain words: the peer is left out
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.children import ROOT
from schemas.errors import Misconfigured

__all__ = ["dlt_program"]

WANTED = ("dlt[postgres,sql_database]==1.31.0", "pyarrow==26.0.1", "SQLAlchemy==2.0.58")
_INSTALL_S = 900.0
_PROGRAM = Path(__file__).parent / "programs" / "dlt_merge.py"


def dlt_program() -> list[str]:
    """The command. Raises `Misconfigured` ``bench.absent``."""
    place = ROOT / ".bench" / "dlt"
    python, mark = place / "bin" / "python", place / ".installed"
    told = "\n".join(WANTED)
    if not mark.exists() or mark.read_text(encoding="ascii") != told:
        mark.unlink(missing_ok=True)
        _done([sys.executable, "-m", "venv", str(place)])
        _done([str(python), "-m", "pip", "install", "--quiet", *WANTED])
        mark.write_text(told, encoding="ascii")
    return [str(python), str(_PROGRAM)]


def _done(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_INSTALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Misconfigured("bench.absent", "dlt took too long to install") from error
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip()[-300:]
        raise Misconfigured("bench.absent", f"dlt could not be installed: {why}")
