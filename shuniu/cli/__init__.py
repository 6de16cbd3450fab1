"""The command line (design §6): one module a command, each with ``--json``."""

from __future__ import annotations

import typer

from shuniu.cli import (
    audit,
    demo,
    doctor,
    failures,
    lint,
    replay,
    routes,
    run,
    simulate,
    test,
    trace,
)

__all__ = ["app", "main"]

app = typer.Typer(
    name="shuniu",
    help="枢纽 Shuniu: a message hub for government systems.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run", help="Run the hub: all roles, or some of many.")(run.run)
app.command("demo", help="The main job on generated cases, with simulated partners.")(demo.demo)
app.command("simulate", help="Run the simulated partner systems alone.")(simulate.simulate)
app.command("doctor", help="Check broker, database, clock, calendar, profiles.")(doctor.doctor)
app.command("lint", help="Check the declarations.")(lint.lint)
app.command("test", help="Run the examples kept beside the declarations.")(test.test)
app.command("trace", help="All that happened to a message, case or application.")(trace.trace)
app.command("replay", help="Recorded messages sent once more.")(replay.replay)
app.add_typer(audit.app, name="audit")
app.add_typer(failures.app, name="failures")
app.add_typer(routes.app, name="routes")


def main() -> None:
    app()
