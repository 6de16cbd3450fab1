"""Rules of the house that a linter does not know."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from pydantic import BaseModel

ROOT = Path(__file__).parent.parent
FOLDERS = (
    "schemas",
    "web",
    "catalog",
    "routes",
    "hub",
    "front_db",
    "connectors",
    "services",
    "monitoring",
    "simulators",
    "shuniu",
    "bench",
)
MODULES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    # Alembic gives the one their shape, and importing the other runs it.
    if "migrations" not in path.parts and path.stem != "__main__"
)
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
LABELS = {
    "Standard",
    "Speaks to",
    "Form",
    "Units",
    "Weights",
    "Promises",
    "Careful",
    "Tested on",
    "Not here",
}
LONGEST_MODULE = 450


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def public_definitions(tree: ast.Module) -> set[str]:
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in tree.body if isinstance(node, kinds) and node.name[0] != "_"}


def calls(tree: ast.AST, names: str) -> Iterator[tuple[ast.Call, str]]:
    """Calls of functions or methods whose name matches, with the name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if re.fullmatch(names, name):
                yield node, name


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_all_lists_the_public_names(path: Path) -> None:
    """What is public is written down: a new name is a decision, seen in review."""
    listed = getattr(importlib.import_module(dotted(path)), "__all__", [])

    assert set() == public_definitions(tree_of(path)) - set(listed)
    assert len(set(listed)) == len(listed)


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_a_module_says_what_it_is(path: Path) -> None:
    """A sentence before anything else, then facts under labels that can be searched."""
    told = ast.get_docstring(tree_of(path)) or ""
    first = told.split("\n\n")[0].replace("\n", " ")
    labels = set(re.findall(r"^([A-Z][a-z]+(?: [a-z]+)?) {2,}\S", told, flags=re.MULTILINE))

    assert re.search(r"[.:;。!?]", first), "a sentence ends"
    assert set() == labels - LABELS


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_settings_speak_and_carry_units(path: Path) -> None:
    """Each field of a connector's settings is described, and a number says its unit in its name."""
    for model in vars(importlib.import_module(dotted(path))).values():
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            continue
        if not model.__name__.endswith("Settings"):
            continue
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name} is not described"
            if field.annotation in {int, float}:
                unit = r"(_(s|ms|bytes|rows|percent|fen|days|limit|count)|^parallel|^port)$"
                assert re.search(unit, name), f"{name}: which unit?"


@pytest.mark.parametrize("folder", FOLDERS)
def test_our_packages_are_ours(folder: str) -> None:
    """`schemas` or `routes` of some dependency must not shadow ours, and types are shipped."""
    origin = importlib.import_module(folder).__file__

    assert origin
    assert Path(origin).is_relative_to(ROOT)
    assert (ROOT / folder / "py.typed").exists()


def test_the_error_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    """The page people read first cannot drift from what is raised."""
    errors = importlib.import_module("schemas.errors")
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or ""))

    ours = {
        kind for kind in errors.HubError.__subclasses__() if kind.__module__ == "schemas.errors"
    }
    assert {kind.__name__ for kind in ours} == drawn


EMPTY_WORDS = re.compile(r"Manager|Helper|Utils?\b|Impl\b|^(info|process|handle|do)(_|$)|^data$")
# Methods that SQLAlchemy calls by these names.
FOREIGN_NAMES = {"process_bind_param", "process_result_value", "process_literal_param"}


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_names_say_something(path: Path) -> None:
    """No word that would fit anything."""
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    names = [node.name for node in ast.walk(tree_of(path)) if isinstance(node, kinds)]

    ours = [name for name in [*names, path.stem] if name not in FOREIGN_NAMES]
    assert [] == [name for name in ours if EMPTY_WORDS.search(name)]


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_nothing_bare_is_raised(path: Path) -> None:
    """`RuntimeError` decides nothing: is it retried, refused, or does the route stop?"""
    raised = {
        ast.unparse(node.exc).split("(")[0]
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Raise) and node.exc
    }

    bare = {"Exception", "BaseException", "RuntimeError", "OSError", "NotImplementedError"}
    assert set() == raised & bare


CODE = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+")


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_codes_of_errors_are_dotted_and_lower_case(path: Path) -> None:
    """The console groups by them, partners read them: they look alike everywhere."""
    kinds = r"(\w+\.)*(Transient|Rejected|Misconfigured|Fault)"
    codes = [
        call.args[0].value
        for call, _ in calls(tree_of(path), kinds)
        if call.args and isinstance(call.args[0], ast.Constant)
    ]

    assert [] == [code for code in codes if not CODE.fullmatch(str(code))]


EVENT = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_log_events_are_facts_with_fields(path: Path) -> None:
    """A constant ``noun.verbed``; what varies is in fields, where it can be masked and counted."""
    levels = r"(self\.)?_?log(ger)?\.(debug|info|warning|error|exception|critical)"
    events = [call.args[0] for call, _ in calls(tree_of(path), levels) if call.args]

    assert [] == [
        ast.unparse(event)
        for event in events
        if not (isinstance(event, ast.Constant) and EVENT.fullmatch(str(event.value)))
    ]


@pytest.mark.parametrize("path", [*MODULES, *TESTS], ids=dotted)
def test_a_module_has_one_subject(path: Path) -> None:
    """What is longer than this has two."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("path", TESTS, ids=dotted)
def test_every_test_is_a_sentence(path: Path) -> None:
    """Its docstring says what would be wrong with the world if it failed."""
    silent = [
        node.name
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]

    assert [] == silent


@pytest.mark.parametrize("path", TESTS, ids=dotted)
def test_no_test_mocks(path: Path) -> None:
    """A double of a library's insides proves only that we wrote it."""
    text = path.read_text(encoding="utf-8")

    assert "TestRabbit" + "Broker" not in text
    assert "unittest" + ".mock" not in text


@pytest.mark.parametrize("folder", ["schemas", "catalog", "routes"])
def test_examples_in_docstrings_hold(folder: str) -> None:
    """What a docstring shows is what happens."""
    failed = [
        dotted(path)
        for path in MODULES
        if path.is_relative_to(ROOT / folder)
        and doctest.testmod(importlib.import_module(dotted(path))).failed
    ]

    assert [] == failed


def test_every_sink_is_put_to_the_suite() -> None:
    """A connector without a conformance subclass is not done."""
    sinks = {
        dotted(path)
        for path in (ROOT / "connectors").glob("*.py")
        if "async def deliver(" in path.read_text(encoding="utf-8")
    }
    tests = [p.read_text(encoding="utf-8") for p in (ROOT / "tests/connectors").glob("test_*.py")]
    put = {
        sink
        for sink in sinks
        for test in tests
        if re.search(rf"from {re.escape(sink)} import", test)
        and re.search(r"class Test\w+\(.*SinkConformance", test)
    }

    assert sinks
    assert sinks == put


def test_the_contract_fits_on_two_screens() -> None:
    """If a connector's author must read more, the contract is too big."""
    assert len((ROOT / "hub/port.py").read_text(encoding="utf-8").splitlines()) <= 130


def test_an_exception_to_a_rule_says_why() -> None:
    """``noqa`` and ``type: ignore`` name the rule and, after a dash, the reason."""
    excused = re.compile(r"#\s*(noqa(?!: [A-Z0-9, ]+ - \w)|type:\s*ignore(?!\[[\w, -]+\]\s+# \w))")
    unreasoned = [
        f"{dotted(path)}:{number}"
        for path in [*MODULES, *TESTS]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if excused.search(line) and path != Path(__file__)
    ]

    assert [] == unreasoned
