"""The arithmetic of ratios: formed within a round, told as a median with its spread."""

from __future__ import annotations

import pytest

from bench.report import Target
from bench.rounds import Rounds, Sample, Spread, interleaved, rotated
from schemas.errors import Misconfigured, Transient


def of(**rates: float) -> dict[str, Sample]:
    return {name: {"per_s": rate} for name, rate in rates.items()}


def test_a_ratio_is_the_median_of_the_ratios_of_the_rounds() -> None:
    """A slow second round halves both: the ratio of medians would be 3, that of the rounds is 2."""
    rounds = Rounds([of(hub=200, peer=100), of(hub=60, peer=50), of(hub=600, peer=100)])

    assert Spread(2.0, 1.2, 6.0) == rounds.ratio("hub", "peer")


def test_figures_have_their_spread() -> None:
    """Median, least and most; an even number of samples has its middle between two."""
    rounds = Rounds([of(hub=10), of(hub=40), of(hub=20), of(hub=30)])

    assert Spread(25.0, 10, 40) == rounds.figure("hub", "per_s")


def test_two_figures_of_one_sample_are_compared_within_it() -> None:
    """The ledger's rate to the rate of the hop that filled its queue."""
    samples: list[dict[str, Sample]] = [
        {"both": {"per_s": 30, "hop_per_s": 10}},
        {"both": {"per_s": 10, "hop_per_s": 10}},
        {"both": {"per_s": 20, "hop_per_s": 10}},
    ]

    assert Spread(2.0, 1.0, 3.0) == Rounds(samples).quotient("both", "per_s", "hop_per_s")


def test_what_was_never_seen_has_no_ratio() -> None:
    """A peer that is not installed gives no figure, rather than one of zero."""
    rounds = Rounds([of(hub=10), of(hub=20, late=10)])

    assert rounds.ratio("hub", "node") is None
    assert rounds.figure("node", "per_s") is None
    assert Spread(2.0, 2.0, 2.0) == rounds.ratio("hub", "late")


def test_the_order_of_variants_is_rotated() -> None:
    """No variant always runs first, when the machine is cool, or last."""
    orders = [rotated(["a", "b", "c"], n) for n in range(4)]

    assert [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]] == orders


async def test_repeats_are_interleaved_and_the_absent_left_out() -> None:
    """Each round takes each variant once; one that cannot be had is asked for once and named."""
    asked: list[str] = []

    async def here() -> Sample:
        asked.append("here")
        return {"per_s": 1.0}

    async def absent() -> Sample:
        asked.append("absent")
        raise Misconfigured("bench.absent", "not installed")

    rounds = await interleaved({"here": here, "absent": absent}, 2, lambda _: None)

    assert ["here", "absent", "here"] == asked
    assert {"absent": "not installed"} == rounds.absent
    assert [{"here": {"per_s": 1.0}}] * 2 == rounds.samples


async def test_a_sample_that_loses_messages_voids_the_bench() -> None:
    """It would look fast: it must not become a figure."""

    async def loses() -> Sample:
        raise Transient("bench.short", "3 messages were not acknowledged")

    with pytest.raises(Transient, match="not acknowledged"):
        await interleaved({"hub": loses}, 3, lambda _: None)


@pytest.mark.parametrize(
    ("target", "value", "verdict"),
    [
        (Target(0.35, 0.6), 0.34, "MISSED"),
        (Target(0.35, 0.6), 0.35, "good"),
        (Target(0.35, 0.6), 0.6, "aim reached"),
        (Target(120, 75, below=True), 121, "MISSED"),
        (Target(120, 75, below=True), 120, "good"),
        (Target(120, 75, below=True), 75, "aim reached"),
    ],
)
def test_a_target_is_reached_or_missed(target: Target, value: float, verdict: str) -> None:
    """The walls themselves count as reached, from either side."""
    assert verdict == target.verdict(value)


def test_a_cost_is_told_from_what_is_kept() -> None:
    """Others that keep 0.9 to 1.02 of their rate pay from -2 % to 10 %."""
    kept = Spread(0.95, 0.9, 1.02)

    cost = kept.mapped(lambda share: round((1 - share) * 100))

    assert Spread(5, -2, 10) == cost
