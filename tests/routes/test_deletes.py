"""A delete needs nothing but its key, on its way in and on its way out."""

from __future__ import annotations

import pytest

from routes.intake import compile_intake
from schemas.errors import Rejected
from schemas.message import Operation
from tests.routes.a_site import FILES, with_files
from tests.routes.test_route import message, routes

DELETES = """
intake: police.acceptance
publish:
  - resource: caseAcceptance
    operation: {from: op, codes: police.operation}
    map: {caseNo: no, acceptTime: {from: time, required: true}, stepNo: n}
"""


def test_a_delete_needs_nothing_but_its_key() -> None:
    """A partner whose row is gone knows no more of it; what it does tell must be right (R-A6)."""
    codes = FILES["tables/police.yaml"].replace("U: updated", "U: updated, D: deleted")
    site = with_files({"intakes/police.acceptance.yaml": DELETES, "tables/police.yaml": codes})
    intake = compile_intake(site.intakes["police.acceptance"], site)

    (gone,) = intake.drafts({"op": "D", "no": "A1"})
    assert (Operation.DELETED, {"caseNo": "A1"}) == (gone.operation, dict(gone.body))

    for record, fault in (
        ({"op": "U", "no": "A1"}, ("/time", "map.missing")),
        ({"op": "D", "no": "A1", "n": "x"}, ("/n", "map.number")),
    ):
        with pytest.raises(Rejected) as caught:
            intake.drafts(record)
        assert [fault] == [(each.at, each.code) for each in caught.value.faults]


def test_a_delete_is_told_with_what_is_known_of_it() -> None:
    """Whoever deletes may know the key alone; the target must hear of it all the same (R-A6)."""
    (route,) = routes(
        "[{system: city, call: put, map: {no: caseNo, at: {from: acceptTime, required: true}}}]"
    )

    assert {"no": "A1-3"} == route.payload(message({"caseNo": "A1-3"}, Operation.DELETED))
    with pytest.raises(Rejected):
        route.payload(message({"caseNo": "A1-3"}, Operation.UPDATED))
