"""Conditions: can they ever hold, and do they look at what is there?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from catalog.model import CodeList
from routes.lint.fields import Fields
from routes.lint.finding import Page, Where
from routes.paths import Scope, parse_path
from routes.targets import Target
from routes.values import AllOf, AnyOf, Condition, Equals, Not, Scalar, Test, Value
from schemas.message import Operation

__all__ = ["allowed", "check_holds", "check_scopes", "mentions"]

_ENVELOPE: Mapping[str, frozenset[Scalar]] = {
    "operation": frozenset(each.value for each in Operation)
}
Asked = tuple[str, tuple[Scalar, ...], Where]


def check_scopes(
    condition: Condition | None, page: Page, where: Where, *, in_list: bool, envelope: bool
) -> None:
    """Whether the paths of *condition* are of a scope that exists there."""
    for text, _, here in _asked(condition, where):
        scope = parse_path(text).scope
        if scope is Scope.ENVELOPE and not envelope:
            page.error("lint.envelope-in-intake", here, path=text)
        if scope is Scope.ELEMENT and not in_list:
            page.error("lint.element-outside", here, path=text)


def check_holds(
    condition: Condition | None,
    fields: Fields,
    codes: Mapping[str, CodeList],
    page: Page,
    where: Where,
) -> None:
    """Whether *condition*, over canonical bodies, names what is there and can hold."""
    for text, values, here in _asked(condition, where):
        path = parse_path(text)
        if path.scope is Scope.ENVELOPE:
            known = _ENVELOPE.get(path.steps[0])
            if path.steps == ("resource",):
                known = frozenset(fields.records)
            for value in values:
                if known is not None and value not in known:
                    page.error("lint.condition-never", here, field=text, value=str(value))
            continue
        target = fields.find(text, page, here)
        if target is None:
            continue
        if target.many or target.kind == "group":
            code = "lint.group-as-value" if target.kind == "group" else "lint.list-as-value"
            page.error(code, here, item=text)
        else:
            _check_values(text, values, target, codes, page, here)


def _check_values(
    text: str,
    values: tuple[Scalar, ...],
    target: Target,
    codes: Mapping[str, CodeList],
    page: Page,
    where: Where,
) -> None:
    listed = codes.get(target.domain.codes or "")
    for value in values:
        if (_is_text(target) and not isinstance(value, str)) or (
            target.kind == "integer" and type(value) is not int
        ):
            page.error("lint.condition-type", where, field=text, value=str(value), kind=target.kind)
        elif listed is not None and str(value) not in listed.codes:
            page.error("lint.condition-never", where, field=text, value=str(value))


def _is_text(target: Target) -> bool:
    return target.kind in ("text", "date", "decimal")


def allowed(condition: Condition | None) -> dict[str, set[Scalar]]:
    """For each path the values without which *condition* cannot hold."""
    match condition:
        case Equals():
            return {text: set(values) for text, values in condition.items.items()}
        case Test() if condition.field.bare is not None:
            values = condition.among or ()
            if condition.equals is not None:
                values = (condition.equals,)
            return {condition.field.bare: set(values)} if values else {}
        case AllOf():
            found: dict[str, set[Scalar]] = {}
            for each in condition.conditions:
                for text, only in allowed(each).items():
                    found[text] = found[text] & only if text in found else only
            return found
        case _:
            return {}


def mentions(condition: Condition | None, path: str) -> bool:
    return any(text == path for text, _, _ in _asked(condition, ()))


def _asked(condition: Condition | None, where: Where) -> Iterator[Asked]:
    """Every path a condition looks at, with the values it is compared with."""
    match condition:
        case None:
            return
        case Equals():
            for text, values in condition.items.items():
                yield text, values, (*where, text)
        case AllOf() | AnyOf():
            key = "all" if isinstance(condition, AllOf) else "any"
            for n, each in enumerate(condition.conditions):
                yield from _asked(each, (*where, key, n))
        case Not():
            yield from _asked(condition.negated, (*where, "not"))
        case Test():
            yield from _tested(condition, (*where, "field"))


def _tested(test: Test, where: Where) -> Iterator[Asked]:
    values = test.among or ()
    if test.equals is not None:
        values = (*values, test.equals)
    if (bare := test.field.bare) is not None:
        yield bare, values, where
        return
    # What is computed is compared, not the fields it is computed of.
    for text in _paths(test.field):
        yield text, (), where


def _paths(value: Value) -> Iterator[str]:
    if own := value.path or value.split or value.each or value.list_of:
        yield own
    for part in value.parts():
        yield from _paths(part)
