"""What supervision keeps: the dates of each case, and the card it has been given; no person's name."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, Integer, MetaData, String, Table

__all__ = ["cards", "cases", "metadata"]

metadata = MetaData()

cases = Table(
    "supervision_cases",
    metadata,
    Column("case_no", String(50), primary_key=True),
    Column("kept", JSON, nullable=False),
    Column("open", Integer, nullable=False),  # 1 while a card may still come by time alone
    # The day, rules and calendar it was last judged by.
    Column("judged", String(200), nullable=False, server_default=""),
    Index("supervision_cases_open", "open", "judged"),
)

cards = Table(
    "supervision_cards",
    metadata,
    Column("case_no", String(50), primary_key=True),
    Column("colour", String(8), nullable=False),
    Column("rule", String(64), nullable=False),
    Column("facts", JSON, nullable=False),
    Column("task_name", String(200), nullable=False),
    Column("org", String(100), nullable=False),
    Column("region", String(6), nullable=False),
    Column("since", String(32), nullable=False),  # ISO, UTC
    Index("supervision_cards_colour", "colour", "since"),
)
