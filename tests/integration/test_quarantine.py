"""Jobs that have lost what they need are stopped, visibly, and go on by themselves when they have it again."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.scheduler import Scheduler
from harness.waiting import until

# What takes away, what gives back, the SQLSTATE, and a part of the reason.
REASONS = {
    "role renamed": (
        "ALTER ROLE {role} RENAME TO somebody_else",
        "ALTER ROLE somebody_else RENAME TO {role}",
        "42704",
        "does not exist",
    ),
    "database renamed": (
        "ALTER DATABASE {database} RENAME TO elsewhere",
        "ALTER DATABASE elsewhere RENAME TO {database}",
        "3D000",
        "does not exist",
    ),
    "database closed": (
        "ALTER DATABASE {database} ALLOW_CONNECTIONS false",
        "ALTER DATABASE {database} ALLOW_CONNECTIONS true",
        "55000",
        "does not accept connections",
    ),
    "database without connections": (
        "ALTER DATABASE {database} CONNECTION LIMIT 0",
        "ALTER DATABASE {database} CONNECTION LIMIT 1",
        "53300",
        "has CONNECTION LIMIT 0",
    ),
    # As an interrupted DROP DATABASE leaves it.
    "database invalid": (
        "UPDATE pg_database SET datconnlimit = -2 WHERE datname = {database_text}",
        "UPDATE pg_database SET datconnlimit = -1 WHERE datname = {database_text}",
        "55000",
        "is invalid",
    ),
    "no CONNECT": (
        "REVOKE CONNECT ON DATABASE {database} FROM PUBLIC",
        "GRANT CONNECT ON DATABASE {database} TO PUBLIC",
        "42501",
        "may not connect to database",
    ),
    "no job_scheduler": (
        "REVOKE job_scheduler FROM {definer}",
        "GRANT job_scheduler TO {definer}",
        "42501",
        "does not have the rights of job_scheduler",
    ),
    "no membership": ("REVOKE {role} FROM {definer}", "GRANT {role} TO {definer}", "42501", "may not act as role"),
    "definer renamed": (
        "ALTER ROLE {definer} RENAME TO somebody_else",
        "ALTER ROLE somebody_else RENAME TO {definer}",
        "42704",
        "which defined the job, does not exist",
    ),
    "no LOGIN": (
        "UPDATE worker_setting SET connect_as = 'role', conninfo = {socket}; ALTER ROLE {role} NOLOGIN",
        "UPDATE worker_setting SET connect_as = 'runner', conninfo = ''; ALTER ROLE {role} LOGIN",
        "28000",
        "is not permitted to log in",
    ),
    "time zone gone": (
        "UPDATE job SET timezone = 'Atlantis/Center' WHERE rolname = {role_text}",
        "UPDATE job SET timezone = 'UTC' WHERE rolname = {role_text}",
        "22023",
        "unknown time zone",
    ),
}


@pytest.mark.parametrize("name", REASONS)
def test_quarantine(scheduler: Scheduler, name: str) -> None:
    take, give, sqlstate, reason = REASONS[name]
    role, definer, database = scheduler.role("team", scheduler=False), scheduler.role("definer"), scheduler.database()
    names = {"role": sql.Identifier(role), "definer": sql.Identifier(definer), "database": sql.Identifier(database)}

    socket = sql.Literal(f"host={scheduler.cluster.socket_directory}")
    texts = {"role_text": sql.Literal(role), "database_text": sql.Literal(database), "socket": socket}

    def execute(statement: str) -> None:
        for part in statement.split("; "):
            # As the restore of a dump does: without the checks that a definition goes through.
            with scheduler.admin.transaction():
                if part.startswith("UPDATE job"):
                    scheduler.execute("SET LOCAL session_replication_role = replica")
                scheduler.admin.execute(sql.SQL(part).format(**texts, **names))

    execute("GRANT {role} TO {definer}")
    with scheduler.connect_as(definer) as session:
        row = session.execute(
            "SELECT job_id FROM insert_job('SELECT 1', %s, '1 second', %s, timezone := 'UTC')", (database, role)
        ).fetchone()
        assert row is not None
    job_id = row.job_id
    other = scheduler.insert("SELECT 1", schedule="1 second")
    execute(take)
    scheduler.start()

    def state() -> Any:
        return scheduler.execute("SELECT * FROM all_job WHERE job_id = {}", sql.Literal(job_id)).fetchone()

    until(lambda: state().quarantined_reason, "quarantine")
    assert reason in state().quarantined_reason
    assert state().quarantined_since is not None
    due = state().next_run_at
    if name == "time zone gone":
        assert due > state().quarantined_since
    else:
        until(lambda: state().next_run_at > due, "its next due time to go by")
    (row,) = scheduler.log(job_id)
    assert (row.state, row.job_sqlstate, row.exception_message) == ("failed", sqlstate, state().quarantined_reason)
    assert row.exception_detail
    assert row.exception_hint
    run = scheduler.ended(scheduler.value("SELECT run_job(%s)", job_id))
    assert (run.state, run.job_sqlstate, run.exception_message) == ("failed", sqlstate, row.exception_message)
    until(lambda: scheduler.successes(other) >= 2, "the other job to go on")

    execute(give)
    if name == "time zone gone":
        scheduler.value("SELECT run_job(%s)", job_id)
    until(lambda: scheduler.log(job_id)[-1].state == "succeeded", "the job to run again")
    assert (state().quarantined_reason, state().quarantined_since) == (None, None)


def test_a_job_is_taken_over(scheduler: Scheduler) -> None:
    team, leaver, heir = scheduler.role("team", "NOLOGIN", False), scheduler.role("leaver"), scheduler.role("heir")
    for member in (leaver, heir):
        scheduler.execute("GRANT {} TO {}", sql.Identifier(team), sql.Identifier(member))
    with scheduler.connect_as(leaver) as session:
        session.execute("SELECT insert_job('SELECT 1', current_catalog, '1 second', %s)", (team,))
    job_id = scheduler.value("SELECT job_id FROM all_job")
    scheduler.execute("REVOKE job_scheduler FROM {}", sql.Identifier(leaver))
    scheduler.start()
    until(lambda: scheduler.value("SELECT quarantined_reason FROM all_job"), "quarantine")
    session = scheduler.connect_as(heir)
    session.execute("UPDATE member_job SET job_description = 'touched, not taken over'")
    assert scheduler.value("SELECT defined_by FROM all_job") == leaver
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="can only be set to yourself"):
        session.execute("UPDATE member_job SET defined_by = %s", (team,))
    session.execute("UPDATE member_job SET defined_by = current_user WHERE defined_by = %s", (leaver,))
    until(lambda: scheduler.log(job_id)[-1].state == "succeeded", "the job to run")
    assert scheduler.value("SELECT quarantined_reason IS NULL FROM all_job")


def test_a_full_role_waits_and_others_do_not(scheduler: Scheduler) -> None:
    scheduler.execute("UPDATE worker_setting SET max_running_jobs_per_role = 2")
    greedy, modest = scheduler.role("greedy"), scheduler.role("modest")
    scheduler.start()
    with scheduler.connect() as blocker, blocker.transaction():
        blocker.execute("SELECT pg_advisory_xact_lock(7)")
        held = [scheduler.insert("SELECT pg_advisory_xact_lock(7)", rolname=greedy) for _ in range(5)]
        runs = [scheduler.value("SELECT run_job(%s)", job_id) for job_id in held[:3]]
        # Due at the same moment, the greedy ones before the other.
        *due, other = [
            row.job_id
            for row in scheduler.execute(
                """INSERT INTO member_job (job_command, datname, rolname, schedule)
                   SELECT CASE WHEN rolname = {} THEN 'SELECT pg_advisory_xact_lock(7)' ELSE 'SELECT 1' END,
                       current_catalog, rolname, (statement_timestamp() + '3 seconds')::text
                   FROM unnest(array_fill({}::name, ARRAY[40]) || {}::name) rolname
                   RETURNING job_id""",
                sql.Literal(greedy), sql.Literal(greedy), sql.Literal(modest),
            )
        ]  # fmt: skip
        until(lambda: scheduler.successes(other), "the other role's job")
        assert scheduler.ended(scheduler.value("SELECT run_job(%s)", other)).state == "succeeded"
        assert scheduler.value("SELECT count(*) FROM all_job_log WHERE rolname = %s", greedy) == 2
        # Nothing is lost, nothing is asked for ever and ever.
        asked = "SELECT seq_scan + idx_scan FROM pg_stat_user_tables WHERE relname = 'job'"
        scheduler.tick()
        before = scheduler.value(asked)
        for _ in range(2):
            scheduler.tick()
        assert scheduler.value(asked) - before < 1000
    assert [scheduler.ended(run).state for run in runs] == ["succeeded"] * 3
    until(lambda: [run.state for job_id in due for run in scheduler.log(job_id)] == ["succeeded"] * 40, "all to run")


def test_a_role_with_endless_work_does_not_hold_up_others(scheduler: Scheduler) -> None:
    scheduler.execute("UPDATE worker_setting SET max_running_jobs_per_role = 2")
    greedy, modest = scheduler.role("greedy"), scheduler.role("modest")
    # Far more than can be done: what is due of it is always older than what is due of others.
    scheduler.execute(
        """INSERT INTO member_job (job_command, datname, rolname, schedule)
           SELECT 'SELECT pg_sleep(0.01)', current_catalog, {}, '1 second' FROM generate_series(1, 5000)""",
        sql.Literal(greedy),
    )
    scheduler.start()
    until(lambda: scheduler.value("SELECT due_jobs > 4000 FROM worker_status"), "more work than can be done")
    job_id = scheduler.insert("SELECT 1", rolname=modest, schedule="1 second")
    until(lambda: scheduler.successes(job_id) >= 3, "the other role's job")
    # It waited for few of them.
    before = """SELECT count(*) FROM all_job_log g, all_job_log m WHERE g.rolname = %s AND m.rolname = %s
                AND g.job_started BETWEEN m.scheduled_at AND m.job_started GROUP BY m.jl_id ORDER BY 1 DESC LIMIT 1"""
    assert (scheduler.value(before, greedy, modest) or 0) < 500


def test_no_more_jobs_than_max_jobs_per_role(scheduler: Scheduler) -> None:
    scheduler.execute("UPDATE worker_setting SET max_jobs_per_role = 3")
    role, second = scheduler.role(), scheduler.role("second", scheduler=False)
    scheduler.execute("GRANT {} TO {}", sql.Identifier(second), sql.Identifier(role))
    session = scheduler.connect_as(role)
    insert = """INSERT INTO member_job (job_command, datname, rolname)
                SELECT 'SELECT 1', current_catalog, %s FROM generate_series(1, %s)"""
    session.execute(insert, (role, 3))
    session.execute(insert, (second, 2))
    for statement, values in (
        (insert, (role, 1)),
        (insert, (second, 2)),
        ("SELECT insert_job('SELECT 1', current_catalog, rolname := %s)", (role,)),
        ("UPDATE member_job SET rolname = %s", (second,)),
    ):
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="has reached max_jobs_per_role") as raised:
            session.execute(statement, values)
        assert raised.value.diag.message_hint
    session.execute("UPDATE member_job SET rolname = %s WHERE job_id = (SELECT min(job_id) FROM my_job)", (second,))
    scheduler.execute("UPDATE worker_setting SET max_jobs_per_role = 0")
    session.execute("UPDATE my_job SET job_description = 'still mine to change'")
    scheduler.insert("SELECT 1", rolname=role)
    scheduler.execute("UPDATE worker_setting SET max_jobs_per_role = NULL")
    session.execute(insert, (role, 100))
