"""A partner's reasons, as they may be shown."""

from __future__ import annotations

import pytest

from connectors.refusals import code_word, fit_to_show
from schemas.message import Json


@pytest.mark.parametrize(
    ("reason", "payload", "expected"),
    [
        ("必填项缺失", {"a": "b"}, "必填项缺失"),
        ("张三与法人不符", {"sqr": {"xm": "张三"}}, "…与法人不符"),
        ("材料“租房合同”缺页", {"cl": [{"mc": "租房合同"}]}, "材料“…”缺页"),
        # The name is a part of the address: the whole address goes, not only the name in it.
        ("张三路1号有误", {"xm": "张三", "dz": "张三路1号"}, "…有误"),
        # What we did not send cannot be known, but a number says who.
        ("与 130102199001011234 重复", {}, "与 ＊＊＊＊＊＊＊＊＊＊＊＊＊＊＊＊＊＊ 重复"),
        ("是", {"a": "是"}, "是"),
    ],
)
def test_the_citizen_stays_out(reason: str, payload: Json, expected: str) -> None:
    """The reason is still one."""
    assert expected == fit_to_show(reason, payload)


def test_a_reason_has_an_end() -> None:
    """A page of HTML is no reason."""
    assert 200 == len(fit_to_show("错" * 10_000, {}))


@pytest.mark.parametrize(
    ("word", "expected"), [("4001", "4001"), ("E-10.2", "E-10.2"), ("张三", "?"), (None, "None")]
)
def test_only_a_code_is_shown_as_one(word: object, expected: str) -> None:
    """In the place of a code there may stand anything."""
    assert expected == code_word(word)
