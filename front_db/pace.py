"""How many rows make a page: fewer where pages take long, more where they are quick.

Units      seconds; rows
Promises   pure: the caller measures. A page that fails, or takes longer than wanted, is halved; two
           quick full ones in a row are doubled
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MOST_ROWS", "PageSize"]

# Of rows of 1 KB, the three pages of a bulk load that are under way take 160 MB.
MOST_ROWS = 16_000


@dataclass(slots=True)
class PageSize:
    """*rows*: the next page's size, between *least* and *most*; *wanted_s*: what a page may take."""

    most: int
    least: int = 10
    wanted_s: float = 2.0
    rows: int = 0
    _quick: int = 0

    def __post_init__(self) -> None:
        self.rows = self.rows or min(200, self.most)
        self.least = min(self.least, self.most)

    def took(self, seconds: float, rows: int) -> None:
        """A page of *rows* was read and handed on within *seconds*."""
        if seconds > self.wanted_s:
            self.failed()
            return
        self._quick = self._quick + 1 if rows >= self.rows and seconds < self.wanted_s / 4 else 0
        if self._quick == 2:
            self.rows, self._quick = min(self.most, self.rows * 2), 0

    def failed(self) -> None:
        """It took too long, or was not answered at all."""
        self.rows, self._quick = max(self.least, self.rows // 2), 0
