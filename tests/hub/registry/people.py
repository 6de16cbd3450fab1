"""Who acts in the tests of the registry, and by which terms."""

from __future__ import annotations

from pathlib import Path

from catalog.lifecycle.people import Actor, Role
from catalog.lifecycle.steps import Limits, Terms
from schemas.calendar import read_calendars

__all__ = ["APPLICANT", "AUTHORITY", "EDITOR", "REVIEWER", "TERMS", "UNIT"]

FOLDER = Path(__file__).parents[3] / "sites/reference/calendars"
CALENDAR = read_calendars({p.name: p.read_text("utf-8") for p in sorted(FOLDER.glob("*.yaml"))})
TERMS = Terms(Limits(), CALENDAR)
UNIT = "市行政审批局"
EDITOR = Actor("赵", UNIT, frozenset({Role.EDITOR}))
REVIEWER = Actor("钱", UNIT, frozenset({Role.UNIT_REVIEWER}))
AUTHORITY = Actor("孙", "市数据局", frozenset({Role.AUTHORITY}))
APPLICANT = Actor("李", "市消防支队", frozenset({Role.EDITOR}))
