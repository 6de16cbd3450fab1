"""What commands print for people."""

from __future__ import annotations

import pytest
from rich.console import Console

from shuniu.cli import output


def test_a_long_chinese_cell_is_not_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every character stands somewhere in its column, and no line is wider than the terminal, where a
    Chinese character takes two places."""
    said = "示例中有可能是真实的公民身份号码示例会出现在公开文档中请改用虚构的号码" * 2
    monkeypatch.setattr(output, "console", Console(width=48))
    output.print_table(("项目", "说明"), [("lint", said)])
    lines = capsys.readouterr().out.splitlines()

    assert said == "".join(char for line in lines[3:] for char in line if char in said)
    assert all(sum(2 if ord(c) > 0x2E80 else 1 for c in line) <= 48 for line in lines)
