"""Where RabbitMQ is on this machine, and how a private node of it is set up in a folder.

Speaks to  RabbitMQ 3.10 to 4.x by its own scripts, without the distribution's wrappers
Careful    Debian's ``/usr/sbin/rabbitmqctl`` changes to the user ``rabbitmq``: never used here
Careful    RabbitMQ's shell scripts split paths at blanks and read them byte by byte: a folder whose
           path is not plain ASCII is reached through a link in the directory for temporary files
Not here   starting and stopping: `shuniu.node`
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from schemas.errors import Misconfigured
from shuniu.node_identity import NodeIdentity, free_port, write_private

__all__ = ["environment", "lay_out", "plain_path", "scripts_folder"]

_PLAIN = re.compile(r"[A-Za-z0-9_./+-]+")
_LOOPBACK = "-kernel inet_dist_use_interface {127,0,0,1}"


def scripts_folder() -> Path:
    """
    The folder of RabbitMQ's own scripts; ``SHUNIU_RABBITMQ_BIN`` names another.

    Raises `Misconfigured` ``node.absent`` where RabbitMQ is not installed.
    """
    named = os.environ.get("SHUNIU_RABBITMQ_BIN")
    candidates = [Path(named)] if named else _usual_places()
    for folder in candidates:
        # The scripts read `rabbitmq-env` beside them; a wrapper has no such neighbour.
        if (folder / "rabbitmq-server").exists() and (folder / "rabbitmq-env").exists():
            return folder
    raise Misconfigured(
        "node.absent", "RabbitMQ is not installed", command="apt-get install -y rabbitmq-server"
    )


def _usual_places() -> list[Path]:
    places = [Path("/usr/lib/rabbitmq/bin")]
    places += sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin"), reverse=True)
    places += [Path("/opt/rabbitmq/sbin"), Path("/usr/local/opt/rabbitmq/sbin")]
    if found := shutil.which("rabbitmq-server"):
        places.append(Path(found).resolve().parent)
    return places


def plain_path(folder: Path) -> Path:
    """
    A path to *folder* that RabbitMQ's scripts can read: itself, or a link to it in a directory of
    our own.

    Raises `Misconfigured` ``node.link`` if that directory is somebody else's.
    """
    if _PLAIN.fullmatch(str(folder)):
        return folder
    base = Path(tempfile.gettempdir())
    if not _PLAIN.fullmatch(str(base)):
        base = Path("/tmp")  # noqa: S108 - the directory inside it is ours alone, and checked
    ours = base / f"shuniu-{os.getuid()}"
    with suppress(FileExistsError):
        ours.mkdir(mode=0o700)
    seen = ours.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid() or seen.st_mode & 0o077:
        # Others may write there: a planted link would send our broker's data anywhere.
        raise Misconfigured("node.link", "The directory for links is not ours", folder=str(ours))
    link = ours / hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    if not (link.is_symlink() and link.readlink() == folder):
        link.unlink(missing_ok=True)
        with suppress(FileExistsError):
            link.symlink_to(folder)
    return link


def lay_out(folder: Path, identity: NodeIdentity, more: Mapping[str, str] | None = None) -> None:
    """Write what the node reads when it starts: cookie, configuration, the list of plug-ins. *more*:
    settings of ``rabbitmq.conf`` besides the usual ones, or instead of them."""
    for name in ("home", "data", "log"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    write_private(folder / "home" / ".erlang.cookie", identity.cookie)
    (folder / "home" / ".erlang.cookie").chmod(0o400)
    write_private(folder / "enabled_plugins", "[].\n")
    # An empty one of our own, or the scripts would read the machine's in /etc/rabbitmq.
    write_private(folder / "rabbitmq-env.conf", "")
    write_private(folder / "rabbitmq.conf", _configuration(identity, more or {}))


def _configuration(identity: NodeIdentity, more: Mapping[str, str]) -> str:
    settings = {
        "listeners.tcp.local": f"127.0.0.1:{identity.amqp_port}",
        # Instead of `guest`; these are read when the node is started for the first time.
        "default_user": identity.user,
        "default_pass": identity.password,
        "default_vhost": "shuniu",
        "default_permissions.configure": ".*",
        "default_permissions.read": ".*",
        "default_permissions.write": ".*",
        # A small node: the log of quorum queues is held in memory up to this size.
        "raft.wal_max_size_bytes": str(64 * 1024 * 1024),
        "log.file.level": "info",
        "log.file.rotation.size": str(10 * 1024 * 1024),
        "log.file.rotation.count": "3",
        "log.console": "false",
        **more,
    }
    return "".join(f"{name} = {value}\n" for name, value in settings.items())


def environment(folder: Path, identity: NodeIdentity) -> dict[str, str]:
    """
    The environment in which the scripts run: nothing of the caller's but its path.

    *folder* as `plain_path` gives it. Used for the server and for its control commands alike.
    """
    control_port = free_port()
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder / "home"),
        "LANG": "C.UTF-8",
        "ERL_EPMD_PORT": str(identity.epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": identity.name,
        "RABBITMQ_DIST_PORT": str(identity.dist_port),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "broker.pid"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "data" / "generated"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{_LOOPBACK} +S 2:2 +A 16",
        # It holds secrets, and would be written where the node was started.
        "ERL_CRASH_DUMP": str(folder / "log" / "erl_crash.dump"),
        "RABBITMQ_CTL_ERL_ARGS": _LOOPBACK,
        "RABBITMQ_CTL_DIST_PORT_MIN": str(control_port),
        "RABBITMQ_CTL_DIST_PORT_MAX": str(control_port + 20),
    }
