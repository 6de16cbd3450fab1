"""How a route's ``call`` becomes a request: its method, and its path with items of the payload."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from schemas.errors import Fault, Rejected
from schemas.message import Body

__all__ = ["Call", "path_of"]

ITEM = re.compile(r"\{([^{}]+)\}")
# In a path these mean "here" and "one up": an item must not lead elsewhere.
NO_STEPS = {"", ".", ".."}


class Call(BaseModel):
    """One that is not simply ``POST <url>/<call>``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Annotated[Literal["POST", "PUT"], Field(description="As the system asks it.")] = "POST"
    path: Annotated[
        str,
        Field(min_length=1, description="Below the address; {a.b} is an item of the payload."),
    ]


def path_of(call: Call, payload: Body) -> str:
    """
    The path of *call* for *payload*. Raises `Rejected` naming the items that it lacks.

    >>> path_of(Call(path="cases/{case.no}/replies"), {"case": {"no": "MS 1/2"}})
    'cases/MS%201%2F2/replies'
    """
    values = {name: _item(payload, name) for name in ITEM.findall(call.path)}
    if lacking := [name for name, value in values.items() if value in NO_STEPS]:
        faults = [
            Fault("call.item-missing", f"/{name.replace('.', '/')}", {"name": name})
            for name in lacking
        ]
        raise Rejected("call.item-missing", "The address needs an item", faults=faults)
    return ITEM.sub(lambda found: quote(values[found[1]], safe=""), call.path)


def _item(payload: Any, name: str) -> str:
    for step in name.split("."):
        payload = payload.get(step) if isinstance(payload, Mapping) else None
    whole = isinstance(payload, int) and not isinstance(payload, bool)
    return str(payload) if whole or isinstance(payload, str) else ""
