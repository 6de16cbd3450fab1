"""Where this hub runs: read once from the environment, here and nowhere else.

Form       SHUNIU_HOME folder of its own state; SHUNIU_SITE folder of declarations; SHUNIU_AMQP_URL
           broker, of a cluster all nodes (unset: a private node under the home);
           SHUNIU_DATABASE_URL records (unset: SQLite under the home); SHUNIU_HOST, SHUNIU_PORT where
           pages and the gateway listen;
           SHUNIU_LANG zh or en; SHUNIU_LOG level; SHUNIU_KEEP_LEDGER_DAYS and
           SHUNIU_KEEP_PAYLOAD_DAYS how long rows and bodies are kept; SHUNIU_LEDGER_PARTITION
           month or day; SHUNIU_BROKER_MANAGEMENT_URL RabbitMQ's management interface, by which the
           broker's policies are looked at before the hub runs (unset: they are not)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hub.retention import Retention
from schemas.errors import Misconfigured

__all__ = ["Settings"]

REFERENCE = Path(__file__).resolve().parent.parent / "sites" / "reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """*amqp_url* and *port* may be None: a private node, any free port."""

    home: Path
    site: Path
    amqp_url: str | None
    database_url: str
    host: str
    port: int
    lang: str
    log_level: str
    retention: Retention = field(default_factory=Retention)
    management_url: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        home = Path(environment.get("SHUNIU_HOME") or ".shuniu").resolve()
        port = environment.get("SHUNIU_PORT", "8080")
        if not port.isdigit():
            raise Misconfigured("settings.port", "SHUNIU_PORT is not a number", found=port[:16])
        return cls(
            home=home,
            site=Path(environment.get("SHUNIU_SITE") or REFERENCE).resolve(),
            amqp_url=environment.get("SHUNIU_AMQP_URL") or None,
            database_url=environment.get("SHUNIU_DATABASE_URL") or f"sqlite:///{home / 'hub.db'}",
            host=environment.get("SHUNIU_HOST") or "127.0.0.1",
            port=int(port),
            lang="en" if environment.get("SHUNIU_LANG", "zh").startswith("en") else "zh",
            log_level=environment.get("SHUNIU_LOG", "WARNING").upper(),
            retention=_retention(environment),
            management_url=environment.get("SHUNIU_BROKER_MANAGEMENT_URL") or None,
        )


def _retention(environment: Mapping[str, str]) -> Retention:
    by = environment.get("SHUNIU_LEDGER_PARTITION") or "month"
    if by not in ("month", "day"):
        raise Misconfigured("settings.partition", "Neither month nor day", found=by[:16])
    usual = Retention()
    return Retention(
        ledger_days=_days(environment, "SHUNIU_KEEP_LEDGER_DAYS", usual.ledger_days),
        payload_days=_days(environment, "SHUNIU_KEEP_PAYLOAD_DAYS", usual.payload_days),
        by="day" if by == "day" else "month",
    )


def _days(environment: Mapping[str, str], variable: str, usual: int) -> int:
    told = environment.get(variable) or str(usual)
    if not told.isdecimal() or not int(told):
        raise Misconfigured(
            "settings.days", "Not a number of days", variable=variable, found=told[:16]
        )
    return int(told)
