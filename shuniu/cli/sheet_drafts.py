"""``shuniu catalog import --as-draft``: a spreadsheet's resources into the life cycle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from catalog.lifecycle.people import Actor
from catalog.pages.importing import Imported, import_drafts
from schemas.errors import Misconfigured
from shuniu.catalogue import build_catalogue
from shuniu.clock import now
from shuniu.instance import Instance, open_store
from shuniu.releases import live_at_start
from shuniu.settings import Settings
from web.shell import Shell

__all__ = ["drafted"]


async def drafted(settings: Settings, file: Path, name: str, *, dry_run: bool) -> Imported:
    """
    The changed resources of *file* as drafts of the person called *name*.

    Raises `Misconfigured` (``catalog.unknown-person``), and what `import_drafts` raises.
    """
    instance, store = Instance.of(settings), open_store(settings)
    try:
        live_at_start(instance, store, apply_site=False)
        hub = build_catalogue(settings, store, instance.seal(), Shell(clock=now))
        await hub.versions.adopt()
        actor = _person(hub.desk.actors.choices, name)
        content = file.read_bytes()
        return await import_drafts(content, hub.desk.registry, hub.versions, actor, dry_run=dry_run)
    finally:
        store.close()


def _person(people: Sequence[Actor], name: str) -> Actor:
    if not name:
        known = " ".join(each.name for each in people)
        raise Misconfigured("catalog.whose-drafts", "Nobody is named", known=known)
    found = next((each for each in people if each.name == name), None)
    if found is None:
        known = " ".join(each.name for each in people)
        raise Misconfigured("catalog.unknown-person", "No such person", name=name, known=known)
    return found
