"""What went wrong, told to programs: every fault with its place, in Chinese and English.

Standard   RFC 9457 (problem details); ``code at zh en said`` tell of the first fault, ``faults`` of all
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from schemas.errors import Fault
from schemas.texts import say
from web.language import LANGUAGES, language_of

__all__ = ["MEDIA_TYPE", "problem"]

MEDIA_TYPE = "application/problem+json"


def problem(request: Request, faults: Sequence[Fault], status: int) -> JSONResponse:
    """*faults*: at least one."""
    told = [_told(fault) for fault in faults]
    first = told[0]
    said = first[language_of(request)]
    document = {
        "type": f"urn:shuniu:problem:{first['code']}",
        "title": said,
        "status": status,
        "said": said,
        **{name: first[name] for name in ("code", "at", *LANGUAGES)},
        "faults": told,
    }
    return JSONResponse(document, status, media_type=MEDIA_TYPE)


def _told(fault: Fault) -> dict[str, Any]:
    texts: dict[str, str] = {lang: say(fault.code, fault.facts, lang) for lang in LANGUAGES}
    return {"code": fault.code, "at": fault.at, "facts": fault.facts, **texts}
