"""All checks, in the order in which they fail fastest; what ``make test`` and the CI run.

usage: scripts/check.py [--static] [PYTEST-ARGUMENT…]

It stops at the first check that fails and says which; its exit code is 1 then. ``--static`` leaves
the tests out. The tests should take ten minutes on two idle cores.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from lxml import etree

__all__ = ["failed_tests", "main", "run_step"]

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
# Three for two cores: each waits a third of its time, for brokers, browsers and leases.
TESTS = [PYTHON, "-m", "pytest", "-q", "-n", "3", "--dist", "loadgroup"]
REPORT = ROOT / ".pytest_cache" / "tests.xml"
MOST_NAMED, LONGEST_SAID = 10, 120


def main(arguments: list[str]) -> int:
    """Run the checks; 0 if all pass, 1 at the first that does not, 130 when interrupted."""
    static = "--static" in arguments
    steps = dict(STATIC)
    if not static:
        REPORT.unlink(missing_ok=True)
        steps["tests"] = [*TESTS, f"--junitxml={REPORT}", *arguments]
    began = time.monotonic()
    for name, command in steps.items():
        code = run_step(name, command, TESTS_S)
        if code:
            if name == "tests":
                print("\n".join(failed_tests(REPORT)), flush=True)
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


def failed_tests(report: Path) -> list[str]:
    """Which tests failed by *report*, a line each with the reason: said last, where logs are cut."""
    if not report.exists():
        return []
    lines = []
    for each in etree.parse(report).iter("testcase"):
        wrong = next((said for said in each if said.tag in ("failure", "error")), None)
        if wrong is not None:
            said = " ".join(wrong.get("message", "").split())[:LONGEST_SAID]
            lines.append(f"check: {each.get('classname')}::{each.get('name')}: {said}")
    return lines[:MOST_NAMED]


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
