"""``shuniu front-db``: exchange tables for a partner's database: script, self-check, state, upkeep.

Form       ``--system S``: the tables of its profile; or ``--resource R`` with ``--url``: the
           standard tables of a resource
Promises   ``ddl``, ``profile`` and ``triggers`` ask no database; ``check`` changes nothing of the partner's;
           ``purge`` takes away only what is at an end
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from io import StringIO
from typing import Annotated, Any

import typer
from ruamel.yaml import YAML

from front_db.contract import NAME, ExchangeTable, Keeps
from front_db.ddl import drop_script, script
from front_db.parents import parents_first, references
from front_db.selfcheck import self_check
from front_db.triggers import Watched, drop_triggers, trigger_script
from front_db.upkeep import purge_receipts, purge_table
from schemas.errors import Rejected
from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import guarded, print_json, print_table
from shuniu.front_db import Target, in_one, standard_tables, target_of
from shuniu.instance import Instance
from shuniu.settings import Settings
from shuniu.site import read_site

__all__ = ["Side", "app", "check", "ddl", "profile", "purge", "target_for", "triggers"]

app = typer.Typer(help="Exchange tables (front-end databases).", no_args_is_help=True)


class Side(StrEnum):
    OUT = "out"
    IN = "in"
    BOTH = "both"


Resources = Annotated[
    list[str] | None, typer.Option("--resource", help="Of which resource; may be repeated.")
]
Sides = Annotated[Side, typer.Option("--side", help="out: the partner writes; in: it reads; both.")]
Shape = Annotated[
    Keeps, typer.Option("--keeps", help="every: a row a change; latest: a row a business key.")
]
System = Annotated[str, typer.Option("--system", help="The tables of this system's profile.")]
Url = Annotated[
    str,
    typer.Option(
        "--url",
        envvar="SHUNIU_FRONT_DB_URL",
        show_envvar=True,
        help="Database, as SQLAlchemy writes it, or address://….",
    ),
]


@app.command("ddl")
def ddl(
    *,
    dialect: Annotated[
        str,
        typer.Option(
            help="postgresql, mariadb, mysql, sqlite, kingbase, opengauss, dm, oracle, mssql."
        ),
    ],
    resource: Resources = None,
    side: Sides = Side.OUT,
    keeps: Shape = Keeps.EVERY,
    alone: Annotated[
        bool, typer.Option("--alone", help="Without the tables beside it: they are there already.")
    ] = False,
    drop: Annotated[bool, typer.Option("--drop", help="The script that takes them away.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the script that creates exchange tables, commented in Chinese."""
    settings = settings_for()

    def made() -> tuple[list[ExchangeTable], str]:
        tables = _tables(settings, resource, keeps, side)
        return tables, drop_script(tables, dialect) if drop else script(
            tables, dialect, alone=alone
        )

    tables, said = guarded(made, as_json=as_json, lang=settings.lang)
    if as_json:
        names = [each.name for each in tables]
        print_json({"ok": True, "dialect": dialect, "tables": names, "script": said})
    else:
        print(said, end="")


@app.command("profile")
def profile(
    *,
    resource: Resources = None,
    side: Sides = Side.OUT,
    keeps: Shape = Keeps.EVERY,
    as_json: AsJson = False,
) -> None:
    """Print the tables as a system's profile declares them (``settings: tables:``)."""
    settings = settings_for()
    tables = guarded(
        lambda: _tables(settings, resource, keeps, side), as_json=as_json, lang=settings.lang
    )
    told = [each.model_dump(mode="json", exclude_defaults=True) for each in tables]
    if as_json:
        print_json({"ok": True, "tables": told})
        return
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.allow_unicode, yaml.width = False, True, 1000
    yaml.sort_base_mapping_type_on_output = False
    text = StringIO()
    yaml.dump({"tables": told}, text)
    print(text.getvalue(), end="")


@app.command("triggers")
def triggers(
    *,
    dialect: Annotated[
        str, typer.Option(help="postgresql, mariadb, mysql, sqlite, kingbase, opengauss.")
    ],
    resource: Annotated[str, typer.Option("--resource", help="Of which resource.")],
    table: Annotated[str, typer.Option("--table", help="The partner's own table.")],
    key: Annotated[str, typer.Option("--key", help="Its column that is the business key.")],
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="enterprise_name=qymc: our column and theirs; repeated."),
    ] = None,
    drop: Annotated[bool, typer.Option("--drop", help="The script that takes them away.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print triggers with which a partner's own table fills the exchange table by itself."""
    settings = settings_for()

    def made() -> str:
        (out,) = _tables(settings, [resource], Keeps.EVERY, Side.OUT)
        if drop:
            return drop_triggers(out, dialect)
        pairs = dict(_pair(each) for each in column or ())
        for name in (table, key, *pairs.values()):
            if not re.fullmatch(NAME, name):
                raise Rejected("front-db.name", "Not a name of a column", found=name[:64])
        return trigger_script(Watched(table, key, pairs), out, dialect)

    said = guarded(made, as_json=as_json, lang=settings.lang)
    if as_json:
        print_json({"ok": True, "dialect": dialect, "script": said})
    else:
        print(said, end="")


def _pair(told: str) -> tuple[str, str]:
    ours, _, theirs = told.partition("=")
    return ours, theirs


@app.command("check")
def check(
    *,
    system: System = "",
    resource: Resources = None,
    url: Url = "",
    side: Sides = Side.OUT,
    keeps: Shape = Keeps.EVERY,
    as_json: AsJson = False,
) -> None:
    """Check a partner's database: tables, columns, grants, index, characters, clock. Exit 1 on FAIL."""
    settings = settings_for()
    target = target_for(settings, system, resource, url, side, keeps, as_json=as_json)
    found = guarded(
        lambda: in_one(
            target,
            lambda connection: self_check(connection, target.tables, target.beside, target.at),
        ),
        as_json=as_json,
        lang=settings.lang,
    )
    failed = any(each.result == "FAIL" for each in found)
    if as_json:
        items = [
            {
                "item": each.item,
                "result": each.result,
                "code": each.code,
                "zh": each.say("zh"),
                "en": each.say("en"),
            }
            for each in found
        ]
        print_json({"ok": not failed, "checks": items})
    else:
        print_table(("item", "result"), [(each.item, each.result) for each in found])
        for each in found:
            if each.code:
                # Not in the table: a Chinese sentence has no blanks, and would be cut there.
                print(f"{each.item}: {each.say(settings.lang)}")
    sys.exit(1 if failed else 0)


@app.command("purge")
def purge(
    *,
    older_than: Annotated[str, typer.Option("--older-than", help="Days, as 90d.")] = "90d",
    system: System = "",
    resource: Resources = None,
    url: Url = "",
    side: Sides = Side.OUT,
    keeps: Shape = Keeps.EVERY,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take away rows and receipts that came to an end so long ago; what waits or is refused stays."""
    settings = settings_for()
    target = target_for(settings, system, resource, url, side, keeps, as_json=as_json)

    def purged() -> dict[str, int]:
        before = target.at - _days(older_than)
        standard = {each.described.name: each for each in target.tables if each.described.standard}
        gone = dict.fromkeys(standard, 0)
        refers = in_one(target, lambda connection: references(connection, list(standard)))
        for each in [standard[name] for name in reversed(parents_first(list(standard), refers))]:
            gone[each.described.name] = _all(
                target,
                lambda connection, each=each: purge_table(  # type: ignore[misc] # as above
                    connection, each.described, each.table, before, only_count=dry_run
                ),
                once=dry_run,
            )
        if standard:
            gone["xch_receipt"] = _all(
                target,
                lambda connection: purge_receipts(
                    connection, target.beside, before, only_count=dry_run
                ),
                once=dry_run,
            )
        return gone

    gone = guarded(purged, as_json=as_json, lang=settings.lang)
    if as_json:
        print_json({"ok": True, "dry_run": dry_run, "rows": gone})
    else:
        print_table(("table", "rows"), list(gone.items()))


def _all(target: Target, page: Callable[[Any], int], *, once: bool) -> int:
    """Pages of a transaction each, until there is none."""
    total = count = in_one(target, page)
    while count and not once:
        count = in_one(target, page)
        total += count
    return total


def _days(told: str) -> timedelta:
    number = told.removesuffix("d")
    if not number.isdecimal():
        raise Rejected("cli.moment", "Not a number of days", found=told[:40])
    return timedelta(days=int(number))


def _tables(
    settings: Settings, resource: list[str] | None, keeps: Keeps, side: Side
) -> list[ExchangeTable]:
    catalogue = read_site(settings.site).catalogue
    return standard_tables(catalogue, resource or list(catalogue.resources), keeps, side)


def target_for(
    settings: Settings,
    system: str,
    resource: list[str] | None,
    url: str,
    side: Side,
    keeps: Keeps,
    *,
    as_json: bool,
) -> Target:
    """The tables that the options name; where they name none, the command ends with what to do."""
    return guarded(
        lambda: target_of(
            Instance.of(settings),
            system=system,
            resources=resource or (),
            keeps=keeps,
            sides=side,
            url=url,
        ),
        as_json=as_json,
        lang=settings.lang,
    )
