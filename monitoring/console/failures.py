"""Failures (失败件) as pages: by cause, one by one; retried, or discarded with a reason."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from monitoring.console.desk import Desk
from schemas.errors import Rejected
from schemas.texts import say
from web.language import language_of
from web.shell import form_of

__all__ = ["FailurePages"]

STATES = ("waiting", "retrying", "discarded", "redirected", "resolved")
MOST_ROWS = 200
MOST_AT_ONCE = 500


class FailurePages:
    """Endpoints over a `Desk`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def panel(self, request: Request) -> Response:
        """By cause, for the front page."""
        desk = self._desk
        return desk.shell.render(
            request,
            "monitoring.console:failure_groups.html",
            groups=await desk.groups.get(),
            chosen="",
            called=await desk.called(),
        )

    async def page(self, request: Request) -> Response:
        """All of a state, or of one cause; as a fragment when a script asks for it."""
        desk = self._desk
        state = request.query_params.get("state", "waiting")
        state = state if state in STATES else "waiting"
        chosen = request.query_params.get("group", "")[:64]
        bare = request.headers.get("x-fragment")
        return desk.shell.render(
            request,
            f"monitoring.console:{'failure_list.html' if bare else 'failures.html'}",
            groups=await desk.groups.get(),
            failures=await desk.failures.listed(state=state, fingerprint=chosen, limit=MOST_ROWS),
            states=STATES,
            state=state,
            chosen=chosen,
            done=_done(request),
            called=await desk.called(),
        )

    async def one(self, request: Request) -> Response:
        """One failure, with its reasons and its body, masked."""
        desk = self._desk
        failure = await desk.failures.one(request.path_params["id"])
        return desk.shell.render(
            request,
            "monitoring.console:failure.html",
            failure=failure,
            payload=await desk.failures.masked(failure.id),
            called=await desk.called(),
        )

    async def retry(self, request: Request) -> Response:
        """Retry the failures that the form names, or all of a cause."""
        ids = await self._meant(request)
        sent = await self._desk.failures.retry(ids, self._desk.by(request)) if ids else ()
        return self._answer(request, "retried", len(sent))

    async def discard(self, request: Request) -> Response:
        """Without a reason yet: ask for one. It is the second confirmation, too."""
        desk = self._desk
        ids = await self._meant(request)
        reasons = form_of(request).get("reason")
        if reasons is None or not ids:
            return desk.shell.render(
                request, "monitoring.console:discard.html", ids=ids, fault=None
            )
        try:
            gone = await desk.failures.discard(ids, reasons[0], desk.by(request))
        except Rejected as error:
            return desk.shell.render(
                request,
                "monitoring.console:discard.html",
                status=400,
                ids=ids,
                fault=error.faults[0],
            )
        return self._answer(request, "discarded", len(gone))

    async def _meant(self, request: Request) -> Sequence[str]:
        """The failures that a form names: one by one, or all that wait of a group."""
        form = form_of(request)
        if group := form.get("group", [""])[0]:
            listed = await self._desk.failures.listed(fingerprint=group, limit=MOST_AT_ONCE)
            return [failure.id for failure in listed]
        return [each[:36] for each in form.get("id", [])[:MOST_AT_ONCE]]

    def _answer(self, request: Request, what: str, count: int) -> Response:
        self._desk.groups.forget()
        self._desk.shell.signals.announce("failures", "flow")
        if "application/json" in request.headers.get("accept", ""):
            said = say(f"console.{what}", {"count": count}, language_of(request))
            return JSONResponse({"said": said, "count": count})
        return RedirectResponse(f"/failures?{what}={count}", 303)


def _done(request: Request) -> tuple[str, int] | None:
    """What was just done, to be said on the page that follows it."""
    for what in ("retried", "discarded"):
        count = request.query_params.get(what, "")
        if count.isascii() and count.isdigit() and len(count) < 5:
            return what, int(count)
    return None
