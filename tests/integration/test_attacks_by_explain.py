"""EXPLAIN tells of others' jobs and runs no more than a query does: neither by counts of rows, nor by what has been
executed, nor by estimates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import USER
from harness.scheduler import INTERNAL, SCHEMA, Scheduler, new_scheduler
from harness.waiting import until

VIEWS = (
    "my_job", "member_job", "visible_job", "my_job_log", "member_job_log", "job_stats", "member_once_job",
    "job_overview", "recent_runs", "job_chain", "waiting_run", "job_request",
    "my_job_definition", "member_job_definition", "my_alert", "member_alert", "my_job_change", "member_job_change",
    "cron.job", "cron.job_run_details", "problem", "job_problem", "visible_job_log", "member_waiting_run",
)  # fmt: skip
# Those that read one table.
DIRECT = ("my_job", "member_job", "my_job_log", "member_job_log", "member_once_job", "my_alert", "my_job_change")
# Of the secret, which lies between them, and of what is nobody's.
SECRET, BELOW, ABOVE, NOBODYS = "secret of the victim", "s", "t", "secret of nobody"
CONDITIONS = (
    ("{column} >= {}", BELOW, ABOVE),
    ("{column} = {}", SECRET, NOBODYS),
    ("{column} IN ({}, 'x')", SECRET, NOBODYS),
    ("{column} = {} AND rolname = {victim}", SECRET, NOBODYS),
    ("{column} LIKE {} || '%%'", SECRET, NOBODYS),
    ("{column} = ANY (ARRAY[{}])", SECRET, NOBODYS),  # which seems to be cheaper than a comparison
    ("{column} >= ANY (ARRAY[{}])", BELOW, ABOVE),
)
PLANS = (
    "RESET ALL",
    "SET cpu_operator_cost = 0",
    "SET enable_seqscan = off",
)


class Theatre:
    """Jobs, runs and requests of a victim, whose texts are secret, and some of mallory's own."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.victim, mallory = scheduler.role("victim"), scheduler.role("mallory")
        scheduler.start()
        scheduler.execute("SET client_min_messages = error")
        scheduler.execute("CREATE EXTENSION elephant_worker_cron")
        for role, text in ((self.victim, SECRET), (mallory, "own")):
            command = f"SELECT '{text}'"
            session = scheduler.connect_as(role)
            first = session.execute(
                "SELECT job_id FROM insert_job(%s, current_catalog, job_name := %s, job_description := %s, "
                "on_failure_command := %s, timezone := 'UTC')", (command, text, text, command)
            ).fetchone()  # fmt: skip
            assert first is not None
            session.execute(
                "SELECT insert_job(%s, current_catalog, run_after := ARRAY[%s]::bigint[])", (command, first.job_id)
            )
            scheduler.ended(scheduler.value("SELECT run_job(%s)", first.job_id))
        succeeded = "SELECT count(*) FROM job_log WHERE state = 'succeeded'"
        until(lambda: scheduler.value(succeeded) == 4, "the jobs, and those that run after them")
        scheduler.pause()
        # As the comparison is made: with the value itself.
        columns = "job_command, job_description, on_failure_command, datname"
        with scheduler.admin.transaction():
            scheduler.execute("SET LOCAL session_replication_role = replica")
            scheduler.execute(
                f"UPDATE job SET ({columns}) = ({', '.join(['job_name'] * 4)}) WHERE job_name IS NOT NULL"
            )
            scheduler.execute("UPDATE job_statistic SET failure_count = 1")
            scheduler.execute("UPDATE job SET part = 'pg_cron'")
            messages = "exception_message, exception_detail, exception_hint, exception_context, notices, command_tag"
            text = "CASE rolname WHEN {} THEN {} ELSE 'own' END"
            scheduler.execute(
                f"UPDATE job_log SET ({messages}, job_command, datname) = ({', '.join([text] * 8)})",
                *[sql.Literal(value) for value in (self.victim, SECRET)] * 8,
            )
            scheduler.execute(
                f"UPDATE job_change SET (changed_by, session_role, call) = ({', '.join([text] * 3)})",
                *[sql.Literal(value) for value in (self.victim, SECRET)] * 3,
            )
        for role, text in ((self.victim, SECRET), (mallory, "own")):
            scheduler.execute(
                """INSERT INTO alert (alert_id, event, raised_at, job_id, job_name, rolname, datname, server, sqlstate,
                                      explanation, since, told_at, delivery_error)
                   SELECT nextval('worker_inbox_request_id_seq'), t, now(), 1, t, {}, t, t, t, t, now(), now(), t
                   FROM CAST({} AS text) t""",
                sql.Literal(role), sql.Literal(text),
            )  # fmt: skip
            scheduler.connect_as(role).execute("SELECT run_once(%s)", (text,))
        scheduler.execute("SELECT run_job(job_id) FROM member_job")
        scheduler.execute("ANALYZE")
        self.session = scheduler.connect_as(mallory)

    def columns(self, view: str) -> list[str]:
        """Those with text. Roles, whose names everybody may know, are shown to be rows of somebody by an index."""
        rows = self.scheduler.execute(
            """SELECT c.attname AS name FROM pg_attribute c WHERE c.attrelid = {}::regclass AND c.attnum > 0
               AND c.atttypid IN ('text'::regtype, 'name'::regtype) AND c.attname NOT IN ('rolname', 'username')
               AND ({} <> 'job_request' OR c.attname NOT IN ('kind', 'cause'))
               AND ({} <> 'waiting_run' OR c.attname <> 'cause')
               AND ({} NOT LIKE '%_job_change' OR c.attname <> 'action')""",
            *(sql.Literal(text) for text in (view, view, view, view)),
        )
        return [row.name for row in rows]

    def query(self, view: str, column: str, condition: str, value: str) -> sql.Composed:
        where = sql.SQL(condition).format(
            sql.Literal(value), column=sql.Identifier(column), victim=sql.Literal(self.victim)
        )
        return sql.SQL("SELECT 1 FROM {} WHERE {}").format(sql.Identifier(*view.split(".")), where)

    def count(self, view: str, column: str, condition: str, value: str) -> int:
        return self.session.execute(self.query(view, column, condition, value)).rowcount

    def explain(self, view: str, column: str, condition: str, value: str) -> str:
        """What has been executed, with the estimates."""
        options = sql.SQL("EXPLAIN (ANALYZE, VERBOSE, BUFFERS OFF, TIMING OFF, SUMMARY OFF) ")
        query = options + self.query(view, column, condition, value)
        lines = [row[0] for row in self.session.execute(query).fetchall()]
        return re.sub(r"'(?:[^']|'')*'", "'…'", "\n".join(lines))


@pytest.fixture(scope="module")
def theatre(cluster: Any) -> Iterator[Theatre]:
    scheduler = new_scheduler(cluster)
    yield Theatre(scheduler)
    scheduler.close()


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
def test_explain_does_not_tell_what_is_in_rows_of_others(theatre: Theatre, view: str) -> None:
    has_role = "rolname" in {row.attname for row in theatre.scheduler.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = {}::regclass", sql.Literal(view)
    )}  # fmt: skip
    columns = theatre.columns(view)
    # Where the numbers of rows are the same, which they are not where rows of one's own differ too.
    compared = [
        (column, condition, one, other)
        for column in columns
        for condition, one, other in CONDITIONS
        if (has_role or "rolname" not in condition)
        and theatre.count(view, column, condition, one) == theatre.count(view, column, condition, other)
    ]
    assert {column for column, *_ in compared} == set(columns)
    for place, plan in enumerate(PLANS):
        theatre.session.execute(plan)
        # Plans without sequential scans seem to be dear enough to be compiled, each of them.
        theatre.session.execute(f'SET jit = off; SET search_path = "{SCHEMA}", {INTERNAL}')
        # Planning the other views takes long: each condition in one of the plans is enough there.
        for column, condition, one, other in compared if view in DIRECT else compared[place :: len(PLANS)]:
            # The worker goes on, and what is late or overdue becomes so: only what always differs tells anything.
            for _ in range(3):
                found = [theatre.explain(view, column, condition, value) for value in (one, other)]
                if found[0] == found[1]:
                    break
            assert found[0] == found[1], (plan, column, condition)
    theatre.session.execute(f'RESET ALL; SET search_path = "{SCHEMA}", {INTERNAL}')


@pytest.mark.parametrize("view", ["my_job", "member_job", "my_job_log", "member_job_log"])
def test_long_texts_of_others_are_not_even_read(theatre: Theatre, view: str) -> None:
    """Comparing one would read the pages that it is kept on, which EXPLAIN counts."""
    table = "job_log" if view.endswith("log") else "job"
    before = theatre.scheduler.execute(f"SELECT job_id, job_command FROM {table} WHERE rolname = {{}}",
                                       sql.Literal(theatre.victim)).fetchall()  # fmt: skip
    with theatre.scheduler.admin.transaction():
        theatre.scheduler.execute("SET LOCAL session_replication_role = replica")
        theatre.scheduler.execute(
            f"""UPDATE {table} SET job_command = (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 30000) n)
                WHERE rolname = {{}}""",
            sql.Literal(theatre.victim),
        )
    try:
        explain = f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF) SELECT FROM {view} WHERE job_command"
        counts = []
        for condition in (">= 'x'", "= ANY ('{x,y}')", "< 'x'"):
            for _ in range(2):  # what the first one reads are catalogs
                plan = "\n".join(row[0] for row in theatre.session.execute(f"{explain} {condition}").fetchall())
            counts += [int(number) for number in re.findall(r"shared hit=(\d+)", plan.partition("Planning")[0])]
        assert counts
        assert max(counts) < 100  # a text of 960 kB is on more
    finally:
        with theatre.scheduler.admin.transaction():
            theatre.scheduler.execute("SET LOCAL session_replication_role = replica")
            for row in before:
                theatre.scheduler.execute(
                    f"UPDATE {table} SET job_command = {{}} WHERE job_id = {{}}",
                    sql.Literal(row.job_command), sql.Literal(row.job_id),
                )  # fmt: skip


@pytest.mark.parametrize("view", ["my_job", "member_job"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET enabled = true WHERE {}", "DELETE FROM {} WHERE {}"])
def test_nor_does_explain_of_a_change(theatre: Theatre, view: str, statement: str) -> None:
    for column in ("job_name", "job_command", "job_description", "defined_by"):
        found = []
        for value in (BELOW, ABOVE):
            query = sql.SQL("EXPLAIN (ANALYZE, BUFFERS OFF, TIMING OFF, SUMMARY OFF) " + statement).format(
                sql.SQL(view), sql.SQL(column + " >= {}").format(sql.Literal(value))
            )
            with theatre.session.transaction(force_rollback=True):
                lines = theatre.session.execute(query).fetchall()
            found.append(re.sub(r"'(?:[^']|'')*'", "'…'", "\n".join(row[0] for row in lines)))
        assert found[0] == found[1], column


def test_no_statistics_are_kept_of_what_users_write(theatre: Theatre) -> None:
    sampled = {row.column for row in theatre.scheduler.execute(
        """SELECT tablename || '.' || attname AS column FROM pg_stats
           WHERE schemaname IN ({}, {}) AND concat(most_common_vals::text, histogram_bounds::text) LIKE '%secret%'""",
        sql.Literal(SCHEMA), sql.Literal(INTERNAL),
    )}  # fmt: skip
    assert not sampled
    for view in ("pg_stats", "pg_stats_ext"):
        assert theatre.session.execute(
            f"SELECT FROM {view} WHERE schemaname IN (%s, %s) AND tablename <> 'worker_setting'", (SCHEMA, INTERNAL)
        ).fetchall() == []  # fmt: skip


def test_a_member_sees_what_a_monitor_does_not_touch(theatre: Theatre) -> None:
    """Who sees all jobs may touch those of its own roles alone."""
    scheduler = theatre.scheduler
    role = scheduler.role("monitor")
    scheduler.execute("GRANT job_monitor TO {}", sql.Identifier(role))
    session = scheduler.connect_as(role)
    assert len(session.execute("SELECT FROM all_job").fetchall()) == 4
    assert len(session.execute("SELECT FROM all_job_log").fetchall()) == 4
    assert len(session.execute("SELECT FROM visible_job").fetchall()) == 4
    for view in ("my_job", "member_job", "my_job_log", "member_job_log", "member_once_job"):
        assert session.execute(f"SELECT FROM {view}").fetchall() == []
    assert session.execute("UPDATE member_job SET enabled = false").rowcount == 0
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("UPDATE visible_job SET enabled = false")
    assert len(scheduler.execute("SELECT FROM member_job").fetchall()) == 4
    assert scheduler.value("SELECT count(*) FROM pg_roles WHERE rolname = %s AND rolsuper", USER) == 1
