"""What is foretold of made-up applications hangs together."""

from __future__ import annotations

from simulators.applications import application
from simulators.foretold import Limits, foretold
from tests.simulators.reference import ITEMS

NUMBERS = [f"MS2026{n:07}" for n in range(1, 201)]
LIMITS = {code: Limits(number, days, 20) for code, (number, days) in ITEMS.items()}


def test_each_item_is_decided_or_refused_once() -> None:
    """Acceptance or refusal for every case; a result for each accepted; a licence for each grant."""
    found = foretold(1, NUMBERS, LIMITS)

    assert len(NUMBERS) == found["oneThingApplication.created"]
    items = sum(len(application(1, number)["sx"]) for number in NUMBERS)
    assert items == found["itemCase.created"] == found["caseAcceptance.created"]
    assert items > found["caseResult.created"] > found["electronicLicence.created"] > 0
    assert found["electronicLicence.created"] == found["resultDispatch.created"]


def test_what_begins_ends() -> None:
    """Supplements are answered, special procedures end."""
    found = foretold(1, NUMBERS, LIMITS)

    assert found["caseSupplement.created"] == found["caseSupplement.updated"] > 0
    assert found["caseSpecialProcedure.created"] == found["caseSpecialProcedure.updated"] > 0


def test_two_lots_foretell_the_sum() -> None:
    """Each application stands for itself."""
    whole = foretold(1, NUMBERS, LIMITS)

    assert whole == foretold(1, NUMBERS[:77], LIMITS) + foretold(1, NUMBERS[77:], LIMITS)
