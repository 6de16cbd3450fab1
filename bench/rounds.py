"""Interleaved repeats of variants, and what may be said of them: medians with their spread.

Promises   every round takes each variant once, the order rotated, so that a slow minute of the
           machine meets all alike; a ratio is formed within a round, and its median is told
Careful    a variant that is not to be had here (`Misconfigured`) is left out with its reason; one
           that loses a message, or gives a wrong one, fails the whole bench
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from schemas.errors import Misconfigured

__all__ = ["Rounds", "Sample", "Spread", "interleaved", "rotated"]

Sample = Mapping[str, float]
"""Figures of one run of one variant, by name with unit, e.g. ``per_s``, ``cpu_us``."""
Sampler = Callable[[], Awaitable[Sample]]


@dataclass(frozen=True, slots=True)
class Spread:
    """A median, and the least and the greatest of what was seen."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))

    def mapped(self, change: Callable[[float], float]) -> Spread:
        """Each of the three changed; *change* may turn their order round."""
        least, most = sorted((change(self.least), change(self.most)))
        return Spread(change(self.median), least, most)


@dataclass(slots=True)
class Rounds:
    """Samples by round and variant; *absent*: why a variant was left out."""

    samples: list[dict[str, Sample]] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)

    def figure(self, variant: str, name: str) -> Spread | None:
        """What *variant* showed of the figure *name*; None where it never did."""
        seen = [
            sample[name]
            for taken in self.samples
            if (sample := taken.get(variant)) and name in sample
        ]
        return Spread.of(seen) if seen else None

    def ratio(self, above: str, below: str, name: str = "per_s") -> Spread | None:
        """*above* to *below*, formed round by round; None where no round has both."""
        seen = [
            taken[above][name] / taken[below][name]
            for taken in self.samples
            if above in taken and below in taken and taken[below].get(name)
        ]
        return Spread.of(seen) if seen else None

    def quotient(self, variant: str, above: str, below: str) -> Spread | None:
        """Two figures of one sample, the one to the other."""
        seen = [
            taken[variant][above] / taken[variant][below]
            for taken in self.samples
            if variant in taken
        ]
        return Spread.of(seen) if seen else None


def rotated(names: Sequence[str], n: int) -> list[str]:
    """*names*, begun at the *n*-th."""
    at = n % len(names) if names else 0
    return [*names[at:], *names[:at]]


async def interleaved(
    variants: Mapping[str, Sampler], repeats: int, told: Callable[[str], None]
) -> Rounds:
    """Take each variant *repeats* times. *told* hears one line a sample."""
    rounds = Rounds()
    for n in range(repeats):
        taken: dict[str, Sample] = {}
        for name in rotated(list(variants), n):
            if name in rounds.absent:
                continue
            try:
                sample = await variants[name]()
            except Misconfigured as error:
                rounds.absent[name] = error.summary
                told(f"{name}: left out: {error.summary}")
                continue
            taken[name] = sample
            shown = ", ".join(f"{key} {value:,.0f}" for key, value in sample.items())
            told(f"{n + 1}/{repeats} {name}: {shown}")
        rounds.samples.append(taken)
    return rounds
