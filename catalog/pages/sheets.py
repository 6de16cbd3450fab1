"""The official spreadsheet on the pages: uploaded, checked, given back marked, confirmed.

The import is the one of `catalog.pages.importing`: what is shown is its dry run, with what is live at that
moment, and what is confirmed the same file again. The file waits in `Uploads`, so that any process may show
and confirm it.

Promises   nothing is drafted before somebody confirms; one file is read at a time, since a spreadsheet takes
           many times its size
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from catalog.lifecycle.people import Role, must_be
from catalog.model import Catalogue
from catalog.pages.desk import PageDesk
from catalog.pages.importing import Imported, import_drafts
from catalog.sheet.mark import mark_sheet
from catalog.sheet.read import read_sheet
from schemas.errors import Fault, Rejected
from web.language import language_of
from web.shell import file_of

__all__ = ["MOST_BYTES", "UPLOAD", "SheetPages"]

UPLOAD = "/catalogue/import"
MOST_BYTES = 5_000_000
MOST_SHOWN = 500
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(slots=True)
class SheetPages:
    """Endpoints over a `PageDesk`."""

    desk: PageDesk
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def form(self, request: Request) -> Response:
        return self._form(request)

    async def upload(self, request: Request) -> Response:
        """Check it, and show what would be made of it."""
        actor, file = self.desk.actors.of(request), file_of(request)
        must_be(actor, Role.EDITOR)
        if file is None:
            return self._form(request, Fault("catalogue.import.none"))
        content = await file.read()
        try:
            await self._imported(request, content, dry_run=True)
        except Rejected as error:
            return self._form(request, *error.faults)
        token = await self.desk.uploads.put(actor.name, content, self.desk.shell.clock())
        return RedirectResponse(f"{UPLOAD}/{token}", 303)

    async def result(self, request: Request) -> Response:
        content = await self._waiting(request)
        if content is None:
            return self._gone(request)
        return self._shown(request, await self._imported(request, content, dry_run=True))

    async def keep(self, request: Request) -> Response:
        """Make the drafts; the same path once more, with what is live now."""
        content = await self._waiting(request)
        if content is None:
            return self._gone(request)
        done = await self._imported(request, content, dry_run=False)
        if done.kept:
            await self.desk.uploads.drop(request.path_params["token"])
            self.desk.shell.signals.announce("catalogue")
        return self._shown(request, done)

    async def marked(self, request: Request) -> Response:
        """The file with what is wrong in it."""
        content = await self._waiting(request)
        if content is None:
            return self._gone(request)
        catalogue, lang = await self.desk.registry.catalogue(), language_of(request)
        async with self._turn:
            made = await asyncio.to_thread(_marked, content, catalogue, lang)
        named = {"content-disposition": 'attachment; filename="marked.xlsx"'}
        return Response(made, headers=named, media_type=XLSX)

    async def _imported(self, request: Request, content: bytes, *, dry_run: bool) -> Imported:
        desk = self.desk
        async with self._turn:
            return await import_drafts(
                content, desk.registry, desk.versions, desk.actors.of(request), dry_run=dry_run
            )

    async def _waiting(self, request: Request) -> bytes | None:
        """What was uploaded under this token, by who asks."""
        desk, token = self.desk, request.path_params["token"]
        return await desk.uploads.get(token, desk.actors.of(request).name, desk.shell.clock())

    def _form(self, request: Request, *faults: Fault, status: int = 422) -> Response:
        return self.desk.render(
            request,
            "import",
            status=status if faults else 200,
            faults=faults,
            most=MOST_BYTES // 1_000_000,
        )

    def _gone(self, request: Request) -> Response:
        return self._form(request, Fault("catalogue.import.gone"), status=404)

    def _shown(self, request: Request, done: Imported) -> Response:
        faults = done.reading.faults
        return self.desk.render(
            request,
            "imported",
            done=done,
            token=request.path_params["token"],
            shown=faults[:MOST_SHOWN],
            errors=sum(each.severity == "error" for each in faults),
        )


def _marked(content: bytes, catalogue: Catalogue, lang: str) -> bytes:
    return mark_sheet(content, read_sheet(content, catalogue).faults, lang)
