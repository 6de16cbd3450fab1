"""Search: Chinese words, initials, short names, synonyms; what is named so comes first."""

from __future__ import annotations

import pytest

from catalog.search import Hit, Index, initials
from tests.catalog.a_catalogue import reference_site

INDEX = Index(reference_site())


def first(query: str) -> Hit | None:
    return next(iter(INDEX.find(query)), None)


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("行政处罚信息", "xzcfxx"),
        ("阿八擦大鹅发嘎哈机卡拉妈那哦怕七然三他挖西压杂", "abcdefghjklmnopqrstwxyz"),
        ("啊座", "az"),
        ("A级", "aj"),
        ("caseNo", "caseno"),
    ],
)
def test_initials_follow_the_standard(text: str, letters: str) -> None:
    """From the first character of the first level to its last."""
    assert letters == initials(text)


@pytest.mark.parametrize(
    ("query", "kind", "name"),
    [
        ("行政处罚信息", "resource", "administrativePenalty"),
        ("xzcf", "resource", "administrativePenalty"),
        ("处罚 行政", "resource", "administrativePenalty"),
        ("administrativePenalty", "resource", "administrativePenalty"),
        ("307013/000311", "resource", "administrativePenalty"),
        ("统一社会信用代码", "element", "uscc"),
        ("USCC", "element", "uscc"),
        ("经营名录", "resource", "abnormalOperation"),
    ],
)
def test_what_is_meant_comes_first(query: str, kind: str, name: str) -> None:
    """By name, by initials, by words in any order, by short name and code, by pieces of a name."""
    hit = first(query)

    assert hit is not None
    assert (kind, name) == (hit.kind, hit.name)


def test_a_resource_is_found_by_its_items() -> None:
    """After what is called so itself."""
    hits = INDEX.find("处罚依据")

    assert "administrativePenalty" in {hit.name for hit in hits if hit.kind == "resource"}
    assert "element" == hits[0].kind


@pytest.mark.parametrize("query", ["", "  ", "没有这样的东西吧", "行政处罚 没有这样的东西吧"])
def test_nothing_is_found_for_nothing(query: str) -> None:
    """All words must be there."""
    assert [] == INDEX.find(query)
