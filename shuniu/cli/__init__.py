"""The command line (design §6): one module a command, each with ``--json``.

Only the module of the command that is asked for is imported: all of them together take a second.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import typer

__all__ = ["COMMANDS", "GROUPS", "app_for", "main"]

# Command → what it does; its module has the same name and a function of that name.
COMMANDS = {
    "run": "Run the hub: all roles, or some of many.",
    "demo": "The main job on generated cases, with simulated partners.",
    "simulate": "Run the simulated partner systems alone.",
    "doctor": "Check broker, database, clock, calendar, profiles.",
    "kit": "A partner's kit: guide, DDL, code, test data.",
    "lint": "Check the declarations.",
    "test": "Run the examples kept beside the declarations.",
    "trace": "All that happened to a message, case or application.",
    "replay": "Recorded messages sent once more.",
    "reconcile": "Both sides compared for a day; repair what is missing.",
}
# Commands with commands of their own: the `app` of the module of that name, to which the modules
# beside it add theirs.
GROUPS: dict[str, tuple[str, ...]] = {
    "audit": (),
    "catalog": (),
    "failures": (),
    "front-db": ("front_db_state", "capture", "load", "share"),
    "keys": (),
    "routes": (),
}


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """What can run *arguments*: the command that they name alone, or else all."""
    app = typer.Typer(
        name="shuniu",
        help="枢纽 Shuniu: a message hub for government systems.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    # Without it Typer takes an only command for the program itself.
    app.callback()(_group)
    known = (*COMMANDS, *GROUPS)
    named = arguments[0] if arguments and arguments[0] in known else None
    for name in known if named is None else [named]:
        module = import_module(f"shuniu.cli.{name.replace('-', '_')}")
        if name in GROUPS:
            for more in GROUPS[name]:
                import_module(f"shuniu.cli.{more}")
            app.add_typer(module.app, name=name)
        else:
            app.command(name, help=COMMANDS[name])(getattr(module, name))
    return app


def _group() -> None:
    """枢纽 Shuniu: a message hub for government systems."""


def main() -> None:
    app_for(sys.argv[1:])()
