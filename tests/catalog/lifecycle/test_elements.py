"""Who may register and change a data element, and how it goes through its states (R-A4)."""

from __future__ import annotations

import pytest

from catalog.lifecycle.elements import check_registered
from catalog.lifecycle.people import Actor, Role
from catalog.model import DataElement, ElementStatus
from schemas.errors import Rejected
from tests.catalog.a_catalogue import small

ELEMENT = small().elements["applicantName"]
EDITOR = Actor("赵", "市行政审批局", frozenset({Role.EDITOR}))
AUTHORITY = Actor("孙", "市数据局", frozenset({Role.AUTHORITY}))


def of(status: str, **more: object) -> DataElement:
    return ELEMENT.model_copy(update={"status": ElementStatus(status), **more})


def refused(before: DataElement | None, after: DataElement, actor: Actor) -> str:
    """The code, "" where it is taken."""
    try:
        check_registered(before, after, actor)
    except Rejected as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    ("before", "after", "editor", "authority"),
    [
        ("draft", "recorded", "", "lifecycle.role"),
        ("recorded", "qualified", "lifecycle.role", ""),
        ("qualified", "standard", "lifecycle.role", ""),
        ("standard", "preferred", "lifecycle.role", ""),
        ("preferred", "retired", "lifecycle.role", ""),
        ("draft", "standard", "lifecycle.role", "element.status"),
        ("retired", "standard", "lifecycle.role", "element.status"),
    ],
)
def test_it_goes_step_by_step(before: str, after: str, editor: str, authority: str) -> None:
    """To recorded by an editor, from there by the authority; what is retired stays so."""
    pair = of(before), of(after)

    assert (editor, authority) == (refused(*pair, EDITOR), refused(*pair, AUTHORITY))


def test_a_new_one_begins_as_a_draft() -> None:
    """An editor's; the authority may take a standard in as what it is."""
    assert ["", "lifecycle.role"] == [refused(None, of(s), EDITOR) for s in ("draft", "standard")]
    assert "" == refused(None, of("standard"), AUTHORITY)


def test_what_is_standard_changes_with_its_version() -> None:
    """Its name and identifier never."""
    before = of("standard", version="1.9")
    for version, code in (("1.9", "element.version"), ("1.10", ""), ("1.8", "element.version")):
        after = of("standard", version=version, definition="另一个定义。")
        assert code == refused(before, after, AUTHORITY)
    other = of("standard", version="2.0", short_name="otherName")
    assert "element.identity" == refused(before, other, AUTHORITY)
    assert "" == refused(before, of("retired", version="1.9", replaced_by="uscc"), AUTHORITY)
