"""The attributes of a job: table, views, functions and reference agree on names, types and defaults."""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness.cluster import ROOT
from harness.scheduler import Scheduler

Attributes = dict[str, tuple[str, str]]  # name: type, default

COLUMNS = """SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type,
                    coalesce(pg_get_expr(d.adbin, d.adrelid), 'NULL') AS default, a.attnotnull AS required
             FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
             WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
PARAMETERS = """SELECT p.oid::regprocedure::text, p.proargnames AS names,
                       ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) t) AS types,
                       ARRAY(SELECT pg_get_function_arg_default(p.oid, n)
                             FROM generate_series(1, p.pronargs) n) AS defaults
                FROM pg_proc p
                WHERE p.proname = %s
                  AND p.pronamespace = (SELECT c.relnamespace FROM pg_class c WHERE c.oid = 'job'::regclass)
                ORDER BY 1"""
# What users do not set.
INTERNAL = set(re.findall(r"^ {4}(\w+) .*-- internal$", (ROOT / "sql/tables/job.sql").read_text(), re.MULTILINE))


def plain(default: str | None) -> str:
    """A default without casts and quotes."""
    return re.sub(r"::[\w ]+(\[\])?", "", default or "").strip("'").upper()


def columns(scheduler: Scheduler, relation: str) -> list[Any]:
    return scheduler.admin.execute(COLUMNS, (relation,)).fetchall()


@pytest.fixture
def attributes(scheduler: Scheduler) -> Attributes:
    return {row.name: (row.type, plain(row.default)) for row in columns(scheduler, "job") if row.name not in INTERNAL}


def test_the_views_show_all_and_take_all(scheduler: Scheduler, attributes: Attributes) -> None:
    for view in ("all_job", "visible_job", "member_job", "my_job", "member_job_definition", "my_job_definition"):
        shown = {row.name: row.type for row in columns(scheduler, view)}
        assert {name: shown.get(name) for name in attributes} == {name: kind for name, (kind, _) in attributes.items()}
    for view in ("member_job", "my_job", "member_job_definition", "my_job_definition"):
        defaults = {row.name: plain(row.default) for row in columns(scheduler, view)}
        assert {name: defaults[name] for name in attributes} == {name: value for name, (_, value) in attributes.items()}
        # As DEFAULT alone; see test_orm.py.
        more = {"INSERT": {"job_id"}} if view.endswith("definition") else {"UPDATE": {"defined_by"}}
        for right in ("INSERT", "UPDATE"):
            beside = more.get(right, set())
            granted = {
                row.name
                for row in columns(scheduler, view)
                if scheduler.value("SELECT has_column_privilege('job_scheduler', %s, %s, %s)", view, row.name, right)
            }
            assert granted == set(attributes) | beside


@pytest.mark.parametrize("function", ["insert_job", "update_job", "define_job"])
def test_the_functions_take_all(scheduler: Scheduler, attributes: Attributes, function: str) -> None:
    overloads = scheduler.admin.execute(PARAMETERS, (function,)).fetchall()
    assert overloads
    for overload in overloads:
        types = dict(zip(overload.names, overload.types, strict=False))
        defaults = dict(zip(overload.names, map(plain, overload.defaults), strict=False))
        if function == "update_job":
            which = overload.names[0]
            assert which in ("job", "job_id")
            del types[which]
            assert set(defaults.values()) == {"", "NULL"}
        else:
            required = {name for name in attributes if not defaults[name]}
            assert required == {"job_command", {"insert_job": "datname", "define_job": "job_name"}[function]}
            for name in set(attributes) - required - {"datname"}:
                assert defaults[name] == attributes[name][1], name
        # They take what can be cast to them, too.
        assert types.pop("schedule").endswith("job_schedule")
        assert types.pop("run_after").endswith("job_list")
        assert types == {name: kind for name, (kind, _) in attributes.items() if name not in ("schedule", "run_after")}


def test_the_reference_lists_all(scheduler: Scheduler, attributes: Attributes) -> None:
    text = (ROOT / "docs/reference.md").read_text()
    table = text.partition("| parameter, column | default | meaning |\n")[2].partition("\n\n")[0]
    described: Attributes = {}
    for line in table.splitlines()[1:]:
        cell, default, meaning = (part.strip() for part in line.strip("|").split("|", 2))
        names = re.findall(r"`(\w+)(?: [^`]*)?`", cell)
        (kind,) = re.findall(r" ([\w\[\]]+)`", cell)
        for name in names:
            default = default.strip("`")
            if kind == "interval" and default != "NULL":
                default = scheduler.value("SELECT %s::interval::text", default)
            described[name] = (kind, default.upper())
        assert meaning
    spelled = {"timestamp with time zone": "timestamptz"}
    wanted = {name: (spelled.get(kind, kind), default) for name, (kind, default) in attributes.items()}
    # Where the reference says it in words.
    words = {"CURRENT_SETTING('TIMEZONE')": "TIMEZONE` OF THE SESSION"}
    wanted = {name: (kind, words.get(default, default)) for name, (kind, default) in wanted.items()}
    for required in ("job_command", "datname"):  # by insert_job()
        wanted[required] = (wanted[required][0], "")
    assert described == wanted
