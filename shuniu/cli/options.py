"""Options that commands share."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import typer

from schemas.errors import Rejected
from shuniu.logs import set_up_logs
from shuniu.settings import Settings

__all__ = ["AsJson", "moment", "settings_for"]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def moment(told: str, at: datetime) -> datetime:
    """ISO 8601, in this machine's zone where none is told; or ``30m``, ``2h``, ``7d`` before *at*."""
    if told[:-1].isdecimal() and told[-1:] in UNITS:
        return at - timedelta(**{UNITS[told[-1]]: int(told[:-1])})
    try:
        return datetime.fromisoformat(told).astimezone(at.tzinfo)
    except ValueError as error:
        raise Rejected("cli.moment", "Not a moment", found=told[:40]) from error


def settings_for() -> Settings:
    settings = Settings.read()
    set_up_logs(settings.log_level)
    return settings
