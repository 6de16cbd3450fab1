"""``shuniu doctor``: checks all that the hub needs and says what to do. Exit 1 when ill."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict

from schemas.texts import say
from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import guarded, print_json, print_table
from shuniu.doctor import examine
from shuniu.instance import Instance

__all__ = ["doctor"]


def doctor(*, as_json: AsJson = False) -> None:
    settings = settings_for()
    instance = Instance.of(settings)
    checks = guarded(lambda: asyncio.run(examine(instance)), as_json=as_json, lang=settings.lang)
    ill = [check for check in checks if check.fault]
    if as_json:
        told = [
            {
                **asdict(check),
                "ok": check.fault is None,
                **(
                    {lang: say(check.fault.code, check.fault.facts, lang) for lang in ("zh", "en")}
                    if check.fault
                    else {}
                ),
            }
            for check in checks
        ]
        print_json({"ok": not ill, "checks": told})
    else:
        print_table(
            ("", "check", "found", "ms"),
            [
                (
                    "[red]✗[/red]" if check.fault else "[green]✓[/green]",
                    check.name,
                    say(check.fault.code, check.fault.facts, settings.lang)
                    if check.fault
                    else check.shown,
                    check.took_ms,
                )
                for check in checks
            ],
        )
    sys.exit(1 if ill else 0)
