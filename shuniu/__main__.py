"""``python -m shuniu``: the same as the command ``shuniu``."""

from __future__ import annotations

from shuniu.cli import main

main()
