"""``shuniu lint``: what in the declarations would fail at run time. Exit 1 on an error.

It also tells whether the folder is what runs: that is no error, and known only where there are records.
"""

from __future__ import annotations

import sys
from dataclasses import asdict

import catalog.lint
import routes.lint
from schemas.texts import say
from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import console, guarded, print_json
from shuniu.releases import unlike_live
from shuniu.service_list import FED, TAKEN
from shuniu.settings_lint import lint_settings
from shuniu.site import read_site

__all__ = ["lint"]


def lint(*, as_json: AsJson = False) -> None:
    settings = settings_for()

    def find() -> list[dict[str, object]]:
        declarations = read_site(settings.site)
        of_catalogue = catalog.lint.lint(declarations.catalogue)
        of_routes = routes.lint.lint(declarations, fed=FED, taken=TAKEN)
        of_settings = lint_settings(declarations)
        return [
            *({**asdict(e), "zh": e.say("zh"), "en": e.say("en")} for e in of_catalogue),
            *(
                {**asdict(e), "zh": e.say("zh"), "en": e.say("en")}
                for e in (*of_routes, *of_settings)
            ),
        ]

    findings = guarded(find, as_json=as_json, lang=settings.lang)
    unlike = guarded(lambda: unlike_live(settings), as_json=as_json, lang=settings.lang)
    errors = [each for each in findings if each["severity"] == "error"]
    if as_json:
        print_json({"ok": not errors, "findings": findings, "differs_from_release": unlike})
    else:
        for each in findings:
            place = f"{each['file']}:{each['line']}" if each.get("file") else each.get("place", "")
            console.print(f"{place}: {each['severity']}: {each[settings.lang]}", highlight=False)
        console.print(f"{len(errors)} errors, {len(findings) - len(errors)} warnings")
        if unlike:
            console.print(say("release.differs", {"number": unlike}, settings.lang))
    sys.exit(1 if errors else 0)
