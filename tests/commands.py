"""``shuniu …`` as its user runs it: in a process of its own, which is gone when it has answered.

The processes are forked from one that has imported what commands import: that takes a second each
time, and is not what these tests are about. The whole command line is run by `tests.journeys`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.processes import forked

__all__ = ["Done", "shuniu"]

WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, and all that it printed."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> Any:
        """What it printed as JSON."""
        return orjson.loads(self.out)


def shuniu(*words: str, environment: Mapping[str, str] | None = None) -> Done:
    """Run the command that *words* name; *environment*: this process's where none is given."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = forked(_run, words, dict(environment or os.environ), out, err)
        process.join(WITHIN_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            pytest.fail(f"shuniu {' '.join(words)} did not end: {err.read_text('utf-8')}")
        return Done(process.exitcode, out.read_text("utf-8"), err.read_text("utf-8"))


def _run(words: tuple[str, ...], environment: Mapping[str, str], out: Path, err: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for number, file in ((1, out), (2, err)):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["shuniu", *words]
    from shuniu.cli import main  # noqa: PLC0415 - the process's own, as in ``python -m shuniu``

    main()
