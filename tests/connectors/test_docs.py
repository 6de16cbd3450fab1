"""The pages on connectors: the example is a connector that passes, and no setting is left out."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from connectors.conformance import PERSON, Fault, SinkConformance, SinkRig
from connectors.http_json import Settings
from schemas.message import Body
from tests.simulators.exchange import a_delivery

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"en": DOCS / "connectors.md", "zh": DOCS / "zh" / "connectors.md"}
NAME = "shuniu_docs_connectors"


def _example() -> dict[str, Any]:
    """All blocks of Python of the page, run as one module, with what a test file would import."""
    text = PAGES["en"].read_text(encoding="utf-8")
    module = sys.modules[NAME] = ModuleType(NAME)
    given = (AsyncIterator, Body, Fault, SinkConformance, SinkRig, a_delivery)
    names: dict[str, Any] = vars(module)
    names |= {each.__name__: each for each in given} | {"pytest": pytest, "PERSON": PERSON}
    for n, block in enumerate(
        re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ):
        # `compile` passes on this module's future of annotations.
        exec(compile(block, f"{PAGES['en'].name}[{n}]", "exec"), names)  # noqa: S102 - our own page
    return names


TestFolder = _example()["TestFolder"]


@pytest.mark.parametrize("lang", PAGES)
def test_the_page_names_every_setting(lang: str) -> None:
    """What can be set is told, in both languages."""
    text = PAGES[lang].read_text(encoding="utf-8")

    assert [] == [name for name in Settings.model_fields if f"`{name}`" not in text]
