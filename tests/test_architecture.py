"""The layers of the program, read from the source itself: who imports whom, and that every folder ships."""

import ast
import graphlib
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())

# Which of our folders a folder may import from; daemon takes from web where the page's files lie.
MAY_IMPORT = {
    "daemon": {"projections", "events", "web"},
    "projections": {"events"},
    "events": set[str](),
    "comfy_node": set[str](),
    "web": set[str](),
}
# What a folder may import from outside, beside the standard library; None is whatever pyproject.toml declares.
FROM_OUTSIDE: dict[str, set[str] | None] = {
    "daemon": None,
    "projections": None,
    "events": None,
    "comfy_node": {"aiohttp", "comfy", "comfy_api", "folder_paths", "nodes", "server", "torch", "yarl"},
    "web": set(),
}

# What ships without holding Python: the words that ComfyUI reads from the pack's own folder.
DATA = ("locales",)


@dataclass(frozen=True)
class Import:
    """One imported module of ours or of others, seen from the repository's root, and the names taken from it."""

    line: int
    module: str
    names: tuple[str, ...] = ()
    relative: bool = False
    deferred: bool = False

    @property
    def top(self) -> str:
        """The first part of the module's name: our folder, or somebody's package."""
        return self.module.partition(".")[0]


@dataclass(frozen=True)
class Module:
    """One source file, as `daemon.scan` (a package's `__init__.py` as `daemon`)."""

    name: str
    is_package: bool
    tree: ast.Module

    @property
    def folder(self) -> str:
        """The folder at the top of the repository that the module is in."""
        return self.name.partition(".")[0]


def module_at(path: Path) -> Module:
    """Read a source file of ours."""
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    return Module(".".join(parts[:-1] if is_package else parts), is_package, ast.parse(path.read_bytes(), str(path)))


def module_of(name: str, source: str) -> Module:
    """Make a module from text, for the tests of the rules themselves."""
    return Module(name, False, ast.parse(source))


def statements(body: list[ast.stmt], *, deferred: bool = False) -> Iterator[tuple[ast.stmt, bool]]:
    """Give every statement, and whether it is left out when the module is first imported (functions, type checking)."""
    for statement in body:
        yield statement, deferred
        later = deferred or isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
            later = True
        for field in ("body", "orelse", "finalbody"):
            yield from statements(getattr(statement, field, []), deferred=later)
        for part in [*getattr(statement, "handlers", []), *getattr(statement, "cases", [])]:
            yield from statements(part.body, deferred=later)


def imports(module: Module) -> Iterator[Import]:
    """Give what a module imports, wherever in it."""
    for statement, deferred in statements(module.tree.body):
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                yield Import(statement.lineno, alias.name, deferred=deferred)
        elif isinstance(statement, ast.ImportFrom):
            names = tuple(alias.name for alias in statement.names)
            base = anchor(module, statement.level)
            if base == [] and statement.module is None:
                # `from .. import events` names our folders themselves.
                for name in names:
                    yield Import(statement.lineno, name, (), relative=True, deferred=deferred)
            else:
                name = ".".join([*base, *([statement.module] if statement.module else [])])
                yield Import(statement.lineno, name, names, relative=statement.level > 0, deferred=deferred)


def anchor(module: Module, level: int) -> list[str]:
    """Give the package that the dots of a relative import stand for, from the repository's root."""
    if level == 0:
        return []
    parts = module.name.split(".")
    return parts[: len(parts) - level + module.is_package]


def complaints(module: Module, declared: set[str]) -> list[str]:
    """Say what is wrong with a module's imports, in one line each."""
    return [
        f"{module.name}:{found.line}: {wrong}"
        for found in imports(module)
        if (wrong := complaint(module, found, declared))
    ]


def complaint(module: Module, found: Import, declared: set[str]) -> str:
    """Say what is wrong with an import, or nothing."""
    if found.top == "hikaze" or (found.top in MAY_IMPORT and not found.relative):
        return f"imports {found.module} by its full name, not relatively"
    if not found.relative:
        return complaint_about_others(module, found, declared)
    if found.top != module.folder and found.top not in MAY_IMPORT[module.folder]:
        return f"imports {found.module}, and {module.folder} may not"
    private = [part for part in [*found.module.split("."), *found.names] if re.match(r"_(?!_)", part)]
    return f"imports {private[0]}, which is private to {found.module}" if private else ""


def complaint_about_others(module: Module, found: Import, declared: set[str]) -> str:
    """Say what is wrong with an import of something that is not ours, or nothing."""
    allowed = FROM_OUTSIDE[module.folder]
    if found.top in sys.stdlib_module_names or found.top in (declared if allowed is None else allowed):
        return ""
    return f"imports {found.module}, which {module.folder} may not rely on"


def cycle(modules: list[Module]) -> list[str]:
    """Give the modules of one import cycle at module level, or nothing."""
    known = {module.name for module in modules}
    wants: dict[str, set[str]] = {}
    for module in modules:
        wanted = {name for found in imports(module) if not found.deferred for name in modules_meant(found, known)}
        wants[module.name] = wanted - {module.name}
    try:
        graphlib.TopologicalSorter(wants).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def modules_meant(found: Import, known: set[str]) -> set[str]:
    """Give the modules of ours that an import runs: a name taken from a package may be a module of its own."""
    if not found.relative:
        return set()
    submodules = {f"{found.module}.{name}" for name in found.names} & known
    return submodules or ({found.module} & known)


def declared_imports() -> set[str]:
    """Give the names that can be imported from the dependencies which pyproject.toml declares."""
    wanted = {re.match(r"[\w.-]+", line) for line in PROJECT["project"]["dependencies"]}
    distributions = {match.group().lower() for match in wanted if match}
    provided = importlib.metadata.packages_distributions()
    return {name for name, by in provided.items() if distributions & {distribution.lower() for distribution in by}}


SOURCES = [
    path
    for folder in MAY_IMPORT
    for path in sorted((REPOSITORY / folder).rglob("*.py"))
    if "node_modules" not in path.parts
]
MODULES = [module_at(path) for path in SOURCES]
DECLARED = declared_imports()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_imports_point_down(module: Module) -> None:
    """A module imports its own folder and those below, relatively, nothing private, and only what is declared."""
    assert complaints(module, DECLARED) == []


def test_no_import_cycle() -> None:
    """No two modules need each other to be imported."""
    assert cycle(MODULES) == []


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_a_module_says_what_it_is_for(module: Module) -> None:
    """Every module begins with a docstring."""
    assert ast.get_docstring(module.tree)


def test_every_package_ships() -> None:
    """Every folder of ours that holds Python is a package, and is in pyproject.toml under its installed name."""
    ours = sorted({str(path.parent.relative_to(REPOSITORY)) for path in SOURCES})
    listed = PROJECT["tool"]["setuptools"]["package-dir"]

    assert [folder for folder in ours if not (REPOSITORY / folder / "__init__.py").is_file()] == []
    assert listed == {f"hikaze.{folder.replace('/', '.')}": folder for folder in (*ours, *DATA)}
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == sorted(listed)


def test_no_folder_escapes_the_rules() -> None:
    """Every folder at the top that holds a package is in the table of layers above."""
    packages = {path.parent.name for path in REPOSITORY.glob("*/__init__.py")}

    assert packages - {"tests"} <= set(MAY_IMPORT)


def test_tests_use_the_installed_names() -> None:
    """Tests import ours as `hikaze.…`, as everybody outside would: the bare names belong to other distributions."""
    wrong: list[str] = []
    for path in sorted((REPOSITORY / "tests").rglob("*.py")):
        module = module_at(path)
        wrong += [f"{path.name}:{found.line}: {found.module}" for found in imports(module) if found.top in MAY_IMPORT]

    assert wrong == []


@pytest.mark.parametrize(
    ("name", "source", "wrong"),
    [
        ("projections.tags", "from ..events.catalog import Event", ""),
        ("projections.tags", "from . import text\nfrom .text import fold", ""),
        ("events.log", "import os, msgspec", ""),
        ("events.log", "from .. import projections", "1: imports projections, and events may not"),
        ("events.log", "def f():\n    from ..daemon import http", "2: imports daemon, and events may not"),
        (
            "events.log",
            "if TYPE_CHECKING:\n    from ..daemon.app import App",
            "2: imports daemon.app, and events may not",
        ),
        ("daemon.app", "import hikaze.events", "1: imports hikaze.events by its full name, not relatively"),
        ("daemon.app", "from events import log", "1: imports events by its full name, not relatively"),
        ("daemon.app", "from .scan import _walk", "1: imports _walk, which is private to daemon.scan"),
        ("daemon.app", "try:\n    import numpy\nfinally:\n    pass", "2: imports numpy, which daemon may not rely on"),
        ("comfy_node.loaders", "import folder_paths, json", ""),
        ("comfy_node.loaders", "from ..events import log", "1: imports events, and comfy_node may not"),
        ("comfy_node.loaders", "import msgspec", "1: imports msgspec, which comfy_node may not rely on"),
    ],
)
def test_what_the_rules_find(name: str, source: str, wrong: str) -> None:
    """The rules see an import wherever it stands, and say which one they mean."""
    assert complaints(module_of(name, source), {"msgspec"}) == ([f"{name}:{wrong}"] if wrong else [])


@pytest.mark.parametrize(
    ("sources", "found"),
    [
        ({"daemon.a": "from .b import x", "daemon.b": "from . import c", "daemon.c": ""}, set()),
        ({"daemon.a": "from .b import x", "daemon.b": "from . import a"}, {"daemon.a", "daemon.b"}),
        ({"daemon.a": "from .b import x", "daemon.b": "def later():\n    from . import a"}, set()),
    ],
)
def test_what_counts_as_a_cycle(sources: dict[str, str], found: set[str]) -> None:
    """A cycle is one of imports at module level; an import inside a function breaks it."""
    modules = [module_of(name, source) for name, source in sources.items()]

    assert set(cycle(modules)) == found
