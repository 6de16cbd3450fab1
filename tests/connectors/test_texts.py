"""Whatever a connector raises can be told in Chinese and English."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from schemas.texts import all_texts

FOLDER = Path(__file__).parents[2] / "connectors"
KINDS = {"Transient", "Rejected", "Misconfigured", "Fault"}
CODE = re.compile(r"[a-z-]+\.[a-z.-]+")


def codes() -> list[str]:
    """The codes that stand in the connectors' sources."""
    found = {
        node.args[0].value
        for path in FOLDER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in KINDS
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    return sorted(str(code) for code in found if CODE.fullmatch(str(code)))


@pytest.mark.parametrize("code", codes())
def test_a_code_has_its_texts(code: str) -> None:
    """In both languages, with the same facts."""
    text = all_texts()[code]

    facts = [set(re.findall(r"{(\w+)}", text[lang])) for lang in ("zh", "en")]
    assert facts[0] == facts[1]
