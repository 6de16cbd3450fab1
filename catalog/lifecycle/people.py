"""Who acts on the catalogue: a person with a unit (单位) and roles.

Careful    who somebody is, is proved elsewhere (sign-in); here it is believed
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from schemas.errors import Rejected

__all__ = ["Actor", "Role", "must_be"]


class Role(StrEnum):
    EDITOR = "editor"  # 编制人: writes drafts and applications for a unit
    UNIT_REVIEWER = "unit-reviewer"  # 部门审核人: answers for what a unit provides
    AUTHORITY = "authority"  # 主管部门: reviews what is published, and who may have it


@dataclass(frozen=True, slots=True)
class Actor:
    name: str
    unit: str
    roles: frozenset[Role]

    def may(self, role: Role, unit: str = "") -> bool:
        """Whether this person has *role*, for *unit* where one is named. The authority is nobody's
        unit: it acts for all."""
        return role in self.roles and (role is Role.AUTHORITY or unit in {"", self.unit})


def must_be(actor: Actor, role: Role, unit: str = "") -> None:
    """Raises `Rejected` (``lifecycle.role``) where *actor* is not the one who does this."""
    if not actor.may(role, unit):
        raise Rejected("lifecycle.role", "Not this person's to do", role=role.value, unit=unit)
