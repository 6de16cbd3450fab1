"""``shuniu test``: runs the examples kept beside the declarations. Exit 1 when one fails."""

from __future__ import annotations

import sys
from dataclasses import asdict

from routes.examples import run as run_examples
from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import console, guarded, print_json
from shuniu.site import read_site

__all__ = ["test"]


def test(*, as_json: AsJson = False) -> None:
    settings = settings_for()
    outcomes = guarded(
        lambda: run_examples(read_site(settings.site)), as_json=as_json, lang=settings.lang
    )
    failed = [each for each in outcomes if not each.passed]
    if as_json:
        print_json(
            {
                "ok": not failed,
                "examples": len(outcomes),
                "failed": [asdict(each) for each in failed],
            }
        )
    else:
        for each in failed:
            console.print(f"[red]failed[/red] {each.declaration}: {each.example}", highlight=False)
            for difference in each.differences:
                console.print(f"    {difference}", highlight=False, markup=False)
        console.print(f"{len(outcomes) - len(failed)} examples passed, {len(failed)} failed")
    sys.exit(1 if failed or not outcomes else 0)
