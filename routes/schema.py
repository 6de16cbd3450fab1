"""JSON Schemas of all declaration files, for editors; generated from the models.

Standard   JSON Schema 2020-12
Form       one schema for each folder of a site: ``systems`` is checked by ``system.schema.json``
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.model import CodeListFile, ElementFile, Resource
from routes.model import CodeTableFile, IntakeDeclaration, RouteDeclaration, SystemDeclaration
from schemas.declarations import Declared

__all__ = ["declaration_schemas"]

MODELS: Mapping[str, type[Declared]] = {
    "system": SystemDeclaration,
    "intake": IntakeDeclaration,
    "route": RouteDeclaration,
    "code-tables": CodeTableFile,
    "resource": Resource,
    "elements": ElementFile,
    "code-lists": CodeListFile,
}


def declaration_schemas() -> dict[str, dict[str, Any]]:
    """Name of the file in ``sites/schema`` to its schema."""
    return {
        f"{name}.schema.json": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **model.model_json_schema(by_alias=True),
        }
        for name, model in MODELS.items()
    }
