"""Conditions as Python expressions. A field that is absent, or of another sort, does not hold.

Promises   a condition never makes a fault and never raises
Careful    a text is never equal to a number: ``"1"`` and ``1`` are two values
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from routes.compiler.source import Source
from routes.compiler.steps import BAD
from routes.dates import BEIJING
from routes.numbers import decimal_of
from routes.paths import Path, Scope, parse_path
from routes.values import AllOf, AnyOf, Condition, Equals, Not, Scalar, Test, Value
from schemas.message import Message

__all__ = ["ENVELOPE_READS", "expression", "paths_of"]

Checks = Callable[[Any], bool]
Compile = Callable[[Value], Callable[..., Any]]


def _time_of(message: Message) -> str:
    return message.time.astimezone(BEIJING).strftime("%Y-%m-%dT%H:%M:%S")


ENVELOPE_READS: Mapping[str, Callable[[Message], Any]] = {
    "id": lambda message: str(message.id),
    "operation": lambda message: message.operation.value,
    "resource": lambda message: str(message.resource),
    "sequence": lambda message: message.sequence,
    "source": lambda message: str(message.source),
    "subject": lambda message: message.subject,
    "time": _time_of,
}


def expression(condition: Condition, source: Source, compile_value: Compile) -> str:
    """*condition* over the variables ``record``, ``envelope`` and ``element`` of *source*."""
    match condition:
        case AllOf():
            each = (expression(c, source, compile_value) for c in condition.conditions)
            return f"({' and '.join(each)})"
        case AnyOf():
            each = (expression(c, source, compile_value) for c in condition.conditions)
            return f"({' or '.join(each)})"
        case Not():
            return f"(not {expression(condition.negated, source, compile_value)})"
        case Equals():
            each = (_equals(path, values, source) for path, values in condition.items.items())
            return f"({' and '.join(each)})"
        case Test():
            return _test(condition, source, compile_value)


def paths_of(condition: Condition) -> Iterator[Path]:
    """The paths a condition looks at by itself; those of computed fields are compiled as values."""
    match condition:
        case AllOf() | AnyOf():
            for each in condition.conditions:
                yield from paths_of(each)
        case Not():
            yield from paths_of(condition.negated)
        case Equals():
            yield from map(parse_path, condition.items)
        case Test():
            if condition.field.bare is not None:
                yield parse_path(condition.field.bare)


def _equals(text: str, values: tuple[Scalar, ...], source: Source) -> str:
    return f"{source.bind(_among(values))}({_read(parse_path(text), source)})"


def _test(test: Test, source: Source, compile_value: Compile) -> str:
    check = source.bind(_checks(test))
    if (bare := test.field.bare) is not None:
        return f"{check}({_read(parse_path(bare), source)})"
    compute = source.bind(compile_value(test.field))
    return f"{check}({compute}(record, envelope, element, '', []))"


def _read(path: Path, source: Source) -> str:
    if path.scope is Scope.ENVELOPE:
        return f"{source.bind(ENVELOPE_READS[path.steps[0]])}(envelope)"
    start = "record" if path.scope is Scope.RECORD else "element"
    if path.scope is Scope.RECORD and len(path.steps) == 1:
        return f"record.get({source.bind(path.steps[0])})"
    return f"{source.bind(_walk)}({start}, {source.bind(path.steps)})"


def _walk(value: Any, steps: tuple[str, ...]) -> Any:
    for step in steps:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list | tuple) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _among(values: tuple[Scalar, ...]) -> Checks:
    if all(isinstance(each, str) for each in values):
        texts = frozenset(values)
        return lambda value: isinstance(value, str) and value in texts
    # True equals 1 in Python, not in JSON.
    typed = frozenset((type(each), each) for each in values)
    return lambda value: isinstance(value, str | int) and (type(value), value) in typed


def _checks(test: Test) -> Checks:
    checks: list[Checks] = []
    if test.equals is not None:
        checks.append(_among((test.equals,)))
    if test.among is not None:
        checks.append(_among(test.among))
    if test.exists is not None:
        wanted = test.exists
        checks.append(
            lambda value: (value not in (None, "", [], {}) and value is not BAD) == wanted
        )
    for bound, holds in (
        (test.at_least, lambda order: order >= 0),
        (test.at_most, lambda order: order <= 0),
        (test.above, lambda order: order > 0),
        (test.below, lambda order: order < 0),
    ):
        if bound is not None:
            checks.append(_bounded(bound, holds))
    if len(checks) == 1:
        return checks[0]
    return lambda value: all(check(value) for check in checks)


def _bounded(bound: Scalar, holds: Callable[[int], bool]) -> Checks:
    if isinstance(bound, str):
        return lambda value: isinstance(value, str) and holds((value > bound) - (value < bound))
    limit = decimal_of(int(bound))

    def check(value: Any) -> bool:
        number = decimal_of(value)
        if number is None or limit is None:
            return False
        return holds((number > limit) - (number < limit))

    return check
