"""Items by path, and bodies stripped to what is granted (R-C8)."""

from __future__ import annotations

import pytest

from catalog.lifecycle.items import compile_only, covered, paths
from schemas.message import Body
from tests.catalog.a_catalogue import VALID, small

RESOURCE = small().resources["caseAcceptance"]
BODY: Body = {
    "caseNo": "A1",
    "applicantName": "某人",
    "Material": [{"materialName": "申请书", "stepNo": 1}, {"materialName": "图"}],
    "Place": {"address": "某路"},
}


@pytest.mark.parametrize(
    ("granted", "left"),
    [
        ((), {}),
        (("caseNo",), {"caseNo": "A1"}),
        (
            ("Material/materialName",),
            {"Material": [{"materialName": "申请书"}, {"materialName": "图"}]},
        ),
        (("Material/stepNo", "Material"), {"Material": BODY["Material"]}),
        (("Material", "Material/stepNo"), {"Material": BODY["Material"]}),
        (("Place/address", "caseNo"), {"caseNo": "A1", "Place": {"address": "某路"}}),
        (("unknown", "caseNo/deeper"), {}),
    ],
)
def test_only_what_is_granted_passes(granted: tuple[str, ...], left: Body) -> None:
    """Items of groups one by one, a group as a whole, and nothing that was not named."""
    assert left == compile_only(granted)(BODY)


def test_every_item_has_a_path() -> None:
    """In the order of the declaration, groups before what lies in them."""
    found = list(paths(RESOURCE))

    assert ["Material", "Material/materialName", "Material/stepNo", "Place", "Place/address"] == (
        found[-5:]
    )
    assert VALID == compile_only([path for path in found if "/" not in path])(VALID)


def test_a_granted_group_covers_its_items() -> None:
    """And nothing whose name merely begins alike."""
    assert covered("Material/stepNo", {"Material"})
    assert covered("caseNo", {"caseNo"})
    assert not covered("MaterialList", {"Material"})
    assert not covered("Material", {"Material/stepNo"})
