"""The folders of the package import only downward, and the pure ones know nothing of the database, of sockets or of
the time."""

from __future__ import annotations

import ast
import re

import pytest

from harness.cluster import ROOT

PACKAGE = ROOT / "plpython/elephant_worker"

# What each folder may import from, beside itself; "" stands for the modules that lie beside the folders.
FOLDERS = {
    "": set[str](),
    "schedule": {""},
    "jobs": {"", "schedule"},
    "system": {"", "jobs"},
    "connection": {"", "jobs", "system"},
    "database": {"", "jobs"},
    "definitions": {"", "database"},
    "imports": {"", "schedule", "connection", "database"},
    "report": {"", "schedule", "database"},
    "worker": {"", "jobs", "system", "connection", "database"},
}
PURE = ("schedule", "jobs")
IMPURE_IMPORTS = {"time", "socket", "select", "os", "psycopg", "plpy", "random", "subprocess", "threading"}
# Modules of database/ that stand for no table.
NO_TABLES = {"command_syntax", "__init__", "spi", "server", "login_role", "job_definition", "report"}
MODULES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))


def folder_of(module: str) -> str:
    return module.rpartition("/")[0]


def imports(module: str) -> tuple[set[str], set[str]]:
    """The folders of the package that a module imports from, and the other packages."""
    ours, others = set(), set()
    for node in ast.walk(ast.parse((PACKAGE / module).read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = folder_of(module).split("/")[: 1 - node.level or None]
            path = "/".join([*filter(None, above), *(node.module or "").split(".")])
            ours.add(path.partition("/")[0] if (PACKAGE / path.partition("/")[0]).is_dir() else "")
        elif isinstance(node, ast.ImportFrom):
            others.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Import):
            others |= {alias.name.partition(".")[0] for alias in node.names}
    return ours, others


def test_every_folder_has_its_layer() -> None:
    assert {folder_of(module) for module in MODULES} == set(FOLDERS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module: str) -> None:
    ours, others = imports(module)
    folder = folder_of(module)
    assert ours <= FOLDERS[folder] | {folder}
    assert "plpy" not in others  # it comes in as an argument
    if folder in PURE:
        assert not others & IMPURE_IMPORTS
    if folder != "schedule":
        assert "croniter" not in others


def test_pure_modules_read_no_clock() -> None:
    for module in MODULES:
        if folder_of(module) in PURE:
            text = (PACKAGE / module).read_text()
            for call in (".now(", ".today(", ".utcnow(", "time.time"):
                assert call not in text, (module, call)


def test_only_tests_import_tests() -> None:
    others = [file for folder in ("bench", "harness", "tools") for file in ROOT.joinpath(folder).rglob("*.py")]
    assert len(others) > 20
    assert [
        str(file) for file in others if re.search(r"^ *(from|import) tests\b", file.read_text(), re.MULTILINE)
    ] == []


def test_the_modules_of_the_database_are_called_as_its_tables() -> None:
    tables = {path.stem for path in (ROOT / "sql/tables").glob("*.sql")}
    modules = {path.stem for path in (PACKAGE / "database").glob("*.py")}
    assert modules - NO_TABLES <= tables
    assert modules >= NO_TABLES


def test_statements_stand_in_the_modules_of_the_database() -> None:
    for module in MODULES:
        if folder_of(module) == "worker":
            assert "Statement(" not in (PACKAGE / module).read_text(), module


def test_numbers_carry_their_unit() -> None:
    for module in MODULES:
        for line in (PACKAGE / module).read_text().splitlines():
            if re.match(r"_?[A-Z_]+ = -?[\d.]", line):
                assert re.search(r"  # \w", line), f"{module}: {line}"


def test_data_classes_have_slots_where_python_has_them() -> None:
    for module in MODULES:
        if module != "records.py":
            text = (PACKAGE / module).read_text()
            assert "slots=True" not in text, module
            assert "kw_only" not in text, module
