"""Routes of the failure store's API, for the composition root.

Speaks to   programs of operators; writes need the token that the console's own writes need
            (`web.guard`: cookie and header alike)
Form        JSON; lists in pages, the next one by ``next``; problems as in `web.problems`
Promises    what it does is what the pages and the command line do: `hub.failure_desk` and
            `hub.retry_jobs`; personal data is masked
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hub.failure_desk import FailureDesk
from hub.retry_jobs import RetryJobs
from hub.retry_policy import Policy
from monitoring.failure_api import asked, shown
from schemas.errors import Fault, HubError, Rejected, Transient
from web.problems import problem

__all__ = ["failure_api"]

Endpoint = Callable[[Request], Awaitable[Response]]
NOT_FOUND, CONFLICT, INVALID, AWAY = 404, 409, 422, 503
STATUS = {
    "api.not-json": 400,
    "failure.unknown": NOT_FOUND,
    "retry.unknown": NOT_FOUND,
    "failure.not-waiting": CONFLICT,
    "retry.state": CONFLICT,
    "retry.nothing-waits": CONFLICT,
    "redirect.had": CONFLICT,
}


def failure_api(
    desk: FailureDesk,
    jobs: RetryJobs,
    *,
    by: Callable[[Request], str],
    changed: Callable[[], None] = lambda: None,
) -> list[BaseRoute]:
    """*by* tells who asks; *changed* is called after each write."""
    failures, retries = _Failures(desk, jobs, by), _RetryJobs(jobs, by)

    def read(path: str, endpoint: Endpoint) -> Route:
        return Route(path, _told(endpoint))

    def write(path: str, endpoint: Endpoint) -> Route:
        return Route(path, _told(_announced(endpoint, changed)), methods=["POST"])

    return [
        read("/api/failures", failures.listed),
        read("/api/failures/groups", failures.groups),
        write("/api/failures/retry", failures.retry),
        write("/api/failures/discard", failures.discard),
        write("/api/failures/restore", failures.restore),
        Route("/api/failures/rehearse", _told(failures.rehearse), methods=["POST"]),
        read("/api/failures/{id}", failures.one),
        write("/api/failures/{id}/edit", failures.edit),
        write("/api/failures/{id}/redirect", failures.redirect),
        Route("/api/retry-jobs", _told(retries.listed), methods=["GET"]),
        write("/api/retry-jobs", retries.start),
        read("/api/retry-jobs/{id}", retries.one),
        read("/api/retry-jobs/{id}/rows", retries.rows),
        write("/api/retry-jobs/{id}/{change:str}", retries.change),
    ]


@dataclass(frozen=True, slots=True)
class _Failures:
    desk: FailureDesk
    jobs: RetryJobs
    by: Callable[[Request], str]

    async def listed(self, request: Request) -> Response:
        query = asked.of_query(request, asked.ListQuery)
        rows = await self.desk.listed(query.state, query.chosen, query.limit, after=query.after)
        more = rows[-1]["id"] if len(rows) == query.limit else None
        return _json({"failures": [shown.failure(row) for row in rows], "next": more})

    async def groups(self, request: Request) -> Response:
        query = asked.of_query(request, asked.StateQuery)
        groups = await self.desk.groups(query.state)
        return _json({"groups": [_group(each) for each in groups]})

    async def one(self, request: Request) -> Response:
        return _json(await shown.failure_with_history(self.desk, request.path_params["id"]))

    async def retry(self, request: Request) -> Response:
        """Failures by id at once; all that fit a choice as a job without canaries."""
        want = await asked.of_body(request, asked.Retry)
        by, chosen = self.by(request), want.chosen
        if chosen.told.keys() == {"ids"}:
            return _json({"done": list(await self.desk.retry(chosen.ids, by, want.reason))})
        job = await self.jobs.start(chosen, Policy.at_once(), by=by, reason=want.reason)
        return _json({"job": job.id, "total": job.total}, 202)

    async def discard(self, request: Request) -> Response:
        want = await asked.of_body(request, asked.Change)
        done = await self.desk.discard(want.ids, want.reason, self.by(request))
        return _json({"done": list(done)})

    async def restore(self, request: Request) -> Response:
        want = await asked.of_body(request, asked.Change)
        done = await self.desk.restore(want.ids, want.reason, self.by(request))
        return _json({"done": list(done)})

    async def rehearse(self, request: Request) -> Response:
        """What a retry would do; nothing is sent or changed."""
        want = await asked.of_body(request, asked.Choice)
        found = await self.desk.rehearse(want.chosen)
        counts = Counter(each.would for each in found)
        return _json({"counts": counts, "failures": [shown.rehearsed(each) for each in found]})

    async def edit(self, request: Request) -> Response:
        want = await asked.of_body(request, asked.Edit)
        failure_id = request.path_params["id"]
        if (want.body is None) == (want.change is None):
            raise Rejected("api.edit", "Either body or set", at="/body")
        body = want.body
        if body is None:
            row = await self.desk.row(failure_id)
            body = self.desk.body(row) | (want.change or {})
        await self.desk.edit(failure_id, body, self.by(request), want.reason)
        return _json({"done": [failure_id]})

    async def redirect(self, request: Request) -> Response:
        want = await asked.of_body(request, asked.Redirect)
        sent = await self.desk.redirect(
            request.path_params["id"],
            self.by(request),
            want.reason,
            route=want.route,
            kind=want.kind,
        )
        return _json({"done": [sent]})


@dataclass(frozen=True, slots=True)
class _RetryJobs:
    jobs: RetryJobs
    by: Callable[[Request], str]

    async def listed(self, request: Request) -> Response:
        query = asked.of_query(request, asked.JobsQuery)
        return _json({"jobs": await self.jobs.listed(query.state, query.limit)})

    async def start(self, request: Request) -> Response:
        want = await asked.of_body(request, asked.JobStart)
        started = await self.jobs.start(
            want.chosen, want.policy, by=self.by(request), reason=want.reason
        )
        answer = _json({"job": await self.jobs.one(started.id)}, 201)
        answer.headers["location"] = f"/api/retry-jobs/{started.id}"
        return answer

    async def one(self, request: Request) -> Response:
        return _json({"job": await self.jobs.one(request.path_params["id"])})

    async def rows(self, request: Request) -> Response:
        query = asked.of_query(request, asked.JobRowsQuery)
        job_id = request.path_params["id"]
        await self.jobs.one(job_id)  # an unknown job is no empty one
        rows = await self.jobs.rows(job_id, state=query.state, after=query.after, limit=query.limit)
        more = rows[-1]["n"] if len(rows) == query.limit else None
        return _json({"rows": [shown.job_row(row) for row in rows], "next": more})

    async def change(self, request: Request) -> Response:
        """Pause, resume or cancel."""
        changes = {
            "pause": self.jobs.pause,
            "resume": self.jobs.resume,
            "cancel": self.jobs.cancel,
        }
        change = changes.get(request.path_params["change"])
        if change is None:
            return problem(request, [Fault("web.not-found")], NOT_FOUND)
        want = await asked.of_body(request, asked.Why)
        job_id = request.path_params["id"]
        await change(job_id, by=self.by(request), reason=want.reason)
        return _json({"job": await self.jobs.one(job_id)})


def _group(group: Any) -> dict[str, Any]:
    names = ("fingerprint", "stage", "route", "system", "source", "resource", "code", "count")
    told = {name: getattr(group, name) for name in (*names, "first_at", "last_at")}
    return {**told, "reasons": shown.reasons(group.faults)}


def _announced(endpoint: Endpoint, changed: Callable[[], None]) -> Endpoint:
    async def announced(request: Request) -> Response:
        answer = await endpoint(request)
        changed()
        return answer

    return announced


def _told(endpoint: Endpoint) -> Endpoint:
    """Errors as problem details."""

    async def told(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Rejected as error:
            return problem(request, error.faults, STATUS.get(error.code, INVALID))
        except HubError as error:
            answer = problem(request, [Fault(error.code, "", error.facts)], AWAY)
            if isinstance(error, Transient):
                answer.headers["retry-after"] = str(max(1, round(error.after_s)))
            return answer

    return told


def _json(document: Any, status: int = 200) -> Response:
    content = orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS)
    return Response(content, status, media_type="application/json")
