"""The catalogue's pages over a real store and the reference site, on a real socket; no broker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.applications import Starlette

from catalog.lifecycle.people import Actor
from catalog.pages.app import LINK, catalogue_pages
from hub.crypto import Sm4Seal
from hub.plan import Plan
from hub.releases import apply, plan_of
from hub.store import Store
from shuniu.catalogue import CatalogueHub, build_catalogue
from shuniu.clock import now
from shuniu.service_list import MIGRATIONS
from shuniu.settings import Settings
from shuniu.site import release_texts, texts_of
from tests.records import shape
from tests.web.pages import serving
from web.shell import Shell

__all__ = ["SITE", "CatalogueSite", "served", "text_of"]

SITE = Path(__file__).parents[3] / "sites" / "reference"


@dataclass(frozen=True, slots=True)
class CatalogueSite:
    url: str
    hub: CatalogueHub
    folder: Path

    def person(self, name: str) -> Actor:
        """One of those whom the site declares."""
        return next(each for each in self.hub.desk.actors.choices if each.name == name)


def text_of(resource: str) -> str:
    return texts_of(SITE, "resources")[f"resources/{resource}.yaml"]


@cache
def _reference() -> tuple[Mapping[str, str], Plan]:
    """Its texts and what they say, which nobody changes: compiled once a process."""
    texts = release_texts(SITE)
    return texts, plan_of(texts)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[CatalogueSite]:
    """A hub's catalogue with the reference site as its first release."""
    settings = Settings.read({"SHUNIU_HOME": str(folder), "SHUNIU_SITE": str(SITE)})
    store = Store(settings.database_url)
    shape(store, MIGRATIONS)
    texts, plan = _reference()
    store.write_now(lambda c: apply(c, texts, plan, at=now(), by="test"))
    shell = Shell(clock=now)
    hub = build_catalogue(settings, store, Sm4Seal(bytes(16)), shell)
    hub.versions.releaser.know(1, plan)
    await hub.versions.adopt()
    app = Starlette(
        routes=[*catalogue_pages(hub.desk), *hub.door.routes(), *shell.routes((), (LINK,))],
        middleware=shell.middleware(),
        exception_handlers=shell.exception_handlers(),
    )
    async with serving(app) as (url, _):
        yield CatalogueSite(url, hub, folder)
        # Open pages listen to signals: without this the server would wait for them.
        shell.signals.close()
    store.close()
