"""A form with a file, taken from the network: bounded before it is kept, and kept on disk where it is large.

Standard   RFC 7578 (multipart/form-data)
Units      sizes in bytes, time-outs in seconds
Careful    the file's name and type are the sender's word for it, and are not used
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from starlette.datastructures import Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope

__all__ = ["Refused", "Upload", "taken"]

UPLOAD_S = 60.0
FIELD_BYTES, MOST_FIELDS = 4096, 20
ENVELOPE_BYTES = 65_536  # what stands around the file


class Refused(Exception):
    """*status*: of the answer."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


@dataclass(frozen=True, slots=True)
class Upload:
    """The text fields, and the one file: None where none was chosen."""

    fields: dict[str, list[str]]
    file: UploadFile | None
    _all: tuple[UploadFile, ...] = field(default=(), repr=False)

    async def close(self) -> None:
        for each in self._all:
            await each.close()


async def taken(scope: Scope, receive: Receive, most_bytes: int) -> Upload:
    """Raises `Refused` where it is too large, too slow, or no such form."""
    most = most_bytes + ENVELOPE_BYTES
    announced = Headers(scope=scope).get("content-length", "0")
    if announced.isdigit() and int(announced) > most:
        raise Refused(413)
    request = Request(scope, _counted(receive, most))
    try:
        async with asyncio.timeout(UPLOAD_S):
            form = await request.form(
                max_files=1, max_fields=MOST_FIELDS, max_part_size=FIELD_BYTES
            )
    except (HTTPException, MultiPartException, ClientDisconnect) as error:
        raise Refused(400) from error
    except TimeoutError as error:
        raise Refused(408) from error
    fields: dict[str, list[str]] = {}
    files: list[UploadFile] = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            files.append(value)
        else:
            fields.setdefault(name, []).append(value)
    chosen = next((each for each in files if each.filename), None)
    return Upload(fields, chosen, tuple(files))


def _counted(receive: Receive, most_bytes: int) -> Receive:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most_bytes:
            raise Refused(413)
        return message

    return counted
