"""Connectors found by entry point (``shuniu.connectors``): ours and those of third parties alike."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ValidationError

from hub.port import Connector
from routes.model import SystemDeclaration
from schemas.errors import Misconfigured
from schemas.message import SystemCode

__all__ = ["ConnectorKind", "connector_kind", "connector_kinds", "make_connector"]

GROUP = "shuniu.connectors"


class ConnectorKind(Protocol):
    settings_model: ClassVar[type[BaseModel]]

    def __call__(self, system: SystemCode, settings: Any) -> Connector: ...


def connector_kinds() -> dict[str, str]:
    """Name to place of every connector that is installed."""
    return {point.name: point.value for point in entry_points(group=GROUP)}


def connector_kind(declared: SystemDeclaration) -> ConnectorKind:
    """The kind that *declared* names. Raises `Misconfigured` where it is not installed, or broken."""
    found = entry_points(group=GROUP, name=declared.connector)
    if not found:
        raise Misconfigured(
            "connector.unknown",
            "No connector of this name is installed",
            system=declared.system,
            connector=declared.connector,
            known=", ".join(sorted(connector_kinds())),
        )
    try:
        kind: ConnectorKind = next(iter(found)).load()
    except ImportError as error:
        raise Misconfigured(
            "connector.broken", "A connector cannot be loaded", connector=declared.connector
        ) from error
    return kind


def make_connector(declared: SystemDeclaration, settings: Any) -> Connector:
    """The connector of *declared*, with its *settings* (references resolved) checked."""
    kind = connector_kind(declared)
    try:
        checked = kind.settings_model.model_validate(settings)
    except ValidationError as error:
        # Never the input: it holds resolved secrets.
        first = error.errors(include_input=False, include_url=False)[0]
        raise Misconfigured(
            "connector.settings",
            "The profile's settings do not fit the connector",
            system=declared.system,
            setting=".".join(map(str, first["loc"])),
            said=first["msg"],
        ) from error
    return kind(SystemCode(declared.system), checked)
