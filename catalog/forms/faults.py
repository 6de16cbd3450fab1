"""Faults at the fields of a form.

Form       a field's name, with the faults that are shown at it; "" for those that no field can mend
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from catalog.forms.fields import Field, Shown
from catalog.lint.finding import Finding
from schemas.declarations import Problem
from schemas.errors import Fault
from schemas.texts import worded

__all__ = ["AtFields", "found_at", "problems_at", "refused_at"]

AtFields = dict[str, list[Fault]]

# Which field mends what the life cycle refuses, and what the linter finds.
_REFUSED = {
    "element.identity": "short_name",
    "element.status": "status",
    "element.version": "version",
    "lifecycle.code": "code",
    "lifecycle.version": "version",
}
_FOUND = {
    "element": {
        "catalog.short-name-form": "short_name",
        "catalog.short-name-plural": "short_name",
        "catalog.duplicate-short-name": "short_name",
        "catalog.duplicate-identifier": "identifier",
        "catalog.duplicate-name": "name.zh",
        "catalog.name-words": "name.zh",
        "catalog.near-synonym": "name.zh",
        "catalog.duplicate-english": "name.en",
        "catalog.format-type": "format",
        "catalog.code-format": "format",
        "format.unknown": "format",
        "catalog.domain-conflict": "domain.codes",
        "catalog.domain-type": "domain.codes",
        "catalog.unknown-codes": "domain.codes",
        "catalog.limits": "domain.minimum",
        "catalog.example": "example",
        "catalog.real-data": "example",
        "catalog.not-marked-personal": "sensitivity",
        "catalog.replaced-alive": "replaced_by",
        "catalog.unknown-element": "replaced_by",
    },
    "resource": {
        "catalog.duplicate-code": "code",
        "catalog.resource-code": "code",
        "catalog.duplicate-name": "name.zh",
        "catalog.short-name-plural": "resource",
        "catalog.provider-code": "provider_code",
        "catalog.published": "published",
        "catalog.condition-missing": "share.condition",
        "catalog.ground-missing": "share.condition",
        "catalog.condition-idle": "share.condition",
        "catalog.open-unshared": "share.open",
        "catalog.open-condition-idle": "share.open_condition",
    },
}
_AT_ITEM = {
    "catalog.condition-missing": "share.condition",
    "catalog.ground-missing": "share.condition",
    "catalog.condition-idle": "share.condition",
    "catalog.open-unshared": "share.open",
    "catalog.open-condition-idle": "share.open_condition",
    "catalog.item-looser": "share.type",
    "catalog.personal-shared": "share.type",
    "catalog.group-unnamed": "name.zh",
}


def problems_at(
    problems: Sequence[Problem],
    fields: Mapping[str, Field],
    shown: Shown,
    rows: Mapping[str, str] | None = None,
) -> AtFields:
    """What cannot be read. *rows*: by the path of an item, the beginning of its fields' names."""
    made: AtFields = defaultdict(list)
    for each in problems:
        path = _in_rows(each.path, rows or {})
        for name in _fields_of(path, fields, shown) or [""]:
            fault = _fault(name, fields[name], shown, each) if name else _told(each)
            if fault not in made[name]:
                made[name].append(fault)
    return made


def refused_at(faults: Sequence[Fault], fields: Mapping[str, Field]) -> AtFields:
    """What is refused."""
    made: AtFields = defaultdict(list)
    for each in faults:
        name = _REFUSED.get(each.code, "")
        made[name if name in fields else ""].append(each)
    return made


def found_at(
    findings: Sequence[Finding],
    place: str,
    fields: Mapping[str, Field],
    rows: Mapping[str, str] | None = None,
) -> AtFields:
    """What the linter says of *place* (``element caseNo``) or of a row of it; *rows*: by what an item is
    called, the beginning of its fields' names."""
    made: AtFields = defaultdict(list)
    for each in findings:
        fault = Fault(each.code, "", each.facts)
        if each.place == place:
            known = _FOUND[place.partition(" ")[0]].get(each.code, "")
            name = str(each.facts.get("role") or each.facts.get("field") or known)
        elif each.place.startswith(f"{place} ") and rows:
            start = rows.get(each.place.removeprefix(f"{place} "), "")
            name = start + _AT_ITEM.get(each.code, "element")
            name = name if name in fields else f"{start}group"
        else:
            continue
        made[name if name in fields else ""].append(fault)
    return made


def _in_rows(path: str, rows: Mapping[str, str]) -> str:
    for at in sorted(rows, key=len, reverse=True):
        if path == at or path.startswith(f"{at}."):
            return f"{rows[at]}{path[len(at) + 1 :]}".removesuffix(".")
    return path


def _fields_of(path: str, fields: Mapping[str, Field], shown: Shown) -> list[str]:
    """The field of *path*, one that holds it, or those in it that are blank and must not be."""
    steps = path.split(".")
    for count in range(len(steps), 0, -1):
        name = ".".join(steps[:count])
        if name in fields:
            return [name]
        inside = [each for each in fields if each.startswith(f"{name}.")]
        if inside and name != "items":
            blank = [each for each in inside if fields[each].needed and not shown.get(each)]
            return blank or inside[:1]
    return []


def _fault(name: str, field: Field, shown: Shown, problem: Problem) -> Fault:
    if not shown.get(name, "").strip():
        return Fault("catalogue.fault.needed", name)
    if field.hint:
        return Fault("catalogue.fault.shape", name, worded("hint", field.hint))
    return Fault("catalogue.field", name, {"said": problem.said})


def _told(problem: Problem) -> Fault:
    return Fault("lifecycle.problem", problem.path, {"line": problem.line, "said": problem.said})
