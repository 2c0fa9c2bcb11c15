"""What the build writes out for all attributes of a job."""

from __future__ import annotations

import importlib.util
import re

import pytest

from elephant_worker.database import spi
from harness.cluster import ROOT

SPEC = importlib.util.spec_from_file_location("expand", ROOT / "sql/expand.py")
assert SPEC is not None
assert SPEC.loader is not None
expand = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(expand)

INTERNAL = {"job_label", "known_role"}
TABLE = """-- What users define.
CREATE TABLE @extschema@.job (
    job_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- internal
    datname name NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    retry_on text[] NOT NULL DEFAULT '{error,timeout}',
    server name,
    defined_by name NOT NULL -- internal
);
"""


def expanded(sql: str) -> str:
    return str(expand.expand(sql, expand.attributes(TABLE)))


@pytest.mark.parametrize(
    ("sql", "result"),
    [
        ("(@attributes: {name}{,}@)", "(datname, enabled, retry_on, server)"),
        ("(@attributes: {name}{,}@, defined_by)", "(datname, enabled, retry_on, server, defined_by)"),
        ("@required attributes: {name}@", "datname enabled retry_on"),
        ("@optional attributes: '{name}'{,}@", "'server'"),
        ("@attributes after enabled: {name} {type}{,}@", "retry_on text[], server name"),
        ("@attributes after enabled: {name} {parameter}{,}@", "retry_on text[], server name"),
        ("@attributes after datname: {default}{,}@", "true, '{error,timeout}', NULL"),
        ("@attributes but enabled: {name}{,}@", "datname, retry_on, server"),
        ("@attributes after datname but server: {name}{,}@", "enabled, retry_on"),
        ("x\n    @attributes after server: , j.{name}@\ny", "x\n    \ny"),
        ("@extschema@.job @attributes after retry_on: {name}@ @extschema@.x", "@extschema@.job server @extschema@.x"),
    ],
)
def test_a_marker(sql: str, result: str) -> None:
    assert expanded(sql) == result


def test_long_lists_are_broken_at_the_margin_of_their_line() -> None:
    lines = expanded(
        "SET\n    @attributes: {name} = coalesce(update_job.{name}, j.{name}, j.{name}){,}@\nWHERE"
    ).splitlines()
    assert [len(line) <= 120 for line in lines] == [True] * len(lines)
    assert [line[:5].rstrip() for line in lines[1:-1]] == ["    d", "    e", "    r", "    s"]


@pytest.mark.parametrize("line", ["    two words of a type,", "    price numeric(10, 2),", "    a text, b text,"])
def test_a_column_that_it_cannot_read_stops_the_build(line: str) -> None:
    with pytest.raises(SystemExit, match="cannot read the column"):
        expand.attributes(TABLE.replace("    server name,", line))


@pytest.mark.parametrize("which", ["after", "but"])
def test_an_attribute_that_is_not_there(which: str) -> None:
    with pytest.raises(ValueError, match="nowhere"):
        expanded(f"@attributes {which} nowhere: {{name}}@")


def test_no_marker_is_left_in_the_files() -> None:
    known = expand.attributes((ROOT / "sql/tables/job.sql").read_text())
    for part in (ROOT / "sql").rglob("*.sql"):
        result = expand.expand(part.read_text(), known)
        assert "attributes:" not in result, part
        assert "{name}" not in result, part


def test_internals_are_found_where_they_are() -> None:
    script = "-- sql/a.sql\nCREATE VIEW @internal@.known_role AS SELECT @extschema@.job_label() FROM @extschema@.job\n"
    assert expand.place(script, INTERNAL) == (
        "-- sql/a.sql\nCREATE VIEW elephant_worker_internal.known_role AS "
        "SELECT elephant_worker_internal.job_label() FROM @extschema@.job\n"
    )


def test_updates_name_what_is_still_elsewhere() -> None:
    script = (
        "-- updates/a.sql\nDROP VIEW @extschema@.known_role;\nCREATE SCHEMA @internal@;\n"
        "-- sql/b.sql\n@extschema@.job_label()"
    )
    assert expand.place(script, INTERNAL) == (
        "-- updates/a.sql\nDROP VIEW @extschema@.known_role;\nCREATE SCHEMA elephant_worker_internal;\n"
        "-- sql/b.sql\nelephant_worker_internal.job_label()"
    )


def test_the_package_names_internals_where_they_are() -> None:
    internal = expand.internal_names()
    assert expand.INTERNAL == spi.INTERNAL
    assert len(internal) > 100
    for file in (ROOT / "plpython/elephant_worker").rglob("*.py"):
        for schema, name in re.findall(r"@(extschema|internal)@\.(\w+)", file.read_text()):
            assert (schema == "internal") == (name in internal), f"{file}: @{schema}@.{name}"
