"""The shell (`Shell`): layout, texts and panels, so that services show pages without knowing each other.

A service brings `Panel`s for the front page and Starlette routes for pages of its own; both render
templates of its own package within ours. A template is named ``<package>:<file>`` and lies in the
package's folder ``templates``; a page begins with ``{% extends "web:layout.html" %}``.

In every template   ``t(code, **facts)`` a text in the reader's language · ``both(zh, en)`` the name
                    that fits it · ``said(fault)`` a fault, or its row in the ledger, as a sentence ·
                    ``lang`` · ``csrf()`` the hidden field a POST form needs · filters ``clock moment instant stamp span number short``
Promises            everything is escaped; every panel shows *something* (its content, or that it
                    cannot be had now) within `PANEL_S`, whatever its service does
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import structlog
from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateNotFound, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from schemas.errors import Fact, Fault, HubError, Rejected
from schemas.texts import say
from web import language, show
from web.assets import Assets
from web.guard import CSRF_FIELD, HEADERS, Form, Guard
from web.language import LANGUAGES
from web.problems import problem
from web.shared import Shared
from web.signals import Signals

__all__ = ["Endpoint", "Link", "Panel", "Shell", "Tally", "file_of", "form_of"]

Endpoint = Callable[[Request], Awaitable[Response]]
PANEL_S = 4.0
MACHINES = ("/api/", "/in/")
THEMES = ("light", "dark", "auto")
THEME_COOKIE = "shuniu_theme"
YEAR_S = 31_536_000
log = structlog.get_logger("web.shell")


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """
    A part of the front page, kept fresh by signals.

    *endpoint* answers with the fragment (``shell.render`` of a template that does not extend the
    layout) and is served at `url`. *title* is a text code. *signals* are the words that make the
    page ask again. *page*: where all of it is shown; it gets an entry in the navigation.
    *shared*: it looks the same to all readers of a language, so one rendering serves them all for
    `Shell.shared_s` seconds; it cannot hold a form, for it is rendered without anybody's token.
    """

    key: str
    title: str
    endpoint: Endpoint
    signals: tuple[str, ...] = ()
    wide: bool = False
    page: str = ""
    shared: bool = False

    @property
    def url(self) -> str:
        return f"/panels/{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An entry in the navigation. *title* is a text code."""

    title: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """One figure in the strip on the front page. *title* is a text code.

    *tone*: ``""``, ``good``, ``warn``, ``bad`` or ``black``; shown only where *value* is not 0.
    """

    key: str
    title: str
    value: int
    tone: str = ""
    url: str = ""


@dataclass
class Shell:
    """One per server; made before the services, which render through it."""

    signals: Signals = field(default_factory=Signals)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    shared_s: float = 1.0

    def __post_init__(self) -> None:
        self.assets = Assets()
        self._links: list[Link] = []
        self._endpoints: dict[Panel, Endpoint] = {}
        self._uploads: dict[str, int] = {}
        self._templates = {lang: _environment(self.assets, lang) for lang in LANGUAGES}

    def render(
        self, request: Request, template: str, /, *, status: int = 200, **context: Any
    ) -> HTMLResponse:
        """A page or a fragment as the answer to *request*. *template* is ``<package>:<file>``."""
        environment = self._templates[language.language_of(request)]
        made = environment.get_template(template).render(
            request=request,
            path=request.url.path,
            here=quote(_path_and_query(request), safe=""),
            theme=_theme(request),
            links=self._links,
            now=self.clock(),
            csrf_token=request.scope.get("state", {}).get("csrf", ""),
            **context,
        )
        return HTMLResponse(made, status)

    def routes(self, panels: Sequence[Panel] = (), links: Sequence[Link] = ()) -> list[BaseRoute]:
        """
        What the shell itself serves, and each panel's fragment. Called once, with all panels.

        Navigation shows *links*, then the pages of *panels*.
        """
        of_panels = [Link(title=panel.title, url=panel.page) for panel in panels if panel.page]
        self._links[:] = [*links, *of_panels]
        return [
            Route("/assets/{name}", self.assets.serve),
            Route("/signals", self.signals.stream),
            Route("/language/{lang}", _choose_language),
            Route("/theme/{theme}", _choose_theme),
            *(Route(panel.url, self._endpoint(panel)) for panel in panels),
        ]

    def middleware(self, open_to: Sequence[str] = ("/in/",)) -> list[Middleware]:
        """For `Starlette(middleware=…)`. *open_to*: path prefixes of doors for machines."""
        uploads = self._uploads
        return [Middleware(Guard, self._error, open_to=tuple(open_to), uploads=uploads)]

    def take_files(self, path: str, most_bytes: int) -> None:
        """Let a form at *path* send one file, of at most so many bytes; see `file_of`."""
        self._uploads[path] = most_bytes

    def exception_handlers(self) -> dict[Any, Callable[[Request, Any], Awaitable[Response]]]:
        """For `Starlette(exception_handlers=…)`: errors as pages, without their insides.

        Programs (`MACHINES`, or who asks for JSON) get problem details (`web.problems`).
        """
        return {404: self._not_found, 405: self._not_found, HubError: self._told, 500: self._broken}

    async def fragment(self, request: Request, panel: Panel) -> Markup:
        """The panel's content, to be set into a page; a panel in trouble says so."""
        response = await self._endpoint(panel)(request)
        return Markup(bytes(response.body).decode())  # noqa: S704 - a template made it

    def _endpoint(self, panel: Panel) -> Endpoint:
        if panel not in self._endpoints:
            careful = self._careful(panel)
            self._endpoints[panel] = _shared(careful, self.shared_s) if panel.shared else careful
        return self._endpoints[panel]

    def _careful(self, panel: Panel) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            try:
                async with asyncio.timeout(PANEL_S):
                    return await panel.endpoint(request)
            except TimeoutError:
                code = "web.panel.too-slow"
            except HubError as error:
                code = error.code
                log.warning("panel.failed", panel=panel.key, code=code)
            except Exception:
                # One service's bug must not take the page, and with it all other panels, away.
                code = "web.panel.broken"
                log.exception("panel.broken", panel=panel.key)
            return self.render(request, "web:trouble.html", status=503, code=code)

        return endpoint

    def _error(self, request: Request, fault: Fault, status: int) -> Response:
        accepts = request.headers.get("accept", "")
        if request.url.path.startswith(MACHINES) or accepts.startswith("application/json"):
            return problem(request, [fault], status)
        return self.render(request, "web:error.html", status=status, fault=fault)

    async def _not_found(self, request: Request, error: HTTPException) -> Response:
        return self._error(request, Fault("web.not-found"), error.status_code)

    async def _told(self, request: Request, error: HubError) -> Response:
        status = 400 if isinstance(error, Rejected) else 503
        log.warning("page.refused", path=request.url.path, code=error.code)
        fault = (
            error.faults[0] if isinstance(error, Rejected) else Fault(error.code, "", error.facts)
        )
        return self._error(request, fault, status)

    async def _broken(self, request: Request, _: Exception) -> Response:
        response = self._error(request, Fault("web.broken"), 500)
        # Starlette answers this one outside of all middleware, the guard's too.
        response.headers.update(HEADERS)
        return response


def form_of(request: Request) -> Form:
    """The fields of a POST, as `web.guard` has read and proved them."""
    form: Form = request.scope.get("state", {}).get("form", {})
    return form


def file_of(request: Request) -> UploadFile | None:
    """The file of a form at an address that takes files; None where none was chosen."""
    file: UploadFile | None = request.scope.get("state", {}).get("upload")
    return file


def _shared(endpoint: Endpoint, keep_s: float) -> Endpoint:
    """Three hundred open pages hear the same signal; each language is rendered once for them."""
    bodies = {lang: Shared(partial(_asked_by_nobody, endpoint, lang), keep_s) for lang in LANGUAGES}

    async def answer(request: Request) -> Response:
        status, body = await bodies[language.language_of(request)].get()
        return HTMLResponse(body, status)

    return answer


async def _asked_by_nobody(endpoint: Endpoint, lang: language.Lang) -> tuple[int, bytes]:
    """Without cookies and tokens: what all will see must be nobody's."""
    chosen = f"{language.COOKIE}={lang}".encode()
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(b"cookie", chosen)],
    }
    response = await endpoint(Request(scope))
    return response.status_code, bytes(response.body)


class _PackageTemplates(BaseLoader):
    """``<package>:<file>``: the file in that package's folder ``templates``."""

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        del environment
        package, colon, name = template.partition(":")
        if not colon or "/" in name or "\\" in name:
            raise TemplateNotFound(template)
        try:
            text = files(package).joinpath("templates", name).read_text(encoding="utf-8")
        except (OSError, ModuleNotFoundError) as error:
            raise TemplateNotFound(template) from error
        return text, None, None


def _environment(assets: Assets, lang: language.Lang) -> Environment:
    """One for each language: so the texts are at hand in imported macros, which have no context."""

    def t(code: str, **facts: Fact) -> str:
        return say(code, facts, lang)

    def both(zh: str, en: str) -> str:
        return en if lang == "en" and en else zh

    def said(fault: Fault | Mapping[str, Any]) -> str:
        if isinstance(fault, Fault):
            return say(fault.code, fault.facts, lang)
        return say(str(fault["code"]), dict(fault["facts"]), lang)

    made = Environment(
        loader=_PackageTemplates(),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(t=t, both=both, said=said, lang=lang, csrf=_csrf, asset=assets.url)
    filters: tuple[Callable[..., str], ...] = (
        show.clock,
        show.instant,
        show.moment,
        show.stamp,
        show.number,
        show.points,
        show.short,
        show.span,
    )
    made.filters.update({each.__name__: each for each in filters})
    return made


@pass_context
def _csrf(context: Context) -> Markup:
    return Markup('<input type="hidden" name="{}" value="{}">').format(
        CSRF_FIELD, context["csrf_token"]
    )


def _theme(request: Request) -> str:
    chosen = request.cookies.get(THEME_COOKIE, "auto")
    return chosen if chosen in THEMES else "auto"


def _path_and_query(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return request.url.path + query


async def _choose_language(request: Request) -> Response:
    return _remember(request, language.COOKIE, request.path_params["lang"], LANGUAGES)


async def _choose_theme(request: Request) -> Response:
    return _remember(request, THEME_COOKIE, request.path_params["theme"], THEMES)


def _remember(request: Request, cookie: str, chosen: str, known: Sequence[str]) -> Response:
    """Keep a choice of no consequence in a cookie, and go back to where it was made."""
    back = request.query_params.get("back", "/")
    if not back.startswith("/") or back.startswith(("//", "/\\")):
        back = "/"
    response = RedirectResponse(back, 303)
    if chosen in known:
        response.set_cookie(cookie, chosen, max_age=YEAR_S, samesite="strict")
    return response
