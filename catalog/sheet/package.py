"""An uploaded xlsx file looked at before anything opens it: size, inflation, document types.

Careful    a spreadsheet is a zip of XML, so it may be a bomb of either kind
"""

from __future__ import annotations

from io import BytesIO
from zipfile import BadZipFile, ZipFile

from schemas.errors import Rejected

__all__ = ["LARGEST_BYTES", "LARGEST_INFLATED_BYTES", "checked"]

LARGEST_BYTES = 20_000_000
LARGEST_INFLATED_BYTES = 200_000_000
_MOST_PARTS = 500
_HEAD_BYTES = 4096


def checked(content: bytes) -> BytesIO:
    """*content*, fit to be opened. Raises `Rejected` for what is no harmless spreadsheet."""
    if len(content) > LARGEST_BYTES:
        raise Rejected("sheet.too-large", "File too large", limit=LARGEST_BYTES)
    try:
        with ZipFile(BytesIO(content)) as package:
            parts = package.infolist()
            if (
                len(parts) > _MOST_PARTS
                or sum(part.file_size for part in parts) > LARGEST_INFLATED_BYTES
            ):
                raise Rejected("sheet.too-large", "Inflates too far", limit=LARGEST_INFLATED_BYTES)
            for part in parts:
                with package.open(part) as stream:
                    head = stream.read(_HEAD_BYTES)
                if part.filename.endswith((".xml", ".rels")) and (
                    b"<!" in head.replace(b"<!--", b"") or head[:2] in {b"\xff\xfe", b"\xfe\xff"}
                ):
                    raise Rejected("sheet.unreadable", "A document type in a part")
    except (BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise Rejected("sheet.unreadable", "Not an xlsx file") from error
    return BytesIO(content)
