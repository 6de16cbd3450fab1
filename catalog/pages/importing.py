"""A spreadsheet's resources as drafts in the life cycle: one path for the dry run and the import.

Each resource that differs from what is live becomes its next version, or the new text of the draft
that is under way; review and publishing then go as always.

Promises   where a cell has an error, or one draft may not be made, nothing is written; all drafts are
           kept together, or none
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from catalog.derive.yaml_text import resource_yaml
from catalog.lifecycle.kept import Draft, Version
from catalog.lifecycle.people import Actor, Role
from catalog.lifecycle.steps import OPEN, State
from catalog.model import Catalogue, Resource
from catalog.pages.ports import Registry, Versions
from catalog.sheet.read import Reading, read_sheet
from schemas.errors import Fault

__all__ = ["Imported", "import_drafts"]


@dataclass(frozen=True, slots=True)
class Imported:
    """*faults*: what keeps drafts from being made, *at* a resource; *kept*: whether they were."""

    reading: Reading
    drafts: tuple[Draft, ...] = ()
    faults: tuple[Fault, ...] = ()
    kept: bool = False

    @property
    def ok(self) -> bool:
        return self.reading.ok and not self.faults


async def import_drafts(
    content: bytes, registry: Registry, versions: Versions, actor: Actor, *, dry_run: bool
) -> Imported:
    """Raises `Rejected` for what is no spreadsheet, and what `Versions.draft_all` raises."""
    catalogue = await registry.catalogue()
    reading = await asyncio.to_thread(read_sheet, content, catalogue)
    if not reading.ok:
        return Imported(reading)
    known = await registry.versions()
    drafts, faults = await asyncio.to_thread(_drafts, reading, catalogue, known)
    faults += [_not_his(each) for each in drafts if not _may(actor, each)]
    if faults or dry_run:
        return Imported(reading, tuple(drafts), tuple(faults))
    await versions.draft_all(drafts, actor)
    return Imported(reading, tuple(drafts), kept=True)


def _drafts(
    reading: Reading, catalogue: Catalogue, known: Sequence[Version]
) -> tuple[list[Draft], list[Fault]]:
    of: dict[str, list[Version]] = defaultdict(list)
    for version in known:
        of[version.standing.resource].append(version)
    drafts: list[Draft] = []
    faults: list[Fault] = []
    for resource in reading.resources:
        made = _draft(resource, catalogue, of[resource.resource])
        if isinstance(made, Fault):
            faults.append(made)
        elif made is not None:
            drafts.append(made)
    return drafts, faults


def _draft(
    resource: Resource, catalogue: Catalogue, versions: Sequence[Version]
) -> Draft | Fault | None:
    """None where nothing would change. *versions*: of the resource, in any order."""
    pending = next((v for v in versions if v.standing.state in OPEN), None)
    last = max((v.standing.number for v in versions), default=0)
    number = pending.standing.number if pending else last + 1
    declared = _numbered(resource, number)
    live = catalogue.resources.get(resource.resource)
    if pending is None and live and _numbered(live, number) == declared:
        return None
    text = resource_yaml(declared)
    if pending is not None and pending.text == text:
        return None
    if pending is not None and pending.standing.state is not State.DRAFT:
        standing = pending.standing
        facts = {"number": number, "state": standing.state.value, "by": standing.submitted_by}
        return Fault("lifecycle.open", resource.resource, {**facts})
    return Draft(declared, text, revises=pending is not None)


def _numbered(resource: Resource, number: int) -> Resource:
    return resource.model_copy(update={"version": number})


def _may(actor: Actor, draft: Draft) -> bool:
    return actor.may(Role.EDITOR, draft.declared.provider)


def _not_his(draft: Draft) -> Fault:
    facts = {"role": Role.EDITOR.value, "unit": draft.declared.provider}
    return Fault("lifecycle.role", draft.resource, {**facts})
