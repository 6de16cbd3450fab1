"""Files that a command writes: all of them, or what was there before stays."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from schemas.errors import Misconfigured

__all__ = ["write_files"]


def write_files(files: Mapping[Path, bytes]) -> list[Path]:
    """Write all of *files*, each beside its place first: a full disk leaves what was there. Raises
    `Misconfigured`."""
    fresh: dict[Path, Path] = {}
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh[path] = path.with_name(f".{path.name}.new")
            fresh[path].write_bytes(content)
        for path, new in fresh.items():
            new.replace(path)
    except OSError as error:
        for new in fresh.values():
            with suppress(OSError):
                new.unlink(missing_ok=True)
        raise Misconfigured(
            "catalog.unwritable",
            "A file cannot be written",
            path=str(error.filename or ""),
            why=error.strerror or "",
        ) from error
    return list(files)
