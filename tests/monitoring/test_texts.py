"""Every text that the shell and the console use is in the catalogues, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitoring.console.failures import STATES
from schemas.receipt import Event
from schemas.texts import all_texts
from web.shell import THEMES

ROOT = Path(__file__).parent.parent.parent
SOURCES = [
    path
    for folder in ("web", "monitoring")
    for suffix in ("*.html", "*.py")
    for path in sorted((ROOT / folder).rglob(suffix))
]
LITERAL = re.compile(r"""["']((?:web|console)\.[a-z][a-z.-]*[a-z])["']""")
BUILT = (
    *(f"console.event.{event.value}" for event in Event),
    *(f"console.route.{state}" for state in ("flowing", "retrying", "halted")),
    *(f"console.failure.{state}" for state in STATES),
    *(f"console.failures.no-{state}" for state in STATES),
    *(f"console.tally.{key}" for key in ("received", "published", "delivered")),
    *(f"web.theme.{theme}" for theme in THEMES),
    *("console.retried", "console.discarded"),
)
LOGGERS = {"web.shell"}


def _used() -> list[str]:
    found = {code for path in SOURCES for code in LITERAL.findall(path.read_text(encoding="utf-8"))}
    return sorted({*found, *BUILT} - LOGGERS)


@pytest.mark.parametrize("code", _used())
def test_a_text_has_both_languages(code: str) -> None:
    """And names the same facts in each."""
    text = all_texts()[code]

    assert text["zh"]
    assert text["en"]
    facts = [sorted(set(re.findall(r"{(\w+)}", text[lang]))) for lang in ("zh", "en")]
    assert facts[0] == facts[1]


def test_no_text_of_the_console_lies_idle() -> None:
    """What nothing shows is taken out of the catalogue."""
    ours = {code for code in all_texts() if code.startswith(("web.", "console."))}

    assert set() == ours - set(_used())
