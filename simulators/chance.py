"""Chance that repeats: the same words always give the same draws, in every process and version.

Not here   anything secret: such draws can be foretold, which is their purpose
"""

from __future__ import annotations

import random

__all__ = ["chance"]


def chance(*words: str | int) -> random.Random:
    """A generator of its own for *words*, e.g. a seed, a case and what is drawn for it."""
    return random.Random("/".join(map(str, words)))  # noqa: S311 - cases are made up, not kept safe
