"""Sets of jobs as documents: applied, compared, exported."""

from __future__ import annotations

import json
import os
import random
import re
from typing import Any

import psycopg
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from harness.cluster import ROOT
from harness.isolation import interleavings, play
from harness.scheduler import Scheduler

SEED = random.randrange(2**32)


def apply(session: psycopg.Connection[Any], jobs: Any, part: str | None = None, **options: bool) -> list[Any]:
    arguments = "".join(f", {name} => {value}" for name, value in options.items())
    document = jobs if isinstance(jobs, str) else json.dumps(jobs)
    return session.execute(f"SELECT * FROM apply_jobs(%s, %s{arguments})", (document, part)).fetchall()


def export(session: psycopg.Connection[Any], form: str = "json", part: str | None = None) -> str:
    row = session.execute("SELECT export_jobs(%s, %s)", (form, part)).fetchone()
    assert row is not None
    return str(row[0])


def refusal(session: psycopg.Connection[Any], jobs: Any, part: str | None = None, **options: bool) -> psycopg.Error:
    with pytest.raises(psycopg.Error) as raised:
        apply(session, jobs, part, **options)
    return raised.value


@pytest.fixture
def app(scheduler: Scheduler) -> psycopg.Connection[Any]:
    session = scheduler.connect_as(scheduler.role())
    session.execute("SET TimeZone = 'UTC'")
    return session


def role_of(session: psycopg.Connection[Any]) -> str:
    return session.info.user


SHOP = [
    {"job_name": "load", "job_command": "SELECT 1", "schedule": "@hourly"},
    {"job_name": "report", "job_command": "SELECT 2", "run_after": ["load"], "run_when": "always"},
]


def test_a_document_becomes_jobs(scheduler: Scheduler, app: psycopg.Connection[Any]) -> None:
    rows = apply(app, SHOP, "shop")
    assert [(row.action, row.job_name, row.attribute, row.old_value, row.new_value) for row in rows] == [
        ("create", "load", "schedule", None, "@hourly"),
        ("create", "load", "job_command", None, "SELECT 1"),
        ("create", "load", "part", None, "shop"),
        ("create", "report", "job_command", None, "SELECT 2"),
        ("create", "report", "run_after", None, '["load"]'),
        ("create", "report", "run_when", None, "always"),
        ("create", "report", "part", None, "shop"),
    ]
    written = "SELECT xmin::text AS x, ctid::text AS c, job_id, version, part FROM job ORDER BY job_id"
    before = scheduler.execute(written).fetchall()
    requests = scheduler.value("SELECT count(*) FROM worker_request")
    for options in ({}, {"dry_run": True}, {"prune": True}):
        assert apply(app, SHOP, "shop", **options) == []
    assert scheduler.execute(written).fetchall() == before
    assert scheduler.value("SELECT count(*) FROM worker_request") == requests
    calls = scheduler.execute("SELECT DISTINCT call, changed_by FROM member_job_change").fetchall()
    assert calls == [("apply_jobs", role_of(app))]


def test_a_cancellation_is_no_mistake_of_a_job(app: psycopg.Connection[Any]) -> None:
    """It ends the call, also while mistakes are looked for."""
    jobs = [{"job_name": f"job {number}", "job_command": "SELECT 1"} for number in range(2000)]
    app.execute("SET statement_timeout = '300ms'")
    for document in (jobs, [{**jobs[0], "schedule": "61 * * * *"}, *jobs[1:]]):
        error = refusal(app, document)
        assert (error.sqlstate, str(error).splitlines()[0]) == (
            "57014",
            "canceling statement due to statement timeout",
        )
    app.execute("RESET statement_timeout")
    assert app.execute("SELECT FROM my_job").fetchall() == []


def test_null_is_the_default(scheduler: Scheduler, app: psycopg.Connection[Any]) -> None:
    names = scheduler.value(
        """SELECT array_agg(a.attname::text) FROM pg_attribute a WHERE a.attrelid = 'member_job'::regclass
           AND has_column_privilege('job_scheduler', a.attrelid, a.attnum, 'INSERT')"""
    )
    document = [{**dict.fromkeys(names), "job_name": "a", "job_command": "SELECT 1"}]
    apply(app, document)
    assert apply(app, document) == apply(app, [{"job_name": "a", "job_command": "SELECT 1"}]) == []


def test_drift_and_prune(scheduler: Scheduler, app: psycopg.Connection[Any]) -> None:
    apply(app, [*SHOP, {"job_name": "old", "job_command": "SELECT 3"}], "shop")
    app.execute("SELECT insert_job('SELECT 9', current_catalog, job_name => 'by hand')")
    app.execute("SELECT update_job('load', schedule => '@daily', job_timeout => '1 hour')")
    changed = [{**SHOP[0], "job_description": "all of it"}, SHOP[1]]
    wanted = [
        ("change", "load", "schedule", "@daily", "@hourly", True),
        ("change", "load", "job_description", None, "all of it", False),
        ("change", "load", "job_timeout", "01:00:00", "06:00:00", True),
        ("delete", "old", None, None, None, False),
    ]
    for dry_run in (True, True, False):
        rows = apply(app, changed, "shop", prune=True, dry_run=dry_run)
        assert [(*row[:2], *row[3:6], row.drift is not None) for row in rows] == wanted
        assert rows[0].drift.startswith(f'update_job by "{role_of(app)}" on ')
        left = {row.job_name for row in app.execute("SELECT job_name FROM my_job").fetchall()}
        assert left == ({"load", "report", "old", "by hand"} if dry_run else {"load", "report", "by hand"})
    assert apply(app, changed, "shop", prune=True, dry_run=True) == []


def test_all_mistakes_at_once(scheduler: Scheduler, app: psycopg.Connection[Any]) -> None:
    apply(app, SHOP, "shop")
    before = scheduler.execute("SELECT * FROM job ORDER BY job_id").fetchall()
    role = role_of(app)
    error = refusal(
        app,
        [
            {"job_name": "load", "job_command": "SELECT 1", "schedule": "61 * * * *", "job_timeout": "-1 s"},
            {"job_name": "b", "job_command": " ", "retry_delay": "six", "max_retries": 1000},
            {"job_name": "c", "job_command": "SELECT 1", "run_after": ["d"], "shedule": "@daily"},
            {"job_name": "d", "job_command": "SELECT 1", "run_after": ["c"], "settings": {"work_mem": "x"}},
            {"job_name": "e", "job_command": "SELECT 1", "run_after": ["nowhere"], "datname": "nowhere"},
            {"job_name": "e", "job_command": "SELECT 1"},
            {"job_command": "SELECT 1"},
            7,
            {"job_name": "f", "job_command": "SELECT 1", "rolname": "nobody", "run_after": "load"},
            {"job_name": "g"},
            {"job_name": "h", "job_command": "SELECT 1", "part": "other"},
            {"job_name": "1", "job_command": "SELECT 1"},
        ],
        "shop",
    )
    detail = error.diag.message_detail or ""
    found = set(re.findall(r'^(?:job "(\w+)"[^,:]*|(element \d+))(?:, (\w+))?: ', detail, re.MULTILINE))
    assert found == {
        ("load", "", "schedule"),
        ("load", "", "job_timeout"),
        ("b", "", "job_command"),
        ("b", "", "retry_delay"),
        ("b", "", "max_retries"),
        ("c", "", "run_after"),
        ("c", "", "shedule"),
        ("d", "", "run_after"),
        ("e", "", "run_after"),
        ("e", "", "datname"),
        ("e", "", "job_name"),
        ("", "element 7", "job_name"),
        ("", "element 8", ""),
        ("f", "", "rolname"),
        ("f", "", "run_after"),
        ("g", "", "job_command"),
        ("h", "", "part"),
        ("1", "", "job_name"),
        ("d", "", "settings"),
    }, detail
    assert f'job "c" of role "{role}", shedule: there is no such attribute; is schedule meant?' in detail
    assert error.diag.message_primary == f"the jobs have {len(detail.splitlines())} mistakes"
    assert scheduler.execute("SELECT * FROM job ORDER BY job_id").fetchall() == before


@pytest.mark.parametrize(
    ("document", "sqlstate"),
    [
        ("null", "22023"),
        ("{}", "22023"),
        ("7", "22023"),
        ('["a"]', "22023"),
        ('[{"job_name": null}]', "22004"),
        ('[{"job_name": ["a"]}]', "22004"),
        ('[{"job_name": "a", "job_command": "SELECT 1", "rolname": 7}]', "22023"),
        ('[{"job_name": "a", "job_command": "SELECT 1", "run_after": [' + "[" * 3000 + "]" * 3000 + "]}]", "22023"),
        ('[{"job_name": "a", "job_command": "' + "x" * 1_100_000 + '"}]', "54000"),
        ('[{"job_name": "a", "job_command": "SELECT 1"}', "22P02"),
        (None, "22004"),
    ],
)
def test_bad_documents(scheduler: Scheduler, app: psycopg.Connection[Any], document: Any, sqlstate: str) -> None:
    assert refusal(app, document if document is not None else None).sqlstate == sqlstate if document else True
    if document is None:
        with pytest.raises(psycopg.Error) as raised:
            app.execute("SELECT apply_jobs(NULL)")
        assert raised.value.sqlstate == sqlstate
    assert scheduler.value("SELECT count(*) FROM job") == 0


def test_parts(scheduler: Scheduler, app: psycopg.Connection[Any]) -> None:
    apply(app, SHOP, "shop")
    error = refusal(app, SHOP[:1], "other")
    assert 'it belongs to the part "shop"' in (error.diag.message_detail or "")
    assert refusal(app, SHOP[:1]).sqlstate == "55000"
    assert refusal(app, SHOP, prune=True).sqlstate == "22023"
    # The remedy.
    app.execute("UPDATE my_job SET part = NULL WHERE job_name = 'load'")
    assert [row.new_value for row in apply(app, SHOP[:1], "other")] == ["other"]
    assert json.loads(export(app, part="other"))[0]["job_name"] == "load"
    # What was defined by hand can be taken into a part.
    app.execute("SELECT define_job('x', 'SELECT 1')")
    (row,) = apply(app, [{"job_name": "x", "job_command": "SELECT 1"}], "other")
    assert (row.attribute, row.drift) == ("part", None)


def test_dependencies_change_places(scheduler: Scheduler, app: psycopg.Connection[Any]) -> None:
    """No step on the way from one order to the opposite closes a cycle."""
    names = ["a", "b", "c", "d"]

    def chain(order: list[str]) -> list[dict[str, Any]]:
        before = dict(zip(order[1:], order))
        return [
            {"job_name": name, "job_command": "SELECT 1", **({"run_after": [before[name]]} if name in before else {})}
            for name in names
        ]

    for order in (names, names[::-1], ["b", "d", "a", "c"], names):
        apply(app, chain(order), "shop")
        assert apply(app, chain(order), "shop") == []
        assert sum(job.get("run_after") is not None for job in json.loads(export(app))) == 3


def test_jobs_of_other_roles(scheduler: Scheduler, app: psycopg.Connection[Any]) -> None:
    other = scheduler.role("other")
    document = [
        {"job_name": "first", "job_command": "SELECT 1", "rolname": other},
        {
            "job_name": "second",
            "job_command": "SELECT 1",
            "run_after": [{"rolname": other, "job_name": "first"}],
        },
    ]
    assert "may not define jobs for role" in (refusal(app, document).diag.message_detail or "")
    assert scheduler.value("SELECT count(*) FROM job") == 0
    scheduler.execute(f'GRANT "{other}" TO "{role_of(app)}"')
    apply(app, document, "shop")
    exported = export(app)
    second = next(job for job in json.loads(exported) if job["job_name"] == "second")
    assert second["run_after"] == [{"rolname": other, "job_name": "first"}]
    scripted = export(app, "sql")
    app.execute("DELETE FROM member_job")
    app.execute(scripted.encode())
    assert export(app) == exported
    # Others see and prune nothing of it.
    stranger = scheduler.connect_as(scheduler.role("stranger"))
    assert export(stranger) == "[]\n"
    assert apply(stranger, [], "shop", prune=True) == []
    assert export(app) == exported


def test_jobs_without_names_are_left_out_aloud(scheduler: Scheduler, app: psycopg.Connection[Any]) -> None:
    number = app.execute("SELECT job_id FROM insert_job('SELECT 1', current_catalog)").fetchone()
    assert number is not None
    said: list[Any] = []
    app.add_notice_handler(lambda diag: said.append((diag.message_primary, diag.message_hint or "")))
    assert export(app) == "[]\n"
    ((message, hint),) = said
    assert message == f"jobs without a name are left out: {number.job_id}"
    app.execute(hint.partition(": ")[2].replace("...", "named"))
    assert json.loads(export(app))[0]["job_name"] == "named"
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        export(app, "yaml")


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
INTERVAL = st.sampled_from(["00:00:01", "01:00:00", "1 day", "36:00:00", "1 mon 2 days 03:04:05.678"])
NUMBER = st.sampled_from([0, -1.5, 10**30, 0.1])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "job_command": st.sampled_from(["SELECT 1", "SELECT 'it''s \\ \"quoted\"'", "SELECT\n\t2 -- ü"]),
    "schedule": st.sampled_from(["@daily", "H * * * *", '{"@daily","0 9 * * 1-5"}', "5 minutes", "@reboot"]),
    "enabled": st.booleans(),
    "job_description": TEXT,
    "job_timeout": INTERVAL,
    "parallel": st.booleans(),
    "timezone": st.sampled_from(["UTC", "Europe/Berlin", "UTC-3"]),
    "dst": st.sampled_from(["cron", "skip", "wall"]),
    "starts_at": st.just("2020-02-29T12:34:56.789+02:00"),
    "ends_at": st.just("2999-01-01T00:00:00+00:00"),
    "catch_up": st.sampled_from(["skip", "once", "all"]),
    "catch_up_limit": st.integers(1, 1000),
    "start_deadline": INTERVAL,
    "max_retries": st.integers(0, 100),
    "retry_delay": st.sampled_from(["00:00:00.1", "00:02:00"]),
    "max_retry_delay": st.sampled_from(["01:00:00", "1 day"]),
    "retry_on": st.lists(st.sampled_from(["connection", "error", "lost"]), min_size=1, max_size=3, unique=True),
    "disable_after": st.integers(1, 100),
    "settings": st.dictionaries(st.sampled_from(["work_mem", "app.x"]), st.just("64kB"), max_size=2),
    "parameters": st.lists(st.one_of(st.none(), TEXT, NUMBER, st.booleans(), st.just({"a": None})), max_size=3),
    "run_when": st.sampled_from(["on_success", "on_failure", "always"]),
    "on_failure_command": st.just("SELECT 'failed'"),
    "expect_success_within": INTERVAL,
}


def test_every_attribute_comes_back(scheduler: Scheduler, app: psycopg.Connection[Any]) -> None:
    """What is exported says what was applied, applies to the same, as JSON and as SQL."""
    print(f"seed {SEED}")
    # Those that the test gives itself, and the foreign server, which needs one.
    names = {
        row.attname
        for row in scheduler.execute(
            """SELECT attname FROM pg_attribute WHERE attrelid = 'member_job'::regclass
           AND has_column_privilege('job_scheduler', attrelid, attnum, 'INSERT')"""
        )
    }
    assert names == set(VALUES) | {"job_name", "rolname", "datname", "part", "run_after", "server"}
    attributes = st.fixed_dictionaries(
        {"job_command": VALUES["job_command"]},
        optional={name: values for name, values in VALUES.items() if name != "job_command"},
    )

    @seed(SEED)
    @settings(max_examples=25, database=None)
    @given(st.lists(attributes, min_size=1, max_size=4), st.randoms())
    def round_trip(jobs: list[dict[str, Any]], choose: random.Random) -> None:
        app.execute("DELETE FROM my_job")
        for number, job in enumerate(jobs):
            job["job_name"] = f"job {number}"
            if number:
                job["run_after"] = [f"job {choose.randrange(number)}"]
        choose.shuffle(jobs)
        text = json.dumps(jobs)
        apply(app, text, "part")
        exported = export(app)
        assert apply(app, text, "part", prune=True) == []
        for job in json.loads(exported):
            given = next(each for each in jobs if each["job_name"] == job["job_name"])
            same = {key for key in given if key not in ("starts_at", "settings", "parameters")}
            defaults = {key for key in given if key not in job}
            for key in same - defaults:
                assert job[key] == given[key]
        scripted = export(app, "sql")
        assert apply(app, exported, "part", prune=True) == []
        assert apply(app, exported) == []
        for restore in (lambda: apply(app, exported), lambda: app.execute(scripted.encode())):
            app.execute("DELETE FROM my_job")
            restore()
            assert export(app) == exported
            assert export(app, "sql") == scripted

    round_trip()


def test_a_thousand_jobs(scheduler: Scheduler, app: psycopg.Connection[Any]) -> None:
    jobs = [{"job_name": f"job {n}", "job_command": "SELECT 1"} for n in range(1000)]
    apply(app, jobs, "all")
    assert apply(app, jobs, "all", prune=True) == []
    assert scheduler.value("SELECT count(*) FROM job") == 1000


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ"])
def test_in_a_transaction_that_is_rolled_back(scheduler: Scheduler, app: psycopg.Connection[Any], level: str) -> None:
    app.execute(f"BEGIN ISOLATION LEVEL {level}")
    apply(app, SHOP, "shop")
    assert apply(app, SHOP[:1], "shop", prune=True)[-1].action == "delete"
    app.execute("ROLLBACK")
    assert scheduler.value("SELECT count(*) FROM job") == 0


@pytest.mark.parametrize(
    ("level", "there"), [("READ COMMITTED", False), ("READ COMMITTED", True), ("REPEATABLE READ", False)]
)
def test_two_sessions_at_once(scheduler: Scheduler, level: str, there: bool) -> None:
    """However their steps lie, there is one set of jobs, and it is what one of the calls says."""
    role = scheduler.role()
    sessions = [scheduler.connect_as(role) for _ in range(2)]
    scripts = [
        [
            f"BEGIN ISOLATION LEVEL {level}; SELECT 1",
            f"SELECT * FROM apply_jobs('{json.dumps(document)}', 'shop')",
            "COMMIT",
        ]
        for document in (SHOP, [{**job, "job_description": "other"} for job in SHOP])
    ]
    for order in interleavings(*scripts):
        scheduler.execute("DELETE FROM job")
        if there:
            apply(sessions[0], [{**job, "schedule": "@yearly", "run_after": []} for job in SHOP], "shop")
        outcomes = play(sessions, scheduler.admin, scripts, order)
        failed = [outcome for each in outcomes for outcome in each if isinstance(outcome, str)]
        assert failed in ([], ["40001"])
        if level == "READ COMMITTED":
            assert failed == []
        jobs = scheduler.execute("SELECT job_name, job_description FROM job ORDER BY job_id").fetchall()
        assert [job.job_name for job in jobs] == ["load", "report"]
        assert len({job.job_description for job in jobs}) == 1


def test_the_schema_of_documents(scheduler: Scheduler) -> None:
    """docs/jobs.schema.json says what the catalog says."""
    rows = scheduler.execute(
        """SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type, a.attnotnull AS required,
                  col_description(a.attrelid, a.attnum) AS description
           FROM pg_attribute a JOIN pg_attribute v ON v.attrelid = 'member_job'::regclass AND v.attname = a.attname
           WHERE a.attrelid = 'job'::regclass AND a.attnum > 0
             AND has_column_privilege('job_scheduler', v.attrelid, v.attnum, 'INSERT') ORDER BY a.attnum"""
    ).fetchall()
    reference = {
        "type": "object",
        "properties": {"rolname": {"type": "string"}, "job_name": {"type": "string"}},
        "required": ["rolname", "job_name"],
        "additionalProperties": False,
    }
    kinds: dict[str, dict[str, Any]] = {
        "text": {"type": "string"},
        "name": {"type": "string"},
        "interval": {"type": "string"},
        "timestamp with time zone": {"type": "string"},
        "boolean": {"type": "boolean"},
        "integer": {"type": "integer"},
        "text[]": {"type": "array", "items": {"type": "string"}},
        "jsonb": {"type": ["object", "array"]},
    }
    special: dict[str, dict[str, Any]] = {
        "schedule": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        "settings": {"type": "object"},
        "parameters": {"type": "array"},
        "run_after": {"type": "array", "items": {"anyOf": [{"type": "string"}, reference, {"type": "integer"}]}},
    }
    properties: dict[str, Any] = {}
    for row in rows:
        kind = special.get(row.name) or kinds[row.type]
        if not row.required and row.name != "job_name":
            kind = {"anyOf": [*kind.get("anyOf", [kind]), {"type": "null"}]}
        properties[row.name] = {**kind, "description": row.description}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "the jobs of a document for apply_jobs()",
        "type": "array",
        "items": {
            "type": "object",
            "properties": properties,
            "required": ["job_name", "job_command"],
            "additionalProperties": False,
        },
    }
    wanted = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    path = ROOT / "docs/jobs.schema.json"
    if os.environ.get("WRITE_SURFACE"):
        path.write_text(wanted)
    assert path.read_text() == wanted, "the attributes have changed; if that is meant: make surface"
