"""``shuniu audit verify``: is the ledger as it was written? Exit 1 where a chain is broken."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import typer

from hub.audit import Break, Verdict, verify
from schemas.texts import say
from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import guarded, print_json, print_table
from shuniu.instance import open_store
from shuniu.settings import Settings

__all__ = ["app", "verify_ledger"]

app = typer.Typer(help="Tamper-evidence of the ledger.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Tamper-evidence of the ledger."""


@app.command("verify")
def verify_ledger(*, as_json: AsJson = False) -> None:
    """Follow every chain; name each row that was changed, removed, added or moved."""
    settings = settings_for()
    verdicts = guarded(lambda: _verdicts(settings), as_json=as_json, lang=settings.lang)
    whole = all(verdict.whole for verdict in verdicts)
    if as_json:
        print_json({"ok": whole, "partitions": [_shown(each, settings.lang) for each in verdicts]})
    else:
        print_table(
            ("partition", "state", "rows", "breaks", "said"),
            [
                (v.partition, v.state, v.rows, v.break_count, _said(v, settings.lang))
                for v in verdicts
            ],
        )
    raise typer.Exit(0 if whole else 1)


def _verdicts(settings: Settings) -> list[Verdict]:
    store = open_store(settings)
    try:
        return list(verify(store))
    finally:
        store.close()


def _shown(verdict: Verdict, lang: str) -> dict[str, Any]:
    told = asdict(verdict)
    for shown, found in zip(told["breaks"], verdict.breaks, strict=True):
        shown["text"] = _sentence(found, lang)
    return told


def _said(verdict: Verdict, lang: str) -> str:
    return "\n".join(_sentence(each, lang) for each in verdict.breaks[:20])


def _sentence(found: Break, lang: str) -> str:
    return say(found.what, {"seq": found.seq, "last": found.last, "key": found.key}, lang)
