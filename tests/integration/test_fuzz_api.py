"""Whatever the functions and views are given, what comes back is an error for users, never one of ours."""

from __future__ import annotations

import random
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from psycopg import sql

from harness.scheduler import Scheduler

SEED = random.randrange(2**32)
# Beside internal errors: a call of this test that is wrong, and one that takes too long.
INTERNAL = ("XX", "38", "39", "58", "57014", "42883", "42804")

TEXTS = st.one_of(
    st.none(),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(
        [
            "", " ", "@daily", "@reboot", "@after 1 second", "@every 400 days", "* * * * * *", "0 0 29 2 *", "{", "{}",
            '{"@daily","* * * * *"}', "0 0 31 2 *", "9000-12-31 23:59", "1970-01-01", "H H * * *", "SELECT 1", "UTC",
            "Europe/Berlin", "../../etc/passwd", "/etc/passwd", "America", "posixrules", "<+02>-02", "cron", "wall",
            "skip", "all", "once", "always", "%s %I %", "x" * 100_000, "{" * 9_000, "1 " * 5_000, "$1", "'; --", '"',
            "1-59/2 * * * *", "0 0 * * 5#5", "0 0 L 2 0L", "٣ * * * *", "\x7f", "\ufeff", "none", "public", "NULL",
        ]
    ),
)  # fmt: skip
NUMBERS = st.sampled_from([None, "NaN", "Infinity", "-Infinity", "0", "-1", "1e308", "-1e308", "2e11", "1.7e9", "0.5"])
COUNTS = st.sampled_from([None, 0, 1, -1, 2**31 - 1, -(2**31), 10_000])
MOMENTS = st.sampled_from(
    [
        None,
        "infinity",
        "-infinity",
        "4713-01-01 BC",
        "294276-12-31",
        "9999-12-31",
        "2027-03-28 02:30+01",
        "1-1-1",
        "now",
    ]
)
INTERVALS = st.sampled_from(
    [None, "0", "-1 s", "1 second", "178000000 years", "-178000000 years", "1 mon -30 days", "1 us", "1 day"]
)
JSON = st.sampled_from(
    [None, "{}", "[]", "null", "1", '{"work_mem": "1MB"}', '{"": ""}', '{"role": "postgres"}', '{"a": {"b": []}}',
     '{"work_mem": null}', '{"\\u0001": "1"}', '["a", null, {"b": 1}]', '{"search_path": "\\"\\""}', '[[[[]]]]']
)  # fmt: skip
VALUES = {
    "text": TEXTS,
    "name": TEXTS,
    "float8": NUMBERS,
    "int4": COUNTS,
    "int8": st.sampled_from([None, 0, 1, -1, 2**63 - 1, -(2**63)]),
    "bool": st.sampled_from([None, True, False]),
    "timestamptz": MOMENTS,
    "interval": INTERVALS,
    "jsonb": JSON,
    "oid": st.sampled_from([None, 0, 1, 10, 2**32 - 1]),
    "_int8": st.sampled_from([None, [], [1], [None], [-1, 2**63 - 1], list(range(200))]),
    "_text": st.sampled_from([None, [], ["42P01"], [None], ["x" * 1000], ["%"]]),
    "_float4": st.sampled_from([None, [], [0.5], ["NaN"], ["Infinity", None]]),
    "_float8": st.sampled_from([None, [], [0.0], ["NaN"], ["Infinity", None]]),
}

FUNCTIONS = """SELECT p.oid::regprocedure::text AS signature, p.proname AS name,
    ARRAY(SELECT t.typname::text FROM unnest(p.proargtypes) WITH ORDINALITY a (oid, i) JOIN pg_type t USING (oid)
          ORDER BY i) AS types
    FROM pg_proc p
    WHERE p.pronamespace IN ('"Elephant Test"'::regnamespace,
           'elephant_worker_internal'::regnamespace) AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype
      -- It raises what it is told to.
      AND p.proname <> 'raise_error'
      AND has_function_privilege(%s, p.oid, 'EXECUTE') ORDER BY 1"""
VIEWS = (
    ("Elephant Test", "my_job"),
    ("Elephant Test", "member_job"),
    ("elephant_worker_internal", "job_request"),
    ("elephant_worker_internal", "member_once_job"),
)
COLUMNS = """SELECT a.attname AS name, t.typname AS type FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = %s::regclass AND has_column_privilege(%s, a.attrelid, a.attnum, %s) ORDER BY a.attnum"""


class Target:
    """An ordinary role, and everything that it can call and write to."""

    def __init__(self, scheduler: Scheduler) -> None:
        role = scheduler.role("fuzzer", "LOGIN IN ROLE job_monitor")
        scheduler.execute("UPDATE worker_setting SET max_jobs_per_role = NULL")
        self.session = scheduler.connect_as(role)
        # Nothing may take long either: not to be interrupted is as good as an internal error.
        self.session.execute("SET statement_timeout = '20s'")
        self.functions = scheduler.admin.execute(FUNCTIONS, (role,)).fetchall()
        self.columns = {
            (view, right): scheduler.admin.execute(COLUMNS, (sql.Identifier(*view).as_string(), role, right)).fetchall()
            for view in VIEWS
            for right in ("INSERT", "UPDATE")
        }
        self.session.execute("SELECT insert_job('SELECT 1', current_catalog)")

    def attempt(self, statement: sql.Composable, values: list[Any]) -> None:
        failure: psycopg.Error | None = None
        try:
            self.session.execute("BEGIN")
            self.session.execute(statement, values)
        except psycopg.Error as error:
            failure = error
        self.session.execute("ROLLBACK")
        if failure is not None:
            what = (failure.diag.sqlstate, str(failure)[:2000], failure.diag.context, statement, str(values)[:500])
            assert not (failure.diag.sqlstate or "XX").startswith(INTERNAL), what
            assert "Traceback" not in (failure.diag.context or ""), what


@pytest.fixture
def target(scheduler: Scheduler) -> Target:
    return Target(scheduler)


def placeholders(types: list[str]) -> sql.Composable:
    return sql.SQL(", ").join(sql.SQL("%s::pg_catalog.{}").format(sql.Identifier(name)) for name in types)


def test_api(target: Target) -> None:
    print(f"seed {SEED}")

    @seed(SEED)
    @settings(max_examples=1000, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def fuzz(data: st.DataObject) -> None:
        kind = data.draw(st.sampled_from(["function", "function", "INSERT", "UPDATE"]))
        if kind == "function":
            function = data.draw(st.sampled_from(target.functions))
            values = [data.draw(VALUES.get(name, st.none())) for name in function.types]
            call = sql.SQL("SELECT * FROM {}({})")
            target.attempt(call.format(sql.Identifier(function.name), placeholders(function.types)), values)
            return
        view, right = data.draw(
            st.sampled_from([key for key in target.columns if key[1] == kind and target.columns[key]])
        )
        columns = data.draw(st.lists(st.sampled_from(target.columns[view, right]), min_size=1, max_size=6, unique=True))
        values = [data.draw(VALUES.get(column.type, st.none())) for column in columns]
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
        statement = "INSERT INTO {} ({}) VALUES ({})" if kind == "INSERT" else "UPDATE {} SET ({}) = ROW ({})"
        holders = placeholders([column.type for column in columns])
        target.attempt(sql.SQL(statement).format(sql.Identifier(*view), names, holders), values)

    fuzz()
