"""JSON from outside: what is wrong is named with its place, in words for both sides."""

from __future__ import annotations

import pytest

from connectors.safe_json import read_json
from schemas.errors import Facts, Rejected
from schemas.texts import both


def test_what_is_right_comes_through() -> None:
    """Chinese, escapes, and numbers of all sizes that fit."""
    text = '{"a": "石家庄\\n", "b": [1, -2.5, true, null], "c": 18446744073709551615}'

    read = read_json(text.encode())

    assert {"a": "石家庄\n", "b": [1, -2.5, True, None], "c": 2**64 - 1} == read


def test_a_byte_order_mark_is_passed_over() -> None:
    """Windows programs write one; RFC 8259 lets us ignore it."""
    assert {"a": 1} == read_json(b'\xef\xbb\xbf{"a": 1}')


@pytest.mark.parametrize(
    ("content", "code", "facts"),
    [
        (b'{"a": 1,\n "b" 2}', "json.malformed", {"line": 2, "column": 6}),
        (b"", "json.malformed", {"line": 1, "column": 1}),
        (b'{"a": NaN}', "json.malformed", {}),
        (b'{"a": "\\ud800"}', "json.malformed", {}),
        # CA AF happens to be UTF-8 too: the tenth byte is the first that is not.
        ('{"a": "石家庄"}'.encode("gbk"), "json.gbk", {"byte": 10}),
        (b'{"a": "\xff"}', "json.encoding", {"byte": 8}),
        ('{"a": 1}'.encode("utf-16"), "json.encoding", {"byte": 1}),
        (b"[" * 33 + b"]" * 33, "json.too-deep", {"limit": 32}),
        (b'{"a": {"b": 1, "b": 2}}', "json.name-twice", {"name": "b"}),
        (b'{"a": 18446744073709551616}', "json.number", {"bits": 64}),
        (b'{"a": -9223372036854775809}', "json.number", {"bits": 64}),
        (b'{"a": 1234567890123456789012}', "json.number", {"bits": 64}),
    ],
)
def test_what_is_wrong_is_named(content: bytes, code: str, facts: Facts) -> None:
    """A code to count by, the place, and no question mark in the text."""
    with pytest.raises(Rejected) as caught:
        read_json(content)

    assert code == caught.value.code
    assert facts.items() <= caught.value.facts.items()
    assert "?" not in both(caught.value.faults[0])


def test_brackets_in_a_text_are_no_depth() -> None:
    """An address may hold any number of them."""
    assert ["[" * 100] == read_json(b'["' + b"[" * 100 + b'"]')
