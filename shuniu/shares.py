"""Grants by way of a database, as command, page and hub meet them: scripts, and a database in line.

Careful    secrets are read here and go into a verifier (`shuniu.granted_views`), nowhere else
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, MetaData

from catalog.lifecycle.kept import ACTIVE, Grant
from catalog.model import Catalogue
from front_db.beside import beside
from hub.crypto import Seal
from hub.registry import grant_rows
from hub.registry.grant_secrets import secrets_of
from hub.releases import live_number, loaded, plan_of
from hub.store import Store
from schemas.errors import Misconfigured, Rejected
from shuniu.front_db import Target, in_one
from shuniu.granted_views import WAYS, Over, bring_in_line, ending, granting

__all__ = ["database_in_line", "share_script"]


def share_script(
    store: Store, seal: Seal, number: str, *, dialect: str, over: Over, end: bool, at: datetime
) -> str:
    """What a database's administrator runs for a grant, or at its end. Raises `Rejected` where there
    is no such grant, it is over, or it is of another way."""
    held = store.read_now(lambda c: grant_rows.grant(c, number))
    if held.way not in WAYS:
        raise Rejected("share.way", "Not a grant by way of a database", number=number)
    if end:
        return _script(ending(number, dialect))
    secrets = store.read_now(lambda c: secrets_of(c, number, seal, at))
    if held.state != ACTIVE or held.ends <= at or not secrets:
        raise Rejected("grant.over", "It is over already", number=number)
    catalogue = store.read_now(_catalogue)
    resource = catalogue.resources.get(held.resource)
    if resource is None:
        raise Rejected("lifecycle.no-resource", "No such resource", resource=held.resource)
    made = granting(held, resource, catalogue, secret=secrets[0], dialect=dialect, over=over)
    return _script(made)


def database_in_line(
    store: Store, seal: Seal, url: str, *, over: Over, at: datetime
) -> tuple[list[str], list[str]]:
    """Views and accounts in the database at *url* as the grants say: the numbers of those granted
    there, and of those ended. Raises one of the three kinds."""

    def known(connection: Connection) -> tuple[list[tuple[Grant, str]], Catalogue]:
        held = [
            (each, secrets[0])
            for each in grant_rows.grants(connection, state=ACTIVE)
            if each.way in WAYS and (secrets := secrets_of(connection, each.number, seal, at))
        ]
        return held, _catalogue(connection)

    grants, catalogue = store.read_now(known)
    target = Target(url, (), beside(MetaData()))
    return in_one(target, lambda c: bring_in_line(c, grants, catalogue, at=at, over=over))


def _catalogue(connection: Connection) -> Catalogue:
    number = live_number(connection)
    if number is None:
        raise Misconfigured("share.no-release", "Nothing is live yet")
    return plan_of(loaded(connection, number).texts).declarations.catalogue


def _script(statements: list[str]) -> str:
    return ";\n\n".join(statements) + ";\n"
