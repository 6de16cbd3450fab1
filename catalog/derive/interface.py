"""What systems call at the hub, and what the hub calls at systems: values, for what is derived of them.

Form       `Call.schema` is JSON Schema 2020-12 in the words of the system; examples fit it
Not here   how they are found in declarations: the composition root puts them together
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from catalog.model import Names
from schemas.message import Json

__all__ = ["Call", "Interface", "reference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """
    One sort of record (*kind*) that *system* sends, or one call that it is sent.

    *resources*: what it leads to or comes from. *xml*: a SOAP envelope instead of JSON; its
    description is the system's own. *path*: the whole path below the system's or the hub's address.
    *sm2*: signed by SM2 instead of HMAC-SM3.
    """

    system: str
    names: Names
    kind: str
    path: str
    resources: tuple[str, ...]
    schema: Mapping[str, Json] = field(default_factory=dict)
    examples: Mapping[str, Json] = field(default_factory=dict)
    method: str = "POST"
    xml: bool = False
    sm2: bool = False


@dataclass(frozen=True, slots=True)
class Interface:
    """*inward*: from systems to the hub; *outward*: from the hub to systems."""

    inward: tuple[Call, ...] = ()
    outward: tuple[Call, ...] = ()

    def of(self, system: str) -> Interface:
        """The part that concerns one system."""
        return Interface(
            tuple(each for each in self.inward if each.system == system),
            tuple(each for each in self.outward if each.system == system),
        )

    def about(self, resources: Collection[str]) -> Interface:
        """The part that has to do with any of *resources*."""
        return Interface(
            tuple(each for each in self.inward if set(each.resources) & set(resources)),
            tuple(each for each in self.outward if set(each.resources) & set(resources)),
        )

    @property
    def resources(self) -> frozenset[str]:
        return frozenset(name for call in (*self.inward, *self.outward) for name in call.resources)


def reference(resource: str) -> dict[str, Json]:
    """The schema of *resource* where it is told once: among the components of the document."""
    return {"$ref": f"#/components/schemas/{resource}"}
