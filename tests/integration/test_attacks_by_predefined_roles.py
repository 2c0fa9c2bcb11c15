"""Roles that may write or read all data gain no more than data: they cannot have the worker act for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import USER
from harness.remedies import alternatives, mend
from harness.scheduler import INTERNAL, SCHEMA, Scheduler, new_scheduler
from harness.waiting import until

# What each of them would have the worker do, or hide what it did. {superuser} and {me} are literals, {job} and
# {run} are the superuser's.
WRITES = {
    "a row of a dump, in once_job": """INSERT INTO once_job (job_command, datname, rolname, defined_by, schedule_set_at)
        VALUES ('CREATE TABLE public.owned ()', current_catalog, {superuser}, {superuser}, now())""",
    "a row of a dump, in job": """INSERT INTO job (job_command, datname, rolname, defined_by, schedule, schedule_set_at,
        first_run_at) VALUES ('CREATE TABLE public.owned ()', current_catalog, {superuser}, {superuser}, '1 second',
        now(), now())""",
    "COPY": "COPY once_job (job_command, datname, rolname, defined_by, schedule_set_at) FROM STDIN",
    "a new job, through the view below": """INSERT INTO all_job (job_command, datname, rolname, defined_by)
        VALUES ('CREATE TABLE public.owned ()', current_catalog, {superuser}, {superuser})""",
    "a new job, through visible_job": """INSERT INTO visible_job (job_command, datname, rolname, defined_by)
        VALUES ('CREATE TABLE public.owned ()', current_catalog, {superuser}, {superuser})""",
    "the command": "UPDATE job SET job_command = 'CREATE TABLE public.owned ()'",
    "the command, through the view below": "UPDATE all_job SET job_command = 'CREATE TABLE public.owned ()'",
    "the description": "UPDATE all_job SET job_description = 'x' WHERE job_id = {job}",
    "the schedule": "UPDATE all_job SET schedule = '1 second', enabled = true WHERE job_id = {job}",
    "the schedule, in the table": "UPDATE job SET schedule = '1 second', enabled = true WHERE job_id = {job}",
    "when it was set": "UPDATE job SET schedule_set_at = now(), first_run_at = now()",
    "who answers for it": "UPDATE job SET defined_by = {superuser}",
    "another's job, deleted": "DELETE FROM job WHERE job_id = {job}",
    "another's job, deleted through the view below": "DELETE FROM all_job WHERE job_id = {job}",
    "another's job, deleted through visible_job": "DELETE FROM visible_job WHERE job_id = {job}",
    "what waits, through its parent": "UPDATE job SET job_command = 'CREATE TABLE public.owned ()' WHERE job_id < 0",
    "what waits, deleted through its parent": "DELETE FROM job WHERE job_id < 0",
    "what waits": "UPDATE once_job SET job_command = 'CREATE TABLE public.owned ()'",
    "a run": "INSERT INTO worker_request (kind, job_id) VALUES ('run', {job})",
    "a run, through the view": "INSERT INTO job_request (kind, job_id) VALUES ('run', {job})",
    "a retry": "INSERT INTO worker_request (kind, cause, job_id, attempt) VALUES ('run', 'retry', {job}, 1)",
    "a stop": "INSERT INTO worker_request (kind) VALUES ('stop')",
    "a definition": "INSERT INTO worker_request (kind, job_id) VALUES ('define', {job})",
    "a cancel": "INSERT INTO worker_request (kind, jl_id) VALUES ('cancel run', {run})",
    "a retry to come": "INSERT INTO pending_run VALUES ({job}, now(), now(), 1, 1)",
    "an end that others wait for": "INSERT INTO finished_dependency VALUES ({job}, {job}, 1, true)",
    "when it is due": "UPDATE job_state SET next_run_at = now(), disabled_at = NULL",
    "that it is not due": "UPDATE job_state SET next_run_at = NULL",
    "a state": "INSERT INTO job_state VALUES ({job}, now(), now())",
    "quarantine": "UPDATE job_state SET quarantined_reason = NULL",
    "counters": "UPDATE job_statistic SET success_count = 0",
    "the settings": "UPDATE worker_setting SET conninfo = 'host=example.com'",
    "new settings": "INSERT INTO worker_setting (conninfo) VALUES ('host=example.com')",
    "no settings": "DELETE FROM worker_setting",
    "who the worker is": "UPDATE worker_state SET pid = pg_backend_pid(), armed = true",
    "the log, forged": """INSERT INTO job_log (jl_id, job_id, rolname, datname, cause, scheduled_at, state, job_command)
        VALUES (1000000000, {job}, {me}, 'x', 'request', now(), 'succeeded', '')""",
    "the log, changed": "UPDATE job_log SET state = 'succeeded'",
    "the log, changed through the view below": "UPDATE all_job_log SET state = 'succeeded'",
    "the log, changed through one's own view": "UPDATE my_job_log SET state = 'failed'",
    "the log, deleted": "DELETE FROM all_job_log",
    "a trial": "INSERT INTO dry_run (job_id, rolname, datname, job_command, job_timeout) "
    "VALUES (1, {superuser}, current_catalog, 'CREATE TABLE public.owned ()', '1 minute')",
}
TABLES = (
    "job", "once_job", "job_log", "job_state", "job_statistic", "pending_run", "finished_dependency", "worker_request",
    "worker_setting",
)  # fmt: skip


class Stage:
    """A worker, paused, with a job, a run and a request of the superuser; and roles that may write all data."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.job = scheduler.insert("SELECT 1", schedule="@yearly")
        scheduler.start()
        self.run = scheduler.ended(scheduler.value("SELECT run_job(%s)", self.job)).jl_id
        # From now on the worker has nothing more to write.
        until(lambda: scheduler.value("SELECT spare_pid FROM worker_state"), "the spare")
        until(
            lambda: scheduler.value("SELECT count(*) FROM metric_counter WHERE name = 'runs'"), "the run to be counted"
        )
        scheduler.pause()
        scheduler.value("SELECT run_once('SELECT 1')")
        # With job_scheduler or job_monitor it may also call what checks a definition.
        self.sessions: dict[str, Any] = {}
        for name, roles in {
            "writer": ["pg_write_all_data", "pg_read_all_data"],
            "scheduling writer": ["pg_write_all_data", "pg_read_all_data", "job_scheduler"],
            "monitoring writer": ["pg_write_all_data", "pg_read_all_data", "job_monitor"],
            "writer of everything": ["pg_write_all_data", "pg_read_all_data", "job_scheduler", "job_monitor"],
        }.items():
            role = scheduler.role(name, "LOGIN BYPASSRLS", scheduler=False)
            for member_of in roles:
                scheduler.execute("GRANT {} TO {}", sql.Identifier(member_of), sql.Identifier(role))
            self.sessions[role] = scheduler.connect_as(role)

    def contents(self) -> list[Any]:
        return [self.scheduler.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in TABLES]


@pytest.fixture(scope="module")
def stage(cluster: Any) -> Iterator[Stage]:
    scheduler = new_scheduler(cluster)
    yield Stage(scheduler)
    scheduler.close()


@pytest.mark.parametrize("name", WRITES)
def test_who_may_write_all_data_may_not_write_what_the_worker_does(stage: Stage, name: str) -> None:
    before = stage.contents()
    for role, session in stage.sessions.items():
        statement = sql.SQL(WRITES[name]).format(
            superuser=sql.Literal(USER), me=sql.Literal(role), job=stage.job, run=stage.run
        )
        changed = 0
        try:
            if name == "COPY":
                with session.cursor().copy(statement) as copy:
                    copy.write(f"SELECT 1\t{stage.scheduler.dbname}\t{USER}\t{USER}\t2020-01-01\n")
            else:
                changed = session.execute(statement).rowcount
        except psycopg.Error as error:
            assert error.sqlstate in {"42501", "P0002", "0A000"}, error  # noqa: PT017 - what does not fail changes nothing
        assert changed == 0, role
    assert stage.contents() == before
    assert stage.scheduler.value("SELECT armed AND pid <> ALL (%s) FROM worker_state", [
        session.info.backend_pid for session in stage.sessions.values()
    ])  # fmt: skip


def test_a_membership_that_gives_nothing_is_none(stage: Stage) -> None:
    """In the role of a superuser, without its privileges: who has that is no superuser."""
    scheduler = stage.scheduler
    nominal, role = scheduler.role("nominal", "NOINHERIT", scheduler=False), scheduler.role("mallory")
    options = "WITH INHERIT FALSE, SET FALSE" if scheduler.admin.info.server_version >= 160000 else ""
    scheduler.execute(f"GRANT {{}} TO {{}} {options}", sql.Identifier(USER), sql.Identifier(nominal))
    for member_of in (nominal, "pg_write_all_data", "pg_read_all_data"):
        scheduler.execute("GRANT {} TO {}", sql.Identifier(member_of), sql.Identifier(role))
    session = scheduler.connect_as(role)
    before = stage.contents()
    for name in ("a stop", "a definition", "when it is due", "the settings", "who the worker is", "the log, changed"):
        statement = sql.SQL(WRITES[name]).format(job=stage.job)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement)
    if options:  # before, it can become the superuser, and so define jobs for it
        for name in ("a row of a dump, in once_job", "a run, through the view"):
            statement = sql.SQL(WRITES[name]).format(superuser=sql.Literal(USER), job=stage.job)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement)
    assert stage.contents() == before


def test_a_membership_in_job_scheduler_that_gives_nothing_is_none(scheduler: Scheduler) -> None:
    """A job goes on while its definer has the rights of job_scheduler, or can take them by SET ROLE."""
    has_options = scheduler.admin.info.server_version >= 160000
    definer = scheduler.role("definer", "LOGIN NOINHERIT", scheduler=False)
    names = {"definer": sql.Identifier(definer)}

    def grant(options: str) -> None:
        statement = "REVOKE job_scheduler FROM {definer}; GRANT job_scheduler TO {definer} " + options
        scheduler.admin.execute(sql.SQL(statement).format(**names))

    grant("")
    scheduler.insert("SELECT 1", rolname=definer)
    scheduler.execute("UPDATE member_job SET defined_by = {}", sql.Literal(definer))
    scheduler.start()

    def run() -> Any:
        return scheduler.ended(scheduler.value("SELECT run_job((SELECT job_id FROM member_job))"))

    for options in ("WITH INHERIT FALSE, SET TRUE", "WITH INHERIT TRUE, SET FALSE") if has_options else ("",):
        grant(options)
        assert run().state == "succeeded", options
    if has_options:
        grant("WITH INHERIT FALSE, SET FALSE")
        assert scheduler.value("SELECT pg_has_role(%s, 'job_scheduler', 'MEMBER')", definer)
    else:
        scheduler.execute("REVOKE job_scheduler FROM {}", sql.Identifier(definer))
    refused = run()
    assert (refused.state, refused.job_sqlstate) == ("failed", "42501")
    assert refused.exception_message.endswith("does not have the rights of job_scheduler")
    (row,) = scheduler.execute("SELECT * FROM check_jobs()").fetchall()
    mend(scheduler, alternatives(row.remedy)["to let it define jobs again"])
    assert run().state == "succeeded"


def test_a_membership_by_which_a_role_cannot_act_is_mended(scheduler: Scheduler) -> None:
    team, definer = scheduler.role("team", scheduler=False), scheduler.role("definer")
    scheduler.execute("GRANT {} TO {}", sql.Identifier(team), sql.Identifier(definer))
    with scheduler.connect_as(definer) as session:
        session.execute("SELECT insert_job('SELECT 1', current_catalog, rolname := %s)", (team,))
    scheduler.execute("REVOKE {} FROM {}", sql.Identifier(team), sql.Identifier(definer))
    if scheduler.admin.info.server_version >= 160000:
        scheduler.execute("GRANT {} TO {} WITH SET FALSE", sql.Identifier(team), sql.Identifier(definer))
    (row,) = scheduler.execute("SELECT * FROM check_jobs()").fetchall()
    assert row.found.endswith(f'may not act as role "{team}"')
    mend(scheduler, alternatives(row.remedy)["to let it act as that role"])
    assert scheduler.value("SELECT state FROM check_jobs()") == "ok"


def test_nor_as_a_subscription_would(stage: Stage) -> None:
    """Which fires no triggers but those for replicas, and is what pg_create_subscription lets make."""
    before = stage.contents()
    (role, session) = next(reversed(stage.sessions.items()))
    stage.scheduler.execute("GRANT SET ON PARAMETER session_replication_role TO {}", sql.Identifier(role))
    try:
        session.execute("SET session_replication_role = replica")
        for name, statement in WRITES.items():
            if name != "COPY":
                values = {"superuser": sql.Literal(USER), "me": sql.Literal(role), "job": stage.job, "run": stage.run}
                with suppress(psycopg.Error):
                    session.execute(sql.SQL(statement).format(**values))
    finally:
        session.execute("RESET session_replication_role")
        stage.scheduler.execute("REVOKE SET ON PARAMETER session_replication_role FROM {}", sql.Identifier(role))
    assert stage.contents() == before


def test_what_they_write_as_themselves_is_checked_as_a_definition(scheduler: Scheduler) -> None:
    """A row that pretends to come from a dump becomes a job of the role's own, complete and due as it says."""
    role = scheduler.role("writer")
    scheduler.execute("GRANT pg_write_all_data, pg_read_all_data TO {}", sql.Identifier(role))
    session = scheduler.connect_as(role)
    session.execute(
        """INSERT INTO job (job_command, datname, rolname, defined_by, schedule, schedule_set_at, first_run_at)
           VALUES ('SELECT 1', current_catalog, current_user, %s, '@yearly', '-infinity', '2020-01-01')""",
        (USER,),
    )
    row = scheduler.execute("SELECT * FROM job").fetchone()
    assert row is not None
    assert (row.rolname, row.defined_by) == (role, role)
    assert scheduler.value("SELECT first_run_at > now() AND schedule_set_at > now() - interval '1 minute' FROM job")
    for statement in (
        "UPDATE job SET first_run_at = now(), schedule_set_at = '-infinity'",
        "UPDATE job SET defined_by = current_user",
    ):
        session.execute(statement)
    assert scheduler.execute("SELECT * FROM job").fetchone() == row
    for command, timeout in (("SELECT 1", "-1 second"), ("", "1 second")):
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            session.execute(
                "INSERT INTO job (job_command, datname, job_timeout, defined_by, schedule_set_at) "
                "VALUES (%s, current_catalog, %s, current_user, now())",
                (command, timeout),
            )
    for table, number in (("job", -7), ("once_job", 7)):
        with pytest.raises(psycopg.errors.NoDataFound):
            session.execute(
                f"INSERT INTO {table} (job_id, job_command, datname, defined_by, schedule_set_at) "
                "OVERRIDING SYSTEM VALUE VALUES (%s, 'SELECT 1', current_catalog, current_user, now())",
                (number,),
            )


def test_nobody_chooses_the_number_of_a_request(worker: Scheduler) -> None:
    """Those of runs and one-off jobs go on after the greatest that there is: nobody would get another one."""
    role = worker.role("writer")
    worker.execute("GRANT pg_write_all_data, pg_read_all_data TO {}", sql.Identifier(role))
    job = worker.insert("SELECT 1", rolname=role)
    next_run = worker.value("SELECT run_job(%s)", job)
    worker.ended(next_run)
    session = worker.connect_as(role)
    session.execute("SELECT run_once('SELECT 1')")  # the session has drawn numbers
    insert = "INSERT INTO {} OVERRIDING SYSTEM VALUE VALUES (%s, {}) RETURNING {}"
    for number in (2**63 - 1, 2**63 - 2, -(2**63), -5, 0, next_run, next_run + 50):
        for values in (f"'run', {job}", f"'cancel', {job}"):
            request = session.execute(
                insert.format("worker_request (request_id, kind, job_id)", values, "request_id AS number"), (number,)
            ).fetchone()
            assert request is not None
            assert next_run < request.number < next_run + 50, (number, values)
    for number in (-(2**63), -(2**63) + 1, 0):
        once = session.execute(
            insert.format("once_job (job_id, job_command, datname)", "'SELECT 1', current_catalog", "job_id AS number"),
            (number,),
        ).fetchone()
        assert once is not None
        assert -100 < once.number < 0
    worker.execute("SELECT advance_sequences()")
    assert worker.ended(worker.value("SELECT run_once('SELECT 1')")).state == "succeeded"
    assert worker.ended(worker.value("SELECT run_job(%s)", job)).jl_id < next_run + 100


def test_who_may_read_all_data_can_dump_it(scheduler: Scheduler, tmp_path: Path) -> None:
    role = scheduler.role("backup", scheduler=False)
    scheduler.execute("GRANT pg_read_all_data TO {}", sql.Identifier(role))
    scheduler.insert("SELECT 'in the dump'")
    conninfo = (
        f"host=127.0.0.1 port={scheduler.cluster.port} user='{role}' password='{role}' dbname='{scheduler.dbname}'"
    )
    scheduler.cluster.command("pg_dump", f"--file={tmp_path / 'dump'}", f"--dbname={conninfo}")
    assert "in the dump" in (tmp_path / "dump").read_text()
    session = scheduler.connect_as(role)
    for statement in (
        "SELECT insert_job('SELECT 1', current_catalog)",
        "SELECT run_once('SELECT 1')",
        "SELECT * FROM server_login('x', 10)",
        "CALL run_worker()",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement)


def test_no_table_is_written_to(stage: Stage) -> None:
    """Nor one that the list above does not have, in whatever schema. job and once_job take rows of one's own."""
    tables = [row.name for row in stage.scheduler.execute(
        """SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'e'
           JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'elephant_worker' WHERE c.relkind = 'r'"""
    )]  # fmt: skip
    assert len(tables) >= 17

    def contents() -> list[Any]:
        return [stage.scheduler.execute(f"SELECT t.*, t.ctid FROM {table} t").fetchall() for table in tables]

    before = contents()
    for session in stage.sessions.values():
        for table in tables:
            names = session.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
                (table,),
            ).fetchall()
            column = f'"{names[-1].attname}"'
            statements = [
                f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}", f"TRUNCATE {table}",
                f"INSERT INTO {table} SELECT * FROM {table}",
            ]  # fmt: skip
            for statement in statements[:3] if table in ("job", "once_job") else statements:
                with pytest.raises(psycopg.Error) as refused:
                    session.execute(statement)
                assert refused.value.sqlstate in {"42501", "P0002", "428C9"}, statement
    assert contents() == before


RESTORE_STATISTICS = """
    SELECT pg_restore_relation_stats('schemaname', n.nspname::text, 'relname', c.relname::text,
                                     'relpages', 2000000000, 'reltuples', '1e30'::real)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = %(table)s::regclass AND c.relkind = 'r'"""


def test_who_may_maintain_tables_gains_nothing(scheduler: Scheduler) -> None:
    """pg_maintain, of PostgreSQL 17 and later, can lock what it maintains, and so have the worker wait, and no more:
    it has no statistics made of what users write."""
    scheduler.start()
    scheduler.ended(scheduler.value("SELECT run_job(%s)", scheduler.insert("SELECT 'secret'", job_name="secret")))
    maintainer = scheduler.role("maintainer", scheduler=False)
    for name in ("pg_maintain", "pg_write_all_data", "pg_signal_backend"):
        if scheduler.value("SELECT to_regrole(%s) IS NOT NULL", name):
            scheduler.execute("GRANT {} TO {}", sql.Identifier(name), sql.Identifier(maintainer))
    session = scheduler.connect_as(maintainer)
    names = [row.name for row in scheduler.execute(
        """SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'e'
           JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'elephant_worker' WHERE c.relkind IN ('r', 'v')"""
    )]  # fmt: skip
    done = 0
    if scheduler.value("SELECT to_regproc('pg_restore_relation_stats') IS NOT NULL"):  # PostgreSQL 18 and later
        for table in names:
            session.execute(RESTORE_STATISTICS, {"table": table})
    for name in names:
        for statement in (
            "ANALYZE {}", "VACUUM (FULL, ANALYZE) {}", "REINDEX TABLE {}", "CLUSTER {}", "LOCK TABLE {}",
            "REFRESH MATERIALIZED VIEW {}", "SELECT FROM {}",
        ):  # fmt: skip
            try:
                session.execute("SET lock_timeout = '5s'")
                with session.transaction() if statement.startswith("LOCK") else nullcontext():
                    session.execute(statement.format(name))
                done += 1
            except psycopg.Error as error:
                # 42501; not a table; not clustered; the worker has it.
                assert error.sqlstate in {"42501", "42809", "42704", "55P03", "40P01", "0A000"}, (statement, error)  # noqa: PT017
    assert done > 20  # VACUUM and ANALYZE only warn
    sampled = scheduler.execute(
        """SELECT tablename, attname FROM pg_stats
           WHERE schemaname IN ({}, {}) AND concat(most_common_vals::text, histogram_bounds::text) LIKE '%secret%'""",
        sql.Literal(SCHEMA), sql.Literal(INTERNAL),
    ).fetchall()  # fmt: skip
    assert sampled == []
    pid = scheduler.value("SELECT pid FROM worker_status")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("SELECT pg_terminate_backend(%s)", (pid,))
    assert scheduler.run("SELECT 1").state == "succeeded"
    assert scheduler.value("SELECT pid FROM worker_status") == pid
