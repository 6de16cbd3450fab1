"""The session's private MySQL in MariaDB's place, where one asks for it.

Form       ``SHUNIU_TEST_MYSQL`` names the folder that ``scripts/mysql`` made: a whole Debian, whose server runs with that
           Debian's own libraries, without any right of root's. ``SHUNIU_TEST_MYSQL_OPTIONS``: more of the server's options
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers import mysqld
from tests.servers.keeper import Facts
from tests.servers.unprivileged import owned_folder, unprivileged

__all__ = ["asked_for", "serving_with"]

_QUICK = (
    "--bind-address=127.0.0.1",
    "--mysqlx=OFF",
    "--secure-file-priv=NULL",  # else Debian's own folder has to be there
    "--skip-name-resolve",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-flush-method=nosync",
    "--innodb-buffer-pool-size=64M",
    "--innodb-redo-log-capacity=64M",
    "--innodb-doublewrite=OFF",
    "--performance-schema=OFF",
    "--max-connections=200",
)


def asked_for() -> Path | None:
    """The folder with MySQL, where the tests are to run on it."""
    named = os.environ.get("SHUNIU_TEST_MYSQL")
    return Path(named) if named else None


@contextmanager
def serving_with(root: Path, folder: Path, options: Sequence[str]) -> Iterator[Facts]:
    """As `tests.servers.mariadb.serving_with`: the server of *root*, its data in *folder*."""
    program = _program(root)
    owner = unprivileged("mysql")
    place = owned_folder(folder / "db", owner)
    surroundings = os.environ | {"TMPDIR": str(owned_folder(place / "tmp", owner))}
    share = ("--no-defaults", f"--datadir={place / 'data'}", f"--basedir={root / 'usr'}")
    made = [*program, *share, "--initialize-insecure", "--innodb-flush-method=nosync"]
    subprocess.run(made, check=True, cwd="/", env=surroundings, **owner)
    own = shlex.split(os.environ.get("SHUNIU_TEST_MYSQL_OPTIONS", ""))
    server = mysqld.Program([*program, *share], surroundings, owner)
    with mysqld.serving(
        server, folder, [*_QUICK, *options, *own], "DROP USER root@localhost;\n"
    ) as facts:
        yield facts


def _program(root: Path) -> list[str]:
    """The server, by the loader and with the libraries that it was built for."""
    server = root / "usr/sbin/mysqld"
    assert server.exists(), f"no MySQL in {root}: scripts/mysql {root}"
    (loader,) = (root / "usr").glob("lib*/ld-linux-*.so.?")
    (libraries,) = (root / "usr/lib").glob("*-linux-gnu")
    return [str(loader), "--library-path", str(libraries), str(server)]
