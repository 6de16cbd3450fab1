"""What a retry job does next: send, claim, wait, go on, stop, or end. Decided here, without I/O.

Form       a job goes by steps: first a few canaries, then batches of `BATCH_ROWS`; each step is judged
           by the share of it that failed, before the next one begins
Units      seconds; shares from 0 to 1
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.errors import Rejected

__all__ = [
    "BATCH_ROWS",
    "CANARIES",
    "Claim",
    "Done",
    "Move",
    "Next",
    "Policy",
    "Send",
    "Stop",
    "Tally",
    "Wait",
    "chunk_rows",
    "decide",
]

BATCH_ROWS = 1000
CHUNK_ROWS, CHUNK_S = 100, 0.25
CANARIES = (1, 10, 100)
MOST_STEPS, MOST_PACE, LONGEST_STEP_S = 20, 10_000.0, 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How careful a job is. *steps*: rows in each of the first steps, the rest goes in batches.
    *pace_per_s*: rows a second, 0 without bound. *stop_share*: it stops where more than this share
    of a step fails, or has no outcome *step_timeout_s* after it was sent; 1 never stops, and with a
    time-out of 0 it does not wait for outcomes either."""

    steps: tuple[int, ...] = CANARIES
    pace_per_s: float = 0.0
    stop_share: float = 0.2
    step_timeout_s: float = 300.0

    @classmethod
    def at_once(cls) -> Policy:
        """A person retries what they see: no canaries, no brake."""
        return cls(steps=(), stop_share=1.0, step_timeout_s=0.0)

    def checked(self) -> Policy:
        """Raises `Rejected` (``retry.policy``) with every value that cannot be."""
        bad = [
            name
            for name, good in (
                ("steps", len(self.steps) <= MOST_STEPS and _counts(self.steps)),
                ("pace_per_s", 0 <= self.pace_per_s <= MOST_PACE),
                ("stop_share", 0 <= self.stop_share <= 1),
                ("step_timeout_s", 0 <= self.step_timeout_s <= LONGEST_STEP_S),
            )
            if not good
        ]
        if bad:
            raise Rejected("retry.policy", "A retry cannot go by this", wrong=", ".join(bad))
        return self

    def quota(self, step: int) -> int:
        """How many rows step number *step* (from 0) has at most."""
        return self.steps[step] if step < len(self.steps) else BATCH_ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The rows of the present step by state; *pinned* are those of no step yet. *waited_s*: since
    the last of the step was sent."""

    pinned: int = 0
    claimed: int = 0
    sent: int = 0
    done: int = 0
    failed: int = 0
    waited_s: float = 0.0

    @property
    def in_step(self) -> int:
        return self.claimed + self.sent + self.done + self.failed


@dataclass(frozen=True, slots=True)
class Send:
    """What is claimed."""


@dataclass(frozen=True, slots=True)
class Claim:
    """So many more rows belong to this step."""

    rows: int


@dataclass(frozen=True, slots=True)
class Wait:
    """For outcomes."""


@dataclass(frozen=True, slots=True)
class Next:
    """The step was good enough."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Too much of the step failed, and more would follow."""

    share: float


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to send, and what was sent is known or overdue."""


Move = Send | Claim | Wait | Next | Stop | Done


def decide(policy: Policy, step: int, tally: Tally) -> Move:
    quota = policy.quota(step)
    whole = max(tally.in_step, min(quota, tally.in_step + tally.pinned))
    left = tally.pinned + tally.claimed
    # As soon as it is certain: what has failed already is too much of the whole step.
    if left and whole and tally.failed / whole > policy.stop_share:
        return Stop(tally.failed / whole)
    if tally.claimed:
        return Send()
    if tally.pinned and tally.in_step < quota:
        return Claim(min(quota - tally.in_step, BATCH_ROWS))
    # Without a brake, only the end is waited for.
    brakes = policy.stop_share < 1
    overdue = tally.waited_s >= policy.step_timeout_s
    if tally.sent and not overdue and (brakes or not tally.pinned):
        return Wait()
    if not tally.pinned:
        return Done()
    ended = tally.sent + tally.done + tally.failed
    share = (tally.sent + tally.failed) / ended if ended else 0.0
    return Stop(share) if share > policy.stop_share else Next()


def chunk_rows(policy: Policy) -> int:
    """How many rows are sent together: a quarter of a second's worth."""
    if not policy.pace_per_s:
        return CHUNK_ROWS
    return max(1, min(CHUNK_ROWS, int(policy.pace_per_s * CHUNK_S)))


def _counts(steps: Sequence[int]) -> bool:
    return all(1 <= each <= BATCH_ROWS for each in steps)
