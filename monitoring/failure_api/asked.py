"""What programs ask of the failure store: models of queries and bodies, and what is wrong with them.

Form       bodies are JSON objects; unknown names, missing values and values out of bounds are
           `Rejected` (``api.invalid``), every fault at its JSON Pointer
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from hub.retry_policy import CANARIES, Policy
from hub.store.retries import Chosen
from schemas.errors import Fault, Rejected

__all__ = [
    "Change",
    "Choice",
    "Edit",
    "JobRowsQuery",
    "JobStart",
    "JobsQuery",
    "ListQuery",
    "Redirect",
    "Retry",
    "StateQuery",
    "Why",
    "of_body",
    "of_query",
]

M = TypeVar("M", bound=BaseModel)
MOST_IDS, MOST_AT_ONCE = 10_000, 500
FailureId = Annotated[str, Field(min_length=1, max_length=36)]
Reason = Annotated[str, Field(max_length=512)]
FailureState = Literal["waiting", "retrying", "resolved", "discarded", "redirected", ""]
JobState = Literal["running", "paused", "stopped", "cancelled", "done", ""]
RowState = Literal["pinned", "claimed", "staged", "sent", "done", "failed", "skipped", ""]
Named = Annotated[str, Field(max_length=128)]


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Choice(_Asked):
    """Which of the failures: by id, or all that fit what is said."""

    ids: Annotated[tuple[FailureId, ...], Field(max_length=MOST_IDS)] = ()
    group: Annotated[Named, Field(description="Fingerprint of one group.")] = ""
    stage: Literal["intake", "route", "service", "ledger", ""] = ""
    route: Annotated[Named, Field(description="Route or service.")] = ""
    system: Named = ""
    source: Named = ""
    resource: Annotated[Named, Field(description="Or kind of record.")] = ""
    code: Named = ""
    every: Annotated[bool, Field(alias="all", description="All that wait.")] = False

    @property
    def chosen(self) -> Chosen:
        told = self.model_dump(include=set(Choice.model_fields) - {"group"})
        return Chosen(fingerprint=self.group, **told)


class ListQuery(Choice):
    """*after*: id of the last failure of the page before."""

    state: FailureState = "waiting"
    after: Annotated[str, Field(max_length=36)] = ""
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = 100


class StateQuery(_Asked):
    state: Literal["waiting", "retrying", "resolved", "discarded", "redirected"] = "waiting"


class Retry(Choice):
    reason: Reason = ""


class Why(_Asked):
    reason: Reason = ""


class Change(_Asked):
    """A change to failures by id that needs a reason."""

    ids: Annotated[tuple[FailureId, ...], Field(min_length=1, max_length=MOST_AT_ONCE)]
    reason: Reason


class Edit(_Asked):
    """Either the whole *body*, or new values of some of its items (*set*)."""

    body: dict[str, Any] | None = None
    change: Annotated[dict[str, Any] | None, Field(alias="set")] = None
    reason: Reason = ""


class Redirect(_Asked):
    route: Named = ""
    kind: Named = ""
    reason: Reason


class JobStart(Choice):
    """*steps*: rows in each of the first steps. Seconds, rows a second, shares from 0 to 1."""

    steps: tuple[int, ...] = CANARIES
    pace_per_s: float = 0.0
    stop_share: float = 0.2
    step_timeout_s: float = 300.0
    reason: Reason = ""

    @property
    def policy(self) -> Policy:
        return Policy(
            **self.model_dump(include={"steps", "pace_per_s", "stop_share", "step_timeout_s"})
        )


class JobsQuery(_Asked):
    state: JobState = ""
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = 100


class JobRowsQuery(_Asked):
    """*after*: number of the last row of the page before."""

    state: RowState = ""
    after: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 1000


async def of_body(request: Request, model: type[M]) -> M:
    """Raises `Rejected` (``api.invalid``, ``api.not-json``)."""
    content = await request.body()
    try:
        told = orjson.loads(content or b"{}")
    except orjson.JSONDecodeError as error:
        raise Rejected("api.not-json", "Not JSON") from error
    return _checked(told, model)


def of_query(request: Request, model: type[M]) -> M:
    """Raises `Rejected` (``api.invalid``)."""
    told: dict[str, Any] = dict(request.query_params)
    if ids := request.query_params.getlist("ids"):
        told["ids"] = ids
    return _checked(told, model)


def _checked(told: Any, model: type[M]) -> M:
    try:
        return model.model_validate(told)
    except ValidationError as error:
        faults = [
            Fault(
                "api.value",
                "".join(f"/{step}" for step in each["loc"]),
                {"problem": each["msg"]},
            )
            for each in error.errors(include_url=False, include_input=False)
        ]
        raise Rejected("api.invalid", "Not what is asked for", faults=faults) from error
