"""Rules of the house that a linter does not know.

Form       a rule looks at one module and returns what is wrong there, nothing where all is well; a test
           asks a rule of every module and shows all that it found, by module
"""

from __future__ import annotations

import ast
import doctest
import importlib
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

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
# One process reads the modules once, for all rules.
pytestmark = pytest.mark.xdist_group("house")


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


def found_by(rule: Callable[[Path], Any], paths: Iterable[Path] = MODULES) -> dict[str, Any]:
    return {dotted(path): found for path in paths if (found := rule(path))}


def unlisted(path: Path) -> list[str]:
    listed = getattr(importlib.import_module(dotted(path)), "__all__", [])
    twice = {name for name in listed if listed.count(name) > 1}
    return sorted(public_definitions(tree_of(path)) - set(listed) | twice)


def test_all_lists_the_public_names() -> None:
    """What is public is written down, once: a new name is a decision, seen in review."""
    assert {} == found_by(unlisted)


def unsaid(path: Path) -> set[str]:
    told = ast.get_docstring(tree_of(path)) or ""
    first = told.split("\n\n")[0].replace("\n", " ")
    labels = set(re.findall(r"^([A-Z][a-z]+(?: [a-z]+)?) {2,}\S", told, flags=re.MULTILINE))
    return labels - LABELS | (set() if re.search(r"[.:;。!?]", first) else {"a sentence ends"})


def test_a_module_says_what_it_is() -> None:
    """A sentence before anything else, then facts under labels that can be searched."""
    assert {} == found_by(unsaid)


UNIT = re.compile(r"(_(s|ms|bytes|rows|percent|fen|days|limit|count)|^parallel|^port)$")


def mute_settings(path: Path) -> list[str]:
    return [
        f"{model.__name__}.{name}"
        for model in vars(importlib.import_module(dotted(path))).values()
        if isinstance(model, type) and issubclass(model, BaseModel)
        if model.__name__.endswith("Settings")
        for name, field in model.model_fields.items()
        if not field.description or (field.annotation in {int, float} and not UNIT.search(name))
    ]


def test_settings_speak_and_carry_units() -> None:
    """Each field of a connector's settings is described, and a number says its unit in its name."""
    assert {} == found_by(mute_settings)


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


def empty_words(path: Path) -> list[str]:
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    names = [node.name for node in ast.walk(tree_of(path)) if isinstance(node, kinds)]
    ours = [name for name in [*names, path.stem] if name not in FOREIGN_NAMES]
    return [name for name in ours if EMPTY_WORDS.search(name)]


def test_names_say_something() -> None:
    """No word that would fit anything."""
    assert {} == found_by(empty_words)


BARE = {"Exception", "BaseException", "RuntimeError", "OSError", "NotImplementedError"}


def bare(path: Path) -> set[str]:
    raised = {
        ast.unparse(node.exc).split("(")[0]
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Raise) and node.exc
    }
    return raised & BARE


def test_nothing_bare_is_raised() -> None:
    """`RuntimeError` decides nothing: is it retried, refused, or does the route stop?"""
    assert {} == found_by(bare)


CODE = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+")


def odd_codes(path: Path) -> list[str]:
    kinds = r"(\w+\.)*(Transient|Rejected|Misconfigured|Fault)"
    codes = [
        str(call.args[0].value)
        for call, _ in calls(tree_of(path), kinds)
        if call.args and isinstance(call.args[0], ast.Constant)
    ]
    return [code for code in codes if not CODE.fullmatch(code)]


def test_codes_of_errors_are_dotted_and_lower_case() -> None:
    """The console groups by them, partners read them: they look alike everywhere."""
    assert {} == found_by(odd_codes)


EVENT = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


def odd_events(path: Path) -> list[str]:
    levels = r"(self\.)?_?log(ger)?\.(debug|info|warning|error|exception|critical)"
    events = [call.args[0] for call, _ in calls(tree_of(path), levels) if call.args]
    return [
        ast.unparse(event)
        for event in events
        if not (isinstance(event, ast.Constant) and EVENT.fullmatch(str(event.value)))
    ]


def test_log_events_are_facts_with_fields() -> None:
    """A constant ``noun.verbed``; what varies is in fields, where it can be masked and counted."""
    assert {} == found_by(odd_events)


def too_long(path: Path) -> int:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    return lines if lines > LONGEST_MODULE else 0


def test_a_module_has_one_subject() -> None:
    """What is longer than this has two."""
    assert {} == found_by(too_long, [*MODULES, *TESTS])


def silent(path: Path) -> list[str]:
    return [
        node.name
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]


def test_every_test_is_a_sentence() -> None:
    """Its docstring says what would be wrong with the world if it failed."""
    assert {} == found_by(silent, TESTS)


DOUBLES = ("TestRabbit" + "Broker", "unittest" + ".mock")


def doubles(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return [each for each in DOUBLES if each in text]


def test_no_test_mocks() -> None:
    """A double of a library's insides proves only that we wrote it."""
    assert {} == found_by(doubles, TESTS)


def test_rules_find_what_is_wrong(tmp_path: Path) -> None:
    """A rule that never finds anything would pass for ever."""
    bad = tmp_path / "handle_all.py"
    bad.write_text(
        "def test_x():\n    log.info('Hello')\n    raise RuntimeError(Rejected('Bad Code'))\n"
        + f"# {DOUBLES[1]}\n" * LONGEST_MODULE
    )

    assert (["handle_all"], {"RuntimeError"}) == (empty_words(bad), bare(bad))
    assert (["Bad Code"], ["'Hello'"]) == (odd_codes(bad), odd_events(bad))
    assert (LONGEST_MODULE + 3, ["test_x"]) == (too_long(bad), silent(bad))
    assert ({"a sentence ends"}, [DOUBLES[1]]) == (unsaid(bad), doubles(bad))


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
