"""The command line as a whole: every command is there, and none pays for the others."""

from __future__ import annotations

import subprocess
import sys

from shuniu.cli import COMMANDS, GROUPS, app_for


def test_a_command_imports_nothing_of_the_others() -> None:
    """All of them take a second of every call."""
    code = (
        "import sys; from shuniu.cli import app_for; app_for(['lint']); "
        "print(*sorted(name for name in sys.modules if name.startswith('shuniu.cli.')))"
    )

    told = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )

    assert "shuniu.cli.lint" in told.stdout.split()
    assert not {"shuniu.cli.demo", "shuniu.cli.run"} & set(told.stdout.split())


def test_help_shows_all() -> None:
    """Whoever asks for no command, or for one that is none, is told what there is."""
    for arguments in ([], ["--help"], ["no-such-command"]):
        app = app_for(arguments)
        commands = {each.name for each in app.registered_commands}
        groups = {each.name for each in app.registered_groups}

        assert (set(COMMANDS), set(GROUPS)) == (commands, groups)
