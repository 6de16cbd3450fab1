"""Which language a reader gets."""

from __future__ import annotations

import pytest

from web.language import preferred


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("en;q=0.3, zh;q=0.7", "zh"),
        ("fr-FR, en;q=0.5", "en"),
        ("fr-FR, de", "zh"),  # neither of ours: Chinese first
        ("en;q=high, zh;q=0.1", "zh"),  # what cannot be read weighs nothing
        ("en;q=0", "zh"),  # RFC 9110: nought means "not this one"
        (",;;,", "zh"),
    ],
)
def test_preferred(header: str, expected: str) -> None:
    """The heaviest of ours; Chinese where the browser says nothing of use."""
    assert expected == preferred(header)
