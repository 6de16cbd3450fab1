"""The checks stop at the first that fails and say which, and a check that hangs is ended."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "check.py"


@pytest.fixture
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_first_failure_stops_the_rest(
    check: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What comes after it would only hide it."""
    steps = {
        "good": python("print('one')"),
        "bad": python("raise SystemExit(3)"),
        "late": python("print('never')"),
    }
    monkeypatch.setattr(check, "STATIC", steps)

    assert 1 == check.main(["--static"])

    told = capfd.readouterr().out
    assert "check: good passed" in told
    assert "check: FAILED: bad" in told
    assert "never" not in told


def test_a_check_that_hangs_is_ended(check: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    """A limit on the whole, for what the limits of single tests do not see."""
    code = check.run_step("slow", python("import time; time.sleep(60)"), 0.3)

    assert 1 == code
    assert "check: FAILED: slow took longer than 0 s" in capfd.readouterr().out


def test_all_passing_says_so(
    check: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0 and a last line that says how long it took."""
    monkeypatch.setattr(check, "STATIC", {"good": python("")})

    assert 0 == check.main(["--static"])
    assert "check: all passed in" in capfd.readouterr().out


def test_what_failed_is_named_with_the_reason(check: ModuleType, tmp_path: Path) -> None:
    """By a run of pytest's own: one that fails, one whose set-up does, one that passes."""
    tests, report = tmp_path / "test_some.py", tmp_path / "some.xml"
    tests.write_text(
        "import pytest\n"
        "@pytest.fixture\ndef broken():\n    raise OSError('no disk')\n"
        "def test_wrong():\n    assert 1 == 2\n"
        "def test_right():\n    pass\n"
        "def test_unfit(broken):\n    pass\n",
        encoding="utf-8",
    )
    alone = ("-p", "no:randomly", "-p", "no:cacheprovider", "-c", "/dev/null")
    again = (sys.executable, "-m", "pytest", "-q", *alone, f"--junitxml={report}", str(tests))
    subprocess.run(again, check=False, capture_output=True, timeout=60)

    wrong, unfit = check.failed_tests(report)
    assert "::test_wrong: assert 1 == 2" in wrong
    assert "::test_unfit: " in unfit
    assert "no disk" in unfit
    assert [] == check.failed_tests(tmp_path / "none.xml")


def test_what_is_compiled_once_is_kept(check: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each of the hundreds of processes that tests start compiles the hub for itself."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    keeps = "import sys; raise SystemExit(sys.dont_write_bytecode)"

    assert 0 == check.run_step("compiled", python(keeps), 30.0)
