"""All checks, in the order in which they fail fastest; what ``make test`` and the CI run.

usage: scripts/check.py [--static] [PYTEST-ARGUMENT…]

It stops at the first check that fails and says which; its exit code is 1 then. ``--static`` leaves
the tests out. The tests have ten minutes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["main", "run_step"]

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
# The aim is 600 s on two idle cores; a machine that others use as well may take longer.
TESTS_S = 2100.0

STATIC = {
    "format": [PYTHON, "-m", "ruff", "format", "--check", "--quiet", "."],
    "lint": [PYTHON, "-m", "ruff", "check", "--quiet", "."],
    "imports": [PYTHON, str(Path(PYTHON).with_name("lint-imports")), "--no-logo"],
    "types": [PYTHON, "-m", "mypy", "--no-error-summary"],
}
TESTS = [PYTHON, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup"]


def main(arguments: list[str]) -> int:
    """Run the checks; 0 if all pass, 1 at the first that does not, 130 when interrupted."""
    static = "--static" in arguments
    steps = dict(STATIC)
    if not static:
        steps["tests"] = [*TESTS, *arguments]
    began = time.monotonic()
    for name, command in steps.items():
        code = run_step(name, command, TESTS_S)
        if code:
            return code
    print(f"check: all passed in {time.monotonic() - began:.0f} s", flush=True)
    return 0


def run_step(name: str, command: list[str], limit_s: float) -> int:
    """Run one check for at most *limit_s* seconds; its exit code, 1 if it took longer."""
    print(f"check: {name} …", flush=True)
    began = time.monotonic()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Of a shell's background job; a step that inherits it could only be killed.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    step = subprocess.Popen(command, cwd=ROOT, env=_surroundings())
    try:
        code = step.wait(limit_s)
    except subprocess.TimeoutExpired:
        _end(step)
        print(f"check: FAILED: {name} took longer than {limit_s:.0f} s", flush=True)
        return 1
    except KeyboardInterrupt:
        _end(step)
        return 130
    took_s = time.monotonic() - began
    if code:
        again = " ".join(["python", *command[1:]]).replace(f"{ROOT}{os.sep}", "")
        print(f"check: FAILED: {name} after {took_s:.0f} s; again alone: {again}", flush=True)
        return 1
    print(f"check: {name} passed in {took_s:.0f} s", flush=True)
    return 0


def _surroundings() -> dict[str, str]:
    """Ours, with bytecode kept: the tests start hundreds of processes, each of which would compile
    every module anew."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _end(step: subprocess.Popen[bytes]) -> None:
    """End a step and let it stop what it has started: the servers go with the last test."""
    step.send_signal(signal.SIGINT)
    try:
        step.wait(30)
    except subprocess.TimeoutExpired:
        step.kill()
        step.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
