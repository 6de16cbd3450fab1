"""Reads a site folder: the catalogue and the declarations of systems, intakes, routes and tables.

Not here   what the texts mean: `catalog.read`, `routes.site`; what is wrong across them:
           `catalog.lint`, `routes.lint`
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from catalog.model import Catalogue
from catalog.read import read_catalogue
from routes.site import Declarations, read_declarations
from schemas.errors import Misconfigured

__all__ = ["read_site", "release_texts", "texts_of"]

CATALOGUE = ("elements", "codes", "resources", "earlier")
DECLARATIONS = ("systems", "tables", "intakes", "routes")


def texts_of(site: Path, folder: str) -> dict[str, str]:
    """The YAML texts of one folder, and tables of codes, by their path below the site, in order."""
    return {
        str(path.relative_to(site)): path.read_text(encoding="utf-8")
        for path in sorted((site / folder).iterdir() if (site / folder).is_dir() else ())
        if path.suffix == ".yaml" or (path.suffix == ".csv" and folder == "codes")
    }


def read_site(site: Path) -> Declarations:
    """Raises `InvalidDeclaration` naming every problem with its file and line."""
    if not site.is_dir():
        raise Misconfigured("site.missing", "No such folder of declarations", folder=str(site))
    catalogue: Catalogue = read_catalogue(_texts(site, CATALOGUE))
    return read_declarations(_texts(site, DECLARATIONS), catalogue)


def release_texts(site: Path) -> dict[str, str]:
    """All that a release is made of."""
    if not site.is_dir():
        raise Misconfigured("site.missing", "No such folder of declarations", folder=str(site))
    found = _texts(site, (*CATALOGUE, *DECLARATIONS))
    return {file.replace("\\", "/"): text for file, text in found.items()}


def _texts(site: Path, folders: tuple[str, ...]) -> Mapping[str, str]:
    return {path: text for folder in folders for path, text in texts_of(site, folder).items()}
