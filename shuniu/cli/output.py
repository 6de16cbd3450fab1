"""What commands print: for people a table or a sentence, with ``--json`` one JSON document.

Form       exit codes: 0 done, 1 found something wrong, 65 bad data, 70 our bug, 75 try again,
           78 wrong configuration (sysexits.h)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import orjson
from rich.console import Console
from rich.table import Table

from hub.recover import faults_of
from schemas.declarations import InvalidDeclaration
from schemas.errors import HubError, Misconfigured, Rejected, Transient
from schemas.texts import say

__all__ = ["console", "fail", "guarded", "print_json", "print_table"]

T = TypeVar("T")
EXIT = {Transient: 75, Rejected: 65, Misconfigured: 78}
# Column names are a subclass of text, which JSON keys else may not be.
OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
console = Console()


def print_json(document: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(document, option=OPTIONS, default=str))
    sys.stdout.buffer.write(b"\n")
    sys.stdout.flush()


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "") -> None:
    """What is too wide goes on in the next line: a Chinese sentence has no blanks to break at, and by
    rich's own choice would be cut."""
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console.print(table)


def guarded(work: Callable[[], T], *, as_json: bool, lang: str) -> T:
    """Run *work*; an error of ours ends the command with a sentence to act on."""
    try:
        return work()
    except HubError as error:
        fail(error, as_json=as_json, lang=lang)
    except BaseExceptionGroup as group:
        ours, _ = group.split(HubError)
        if ours is None:
            raise
        fail(_first(ours), as_json=as_json, lang=lang)


def fail(error: HubError, *, as_json: bool, lang: str) -> NoReturn:
    problems = error.problems if isinstance(error, InvalidDeclaration) else ()
    told = [
        {
            "code": fault.code,
            "at": fault.at,
            "facts": fault.facts,
            "zh": say(fault.code, fault.facts, "zh"),
            "en": say(fault.code, fault.facts, "en"),
        }
        for fault in faults_of(error)
    ]
    if as_json:
        print_json({"ok": False, "errors": told, "problems": [str(p) for p in problems]})
    else:
        for each in told:
            print(f"{each[lang]}  [{each['code']}]", file=sys.stderr)
        for problem in problems:
            print(f"  {problem}", file=sys.stderr)
    sys.exit(next(code for kind, code in EXIT.items() if isinstance(error, kind)))


def _first(group: BaseExceptionGroup[HubError]) -> HubError:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            return _first(error)
        return error
    raise group
