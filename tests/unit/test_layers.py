"""The pure modules know nothing of the database, of sockets or of the time."""

from __future__ import annotations

import ast

import pytest

from tests.cluster import ROOT

PACKAGE = ROOT / "plpython/elephant_worker"

# Each layer may import from those before it, and from itself.
LAYERS = [
    {"alerts", "errors", "protocol", "retry", "run", "scram", "server", "vendor", "wire"},
    {"grammar"},
    {"schedule"},
    {"backlog", "claims", "describe", "preview", "statistics"},
    {"batch", "clock", "libpq", "memory", "meter", "plain"},
    {"encrypted"},
    {"session", "store"},
    {"link"},
    {"listener", "pool", "signals", "access", "host", "retention", "sequel", "spare", "vacuum"},
    {"trial", "worker"},
]
PURE = {
    "alerts",
    "backlog",
    "errors",
    "protocol",
    "retry",
    "run",
    "scram",
    "grammar",
    "schedule",
    "claims",
    "describe",
    "preview",
    "statistics",
    "wire",
}
IMPURE_IMPORTS = {"time", "socket", "select", "os", "psycopg", "plpy", "random", "subprocess", "threading"}


def imports(module: str) -> tuple[set[str], set[str]]:
    """The modules of the package that a module imports, and the others."""
    ours, others = set(), set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text())):
        if isinstance(node, ast.ImportFrom):
            (ours if node.level else others).add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Import):
            others |= {alias.name.partition(".")[0] for alias in node.names}
    return ours - {""}, others


def test_every_module_has_its_layer() -> None:
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert modules == set().union(*LAYERS)


@pytest.mark.parametrize("module", sorted(set().union(*LAYERS)))
def test_imports_go_one_way(module: str) -> None:
    ours, others = imports(module)
    below: set[str] = set()
    for layer in LAYERS:
        below |= layer
        if module in layer:
            break
    assert ours <= below
    assert "plpy" not in others  # it comes in as an argument
    if module in PURE:
        assert not others & IMPURE_IMPORTS
    if module != "schedule":
        assert "croniter" not in others


def test_pure_modules_read_no_clock() -> None:
    for module in PURE:
        text = (PACKAGE / f"{module}.py").read_text()
        for call in (".now(", ".today(", ".utcnow(", "time.time"):
            assert call not in text, (module, call)
