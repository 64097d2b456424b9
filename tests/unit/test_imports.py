"""Imports point down: rooms in one order, and no circle between modules."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import zeroflux

SOURCE = Path(zeroflux.__file__).parent

ROOMS = (
    {"errors", "units", "interruption", "plugins"},
    {"frames", "grids", "compilation", "execution"},
    {"labels", "artifacts"},
    {"partition", "volumetric"},
    {"labelling"},
    {"sampling"},
    {"data", "evaluation"},
    {"correlation", "potentials"},
    {"training", "calculator", "predict"},
    {"report"},
    {"analysis", "scoring"},
    {"config", "config_file", "config_template"},
    {"stages"},
    {"run_directory", "terminal"},
    {"api"},
    {"commands", "compat"},
    {"cli"},
    {"__main__", "__init__"},
)
"""From the ground up: a module imports from rooms below its own, and within its own."""


def modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        ): path
        for path in SOURCE.rglob("*.py")
        if "_data" not in path.parts
    }


def imports(path: Path, known: set[str]) -> Iterator[str]:
    """Modules of zeroflux that a file imports, anywhere but under TYPE_CHECKING."""
    yield from _imports(ast.parse(path.read_text(encoding="utf-8")), known)


def _imports(node: ast.AST, known: set[str]) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names if alias.name in known)
        elif isinstance(child, ast.ImportFrom) and (child.module or "").startswith("zeroflux"):
            full = [f"{child.module}.{alias.name}" for alias in child.names]
            yield from (name if name in known else str(child.module) for name in full)
        yield from _imports(child, known)


def graph() -> dict[str, set[str]]:
    known = modules()
    return {name: {*imports(path, set(known))} - {name} for name, path in known.items()}


def circle(edges: dict[str, set[str]]) -> list[str]:
    """One circle of modules, or nothing."""
    done: set[str] = set()
    way: list[str] = []

    def visit(name: str) -> list[str]:
        if name in way:
            return way[way.index(name) :]
        if name in done:
            return []
        way.append(name)
        for other in sorted(edges.get(name, ())):
            if found := visit(other):
                return found
        done.add(way.pop())
        return []

    return next((found for name in sorted(edges) if (found := visit(name))), [])


def level(module: str) -> int:
    room = module.split(".")[1] if "." in module else "__init__"
    return next(i for i, rooms in enumerate(ROOMS) if room in rooms)


def test_every_room_has_its_place():
    rooms = {name.split(".")[1] for name in modules() if "." in name}
    assert rooms <= set().union(*ROOMS)


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_point_down(module):
    up = [other for other in graph()[module] if level(other) > level(module) and "." in other]
    assert not up, f"{module} imports {up}, which stand above it"


def test_no_circle():
    assert not circle(graph())


def test_control_a_planted_circle_is_found():
    edges = graph()
    edges["zeroflux.units"] = {"zeroflux.cli"}
    assert set(circle(edges)) >= {"zeroflux.units", "zeroflux.cli"}
