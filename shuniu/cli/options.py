"""Options that commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from shuniu.logs import set_up_logs
from shuniu.settings import Settings

__all__ = ["AsJson", "settings_for"]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def settings_for() -> Settings:
    settings = Settings.read()
    set_up_logs(settings.log_level)
    return settings
