"""The catalogue's routes, for the composition root: pages, and the same as JSON under ``/api/``.

Speaks to   catalogue managers and applicants, through a browser; programs, through `api`
Not here    who somebody is: `catalog.pages.ports.Actors`
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute, Route

from catalog.pages.api import CatalogueApi
from catalog.pages.browse import BrowsePages
from catalog.pages.desk import PageDesk
from catalog.pages.documents import DocumentPages
from catalog.pages.drafts import DraftPages
from catalog.pages.elements import ElementPages
from catalog.pages.people import choose
from catalog.pages.review import ReviewPages
from catalog.pages.sharing import SharingPages
from catalog.pages.sheets import MOST_BYTES, UPLOAD, SheetPages
from web.shell import Link

__all__ = ["LINK", "catalogue_pages"]

LINK = Link(title="catalogue.title", url="/catalogue")


def catalogue_pages(desk: PageDesk) -> Sequence[BaseRoute]:
    """Serve them beside the console's, with the shell's middleware and handlers; `LINK` goes into the
    navigation."""
    browse, review, sharing = BrowsePages(desk), ReviewPages(desk), SharingPages(desk)
    sheets, elements, drafts = SheetPages(desk), ElementPages(desk), DraftPages(desk)
    desk.shell.take_files(UPLOAD, MOST_BYTES)
    post = ["POST"]
    return [
        Route("/catalogue", browse.search),
        Route("/catalogue/stock", browse.stock),
        Route("/catalogue/tasks", review.tasks),
        Route("/catalogue/actor", choose, methods=post),
        Route("/catalogue/draft", drafts.form),
        Route("/catalogue/draft", drafts.draft, methods=post),
        Route(UPLOAD, sheets.form),
        Route(UPLOAD, sheets.upload, methods=post),
        Route(f"{UPLOAD}/{{token}}", sheets.result),
        Route(f"{UPLOAD}/{{token}}", sheets.keep, methods=post),
        Route(f"{UPLOAD}/{{token}}/marked.xlsx", sheets.marked),
        Route("/catalogue/versions/act", review.act, methods=post),
        Route("/catalogue/versions/end", review.end_acceptance, methods=post),
        Route("/catalogue/elements/{name}", browse.element),
        Route("/catalogue/element-draft", elements.form),
        Route("/catalogue/element-draft", elements.register, methods=post),
        Route("/catalogue/resources/{name}", browse.resource),
        Route("/catalogue/resources/{name}/compare", browse.compare),
        Route("/catalogue/resources/{name}/apply", sharing.form),
        Route("/catalogue/resources/{name}/apply", sharing.apply, methods=post),
        Route("/catalogue/applications/{number}", sharing.application),
        Route("/catalogue/applications/{number}", sharing.decide, methods=post),
        Route("/catalogue/applications/{number}/amend", sharing.amend_form),
        Route("/catalogue/applications/{number}/amend", sharing.amend, methods=post),
        Route("/catalogue/grants/{number}", sharing.grant),
        Route("/catalogue/grants/{number}/secret", sharing.secret, methods=post),
        Route("/catalogue/grants/{number}/view.sql", sharing.view_script),
        Route("/catalogue/grants/{number}/revoke", sharing.revoke, methods=post),
        *DocumentPages(desk).routes(),
        *CatalogueApi(desk).routes(),
    ]
