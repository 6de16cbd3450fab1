"""Points at which a hub process can be killed: one before every step of its working modules.

A step is an ``await`` that leaves its module: a call to the broker, the database, a target, or the
wait for another task. Between two of them nothing is done that anybody else could see. The points
are found by reading the code, so that a new step is a new point; while a process runs, they are
called because its modules are compiled with a call before each of these steps.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

__all__ = ["ENTRANCES", "MODULES", "all_points", "compiled_with_points", "points_of"]

# What a message meets on its way, in that order.
MODULES = (
    "hub.pipeline",
    "hub.delivery.worker",
    "hub.delivery.attempt",
    "hub.delivery.job",
    "hub.delivery.held",
    "hub.receipt_writer",
    "hub.failures",
    "hub.subscribers",
    "hub.ledger",
)
# Where records come in.
ENTRANCES = ("hub.sources", "hub.gateway")
CALLED = "__step__"


def points_of(module: str) -> Sequence[str]:
    """The points of *module*, named after function and call: ``hub.ledger LedgerWriter._write >
    publisher.publish_all``."""
    marker = _Marker(module)
    marker.visit(_parsed(_file_of(module)))
    return marker.points


def compiled_with_points(passing: Callable[[str], None]) -> None:
    """From now on `MODULES` and `ENTRANCES` are imported such that *passing* is called with each point."""
    sys.meta_path.insert(0, _Finder(passing))


def _file_of(module: str) -> Path:
    return Path(__file__).parents[2].joinpath(*module.split(".")).with_suffix(".py")


def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


class _Marker(ast.NodeTransformer):
    """Puts a call around what is awaited; `points` are the names that it gave."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._where: list[str] = []
        self._own: set[str] = set()
        self._given: Counter[str] = Counter()
        self.points: list[str] = []

    def visit_Module(self, node: ast.Module) -> ast.AST:
        functions = (each for each in ast.walk(node) if isinstance(each, ast.AsyncFunctionDef))
        self._own = {function.name for function in functions if function.name.startswith("_")}
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._inside(node.name, node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._inside(node.name, node)

    def visit_Await(self, node: ast.Await) -> ast.AST:
        self.generic_visit(node)
        called = node.value.func if isinstance(node.value, ast.Call) else node.value
        if self._is_own(called):
            return node
        name = f"{self._module} {'.'.join(self._where)} > {ast.unparse(called)}"
        self._given[name] += 1
        if self._given[name] > 1:
            name = f"{name} ({self._given[name]})"
        self.points.append(name)
        here = ast.Name(CALLED, ast.Load())
        told = ast.Call(here, [ast.Constant(name), node.value], [])
        return ast.fix_missing_locations(ast.copy_location(ast.Await(told), node))

    def _inside(self, name: str, node: ast.AST) -> ast.AST:
        self._where.append(name)
        try:
            return self.generic_visit(node)
        finally:
            self._where.pop()

    def _is_own(self, called: ast.expr) -> bool:
        """A coroutine of this module: it has points itself, where it does anything."""
        match called:
            case ast.Name(id=name):
                return name in self._own
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                return name in self._own
            case _:
                return False


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, passing: Callable[[str], None]) -> None:
        super().__init__(name, path)
        self._passing = passing

    def get_code(self, fullname: str) -> CodeType:
        marked = _Marker(fullname).visit(_parsed(Path(self.path)))
        code: CodeType = compile(marked, self.path, "exec", dont_inherit=True)
        return code

    def exec_module(self, module: ModuleType) -> None:
        def step(point: str, awaited: object) -> object:
            self._passing(point)
            return awaited

        setattr(module, CALLED, step)
        super().exec_module(module)


class _Finder(MetaPathFinder):
    def __init__(self, passing: Callable[[str], None]) -> None:
        self._passing = passing

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname not in (*MODULES, *ENTRANCES):
            return None
        file = str(_file_of(fullname))
        loader = _Loader(fullname, file, self._passing)
        return importlib.util.spec_from_file_location(fullname, file, loader=loader)


def all_points(modules: Sequence[str] = MODULES) -> Iterator[str]:
    for module in modules:
        yield from points_of(module)
