"""Versions of resources on their way: drafted, reviewed, published, withdrawn, restored.

Standard   R-A5, R-C8
Promises   publishing is the record and the release together; the version before stays live until then,
           and accepted from producers until somebody ends that
Careful    what was applied as a release by other means is adopted: it is live, so it is published
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from catalog.lifecycle.items import covered, paths
from catalog.lifecycle.kept import ACTIVE, Draft, Version, subject_of
from catalog.lifecycle.people import Actor, Role, must_be
from catalog.lifecycle.steps import (
    NOTHING,
    Act,
    Said,
    Standing,
    State,
    Terms,
    check_loosened,
    taken,
)
from catalog.model import Resource
from catalog.shares import loosened, shares
from hub.registry.grant_rows import grants
from hub.registry.releasing import Releaser, Texts
from hub.registry.texts import (
    earlier_file,
    resource_of,
    with_version,
    without_earlier,
    without_resource,
)
from hub.registry.version_rows import (
    Entry,
    claim_code,
    last_number,
    listed,
    live_version,
    moved,
    note,
    one,
    open_version,
    put,
)
from hub.store import Store
from schemas.errors import Rejected

__all__ = ["VersionDesk"]

THE_SITE = Actor("site", "", frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDesk:
    """What people do with versions. *withdrawn* is called, in the same transaction, for a resource
    that goes: its grants end with it."""

    store: Store
    releaser: Releaser
    terms: Terms
    clock: Callable[[], datetime]
    withdrawn: Callable[[Connection, str, Actor, datetime], None] = lambda *_: None

    async def adopt(self) -> int:
        """Register what is live and not known yet; returns how many versions that were."""
        number, texts = await self.releaser.live()
        return await self.store.write(partial(_adopt, texts=texts, release=number, at=self.clock()))

    async def draft(self, text: str, actor: Actor) -> Standing:
        """
        A new version, from the text of its file.

        Raises `InvalidDeclaration`; `Rejected`: ``lifecycle.role``, ``lifecycle.version`` (it must
        be the next), ``lifecycle.open`` (another one is under way), ``lifecycle.code``.
        """
        draft = Draft(await asyncio.to_thread(resource_of, text), text)
        must_be(actor, Role.EDITOR, draft.declared.provider)
        at = self.clock()
        return await self.store.write(partial(_drafted, draft=draft, actor=actor, at=at))

    async def draft_all(self, drafts: Sequence[Draft], actor: Actor) -> None:
        """All of *drafts* or none, as `draft` and `revise` keep them; their texts are taken as told."""
        for each in drafts:
            must_be(actor, Role.EDITOR, each.declared.provider)
        at = self.clock()

        def work(connection: Connection) -> None:
            for each in drafts:
                keep = _revised if each.revises else _drafted
                keep(connection, each, actor, at)

        await self.store.write(work)

    async def revise(self, resource: str, number: int, text: str, actor: Actor) -> None:
        """Another text for a version that is still a draft."""
        draft = Draft(await asyncio.to_thread(resource_of, text), text, revises=True)
        if (draft.resource, draft.number) != (resource, number):
            raise Rejected("lifecycle.version", "Another version", number=number)
        must_be(actor, Role.EDITOR, draft.declared.provider)
        at = self.clock()
        await self.store.write(partial(_revised, draft=draft, actor=actor, at=at))

    async def act(
        self, resource: str, number: int, act: Act, actor: Actor, said: Said = NOTHING
    ) -> Standing:
        """Do *act*; raises what `catalog.lifecycle.steps` and `Releaser.change` raise."""
        version = await self.store.read(partial(one, resource=resource, number=number))
        before, at = version.standing, self.clock()
        declared = resource_of(version.text)
        standing = taken(
            before,
            act,
            actor,
            at,
            said=said,
            items=paths(declared),
            terms=self.terms,
        )
        if act is Act.PUBLISH:
            live = (await self.releaser.plan()).resources.get(resource)
            check_loosened(said.reasons, loosened(live, declared) if live else ())
        after = replace(version, standing=standing)

        def keep(connection: Connection, release: int | None = None) -> None:
            moved(connection, before, after)
            state = standing.state.value
            entry = Entry(subject_of(before), act.value, state, said.reasons, release)
            note(connection, entry, actor, at)

        def publish(connection: Connection, release: int) -> None:
            _check_granted(connection, declared)
            _supersede(connection, resource, actor, at, release=release)
            keep(connection, release)

        def withdraw(connection: Connection, release: int) -> None:
            keep(connection, release)
            self.withdrawn(connection, resource, actor, at)

        told = f"{act.value} {subject_of(before)}"
        change = partial(self.releaser.change, by=actor.name, note=told)
        match act:
            case Act.PUBLISH:
                await change(partial(with_version, resource=resource, text=version.text), publish)
            case Act.RESTORE:
                await change(partial(with_version, resource=resource, text=version.text), keep)
            case Act.WITHDRAW:
                await change(partial(without_resource, resource=resource), withdraw)
            case _:
                await self.store.write(keep)
        return standing

    async def end_acceptance(self, resource: str, number: int, actor: Actor) -> None:
        """From now on producers are held to the versions after *number*."""
        version = await self.store.read(partial(one, resource=resource, number=number))
        must_be(actor, Role.AUTHORITY)
        if not version.accepted:
            raise Rejected(
                "lifecycle.state", "Not accepted any more", state=version.standing.state.value
            )
        at = self.clock()

        def keep(connection: Connection, release: int) -> None:
            moved(connection, version.standing, replace(version, accepted=False))
            subject, state = subject_of(version.standing), version.standing.state.value
            entry = Entry(subject, "end-acceptance", state, release=release)
            note(connection, entry, actor, at)

        await self.releaser.change(
            partial(without_earlier, resource=resource, number=number),
            keep,
            by=actor.name,
            note=f"end-acceptance {resource}/{number}",
        )

    async def versions(self, resource: str = "", states: Sequence[State] = ()) -> list[Version]:
        return await self.store.read(partial(listed, resource=resource, states=states))


def _check_granted(connection: Connection, resource: Resource) -> None:
    """Grants without a route, which are fetched or looked at, hold an item open as those with one do,
    of which the linter tells."""
    for held in grants(connection, state=ACTIVE, resource=resource.resource):
        for path, share in shares(resource).items():
            if share.type == "none" and covered(path, held.items):
                raise Rejected(
                    "lint.not-shared", "A grant lets it pass", item=path, number=held.number
                )


def _drafted(connection: Connection, draft: Draft, actor: Actor, at: datetime) -> Standing:
    resource = draft.declared
    standing = Standing(resource.resource, resource.version, resource.provider, State.DRAFT, at)
    _check_next(connection, standing)
    claim_code(connection, resource.code, resource.resource)
    put(connection, Version(standing, draft.text))
    note(connection, Entry(subject_of(standing), "draft", State.DRAFT.value), actor, at)
    return standing


def _revised(connection: Connection, draft: Draft, actor: Actor, at: datetime) -> Standing:
    """Raises `Rejected` where it is nobody's draft any more, or another unit's."""
    before = one(connection, draft.resource, draft.number)
    must_be(actor, Role.EDITOR, before.standing.provider)
    if before.standing.state is not State.DRAFT:
        state = before.standing.state.value
        raise Rejected("lifecycle.state", "Not a draft any more", state=state)
    claim_code(connection, draft.declared.code, draft.resource)
    standing = replace(before.standing, provider=draft.declared.provider)
    moved(connection, before.standing, replace(before, standing=standing, text=draft.text))
    note(connection, Entry(subject_of(standing), "revise", State.DRAFT.value), actor, at)
    return standing


def _check_next(connection: Connection, standing: Standing) -> None:
    other = open_version(connection, standing.resource)
    if other is not None:
        raise Rejected(
            "lifecycle.open",
            "Another version is under way",
            number=other.standing.number,
            state=other.standing.state.value,
            by=other.standing.submitted_by,
        )
    wanted = last_number(connection, standing.resource) + 1
    if standing.number != wanted:
        raise Rejected("lifecycle.version", "Not the next version", number=wanted)


def _supersede(
    connection: Connection,
    resource: str,
    actor: Actor,
    at: datetime,
    *,
    release: int,
    accepted: bool = True,
) -> None:
    live = live_version(connection, resource)
    if live is None:
        return
    standing = replace(live.standing, state=State.SUPERSEDED, since=at, ends=None)
    moved(connection, live.standing, replace(live, standing=standing, accepted=accepted))
    act, state = Act.SUPERSEDE.value, State.SUPERSEDED.value
    note(connection, Entry(subject_of(standing), act, state, release=release), actor, at)


def _adopt(connection: Connection, texts: Texts, release: int, at: datetime) -> int:
    known = {(v.standing.resource, v.standing.number): v for v in listed(connection)}
    many = 0
    for file, text in texts.items():
        if not file.startswith("resources/"):
            continue
        resource = resource_of(text, file)
        found = known.get((resource.resource, resource.version))
        if found is not None and found.text == text and found.standing.state in _ADOPTED:
            continue
        claim_code(connection, resource.code, resource.resource)
        live = live_version(connection, resource.resource)
        if live is not None and live.standing.number != resource.version:
            still = earlier_file(resource.resource, live.standing.number) in texts
            _supersede(connection, resource.resource, THE_SITE, at, release=release, accepted=still)
        standing = Standing(
            resource.resource, resource.version, resource.provider, State.PUBLISHED, at
        )
        if found is None:
            put(connection, Version(standing, text))
        else:
            moved(connection, found.standing, Version(standing, text))
        state = State.PUBLISHED.value
        entry = Entry(subject_of(standing), "adopt", state, release=release)
        note(connection, entry, THE_SITE, at)
        many += 1
    return many


_ADOPTED = frozenset({State.PUBLISHED, State.WITHDRAWING})
