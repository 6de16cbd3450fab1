"""The one made-up body of a resource that all its documents show."""

from __future__ import annotations

from random import Random

from catalog.derive.sample import sample_body
from catalog.model import Catalogue, Resource
from schemas.message import Body

__all__ = ["example_body"]


def example_body(resource: Resource, catalogue: Catalogue) -> Body:
    """The same for the same version of the resource; valid, and of nobody."""
    seed = f"{resource.code}/{resource.version}"
    return sample_body(resource, catalogue, Random(seed))  # noqa: S311 - made up
