"""Whom a server runs as that refuses to run as root: its own user, or nobody; else ourselves."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import TypedDict

__all__ = ["RunAs", "owned_folder", "unprivileged"]


class RunAs(TypedDict, total=False):
    """The arguments of `subprocess.Popen` that change the user; empty where we are not root."""

    user: int
    group: int
    extra_groups: list[int]


def unprivileged(name: str) -> RunAs:
    """The user *name*, or ``nobody`` where there is no such user."""
    if os.getuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get(name) or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def owned_folder(folder: Path, owner: RunAs) -> Path:
    """Make a folder that belongs to the server's user alone."""
    folder.mkdir(mode=0o700)
    if owner:
        os.chown(folder, owner["user"], owner["group"])
    return folder
