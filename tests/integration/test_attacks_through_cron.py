"""What an ordinary role tries by the functions and views of elephant_worker_cron."""

# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import USER
from harness.scheduler import Scheduler, new_scheduler
from harness.waiting import until
from tests.integration.test_attacks_in_between import Meanwhile

OLD_RUNS = """INSERT INTO job_log (jl_id, job_id, rolname, datname, cause, scheduled_at, job_started, job_finished, state,
                                   job_command, job_sqlstate)
    SELECT nextval('worker_inbox_request_id_seq'), %s, %s, current_catalog, 'request', m, m, m, 'succeeded', '', '00000'
    FROM generate_series(1, 30) i, LATERAL (SELECT now() - interval '31 days' + i * interval '1 us') m (m)"""


class Stage:
    """Jobs of a victim and of the superuser, which cron.job shows to them, and roles that try to touch them."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        scheduler.execute("CREATE EXTENSION elephant_worker_cron")
        self.victim, self.mallory = scheduler.role("victim"), scheduler.role("mallory")
        self.writer = scheduler.role("writer", scheduler=False)
        scheduler.execute("GRANT pg_write_all_data, pg_read_all_data TO {}", sql.Identifier(self.writer))
        self.scheduling_writer = scheduler.role("scheduling writer")
        scheduler.execute("GRANT pg_write_all_data, pg_read_all_data TO {}", sql.Identifier(self.scheduling_writer))
        self.outsider = scheduler.role("outsider", scheduler=False)
        schedule = "SELECT cron.schedule('nightly', '0 3 1 1 *', 'SELECT 1')"
        self.job: int = scheduler.value(schedule)
        row = scheduler.connect_as(self.victim).execute(schedule).fetchone()
        assert row is not None
        self.victims: int = row[0]
        self.mine: int = scheduler.connect_as(self.mallory).execute(schedule).fetchone()[0]  # type: ignore[index]
        for job, role in ((self.job, USER), (self.victims, self.victim)):
            scheduler.admin.execute(OLD_RUNS, (job, role))
        self.sessions = {
            role: scheduler.connect_as(role)
            for role in (self.mallory, self.writer, self.scheduling_writer, self.outsider)
        }

    def contents(self) -> list[Any]:
        return [
            self.scheduler.execute(f"SELECT * FROM {table} WHERE rolname IN ({{}}, {{}}) ORDER BY 1",
                                   sql.Literal(USER), sql.Literal(self.victim)).fetchall()
            for table in ("job", "once_job", "job_log", "job_change")
        ]  # fmt: skip


@pytest.fixture(scope="module")
def stage(cluster: Any) -> Iterator[Stage]:
    scheduler = new_scheduler(cluster)
    yield Stage(scheduler)
    scheduler.close()


# {job} and {victims}: jobs of the superuser and of the victim; {mine}: one of mallory's; {superuser}, {victim}: literals.
STATEMENTS = {
    "a job for the superuser": "SELECT cron.schedule_in_database('x', '* * * * *', 'SELECT 1', current_catalog, {superuser})",
    "the same, one level below": "SELECT cron.define_named_job('x', '* * * * *', 'SELECT 1', current_catalog, {superuser}, true)",
    "the same, two levels below": "SELECT cron.save_job(ROW(NULL, '* * * * *', 'SELECT 1', '', current_setting('port')::integer, "
    "current_catalog, {superuser}, true, 'x')::cron.job)",
    "another's job, by its number": "SELECT cron.save_job(ROW({victims}, '* * * * *', 'SELECT 2', '', "
    "current_setting('port')::integer, current_catalog, current_user, true, 'x')::cron.job, {victim})",
    "another's job, given to its own role": "SELECT cron.save_job(ROW({job}, '* * * * *', 'SELECT 2', '', "
    "current_setting('port')::integer, current_catalog, {superuser}, true, 'x')::cron.job, {superuser})",
    "one's own, given away": "SELECT cron.save_job(ROW({mine}, '0 3 1 1 *', 'SELECT 2', '', "
    "current_setting('port')::integer, current_catalog, {superuser}, true, 'y')::cron.job, current_user)",
    "another's job, altered": "SELECT cron.alter_job({victims}, active => false)",
    "another's job, unscheduled": "SELECT cron.unschedule({victims})",
    "a row": "INSERT INTO cron.job (schedule, command, username) VALUES ('* * * * *', 'SELECT 1', {superuser})",
    "a row, copied": "INSERT INTO cron.job SELECT * FROM cron.job",
    "rows, changed": "UPDATE cron.job SET command = 'SELECT 2' WHERE username <> current_user",
    "rows, all of them": "UPDATE cron.job SET username = {superuser}",
    "rows, deleted": "DELETE FROM cron.job WHERE jobid IN ({job}, {victims})",
    "the log": "DELETE FROM cron.job_run_details WHERE jobid IN ({job}, {victims})",
    "the log, changed": "UPDATE cron.job_run_details SET status = 'failed'",
    "the log, forged": "INSERT INTO cron.job_run_details (jobid) VALUES ({victims})",
    "a trigger of one's own": "CREATE TRIGGER t INSTEAD OF DELETE ON cron.job FOR EACH ROW EXECUTE FUNCTION cron.delete_run()",
    "a function in the schema": "CREATE FUNCTION cron.schedule(text, unknown) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
    "the trigger's function": "SELECT cron.delete_run()",
    "the view, replaced": "CREATE OR REPLACE VIEW cron.job AS SELECT 1",
    "a lock": "LOCK TABLE cron.job IN ACCESS EXCLUSIVE MODE",
}  # fmt: skip


@pytest.mark.parametrize("name", STATEMENTS)
def test_what_is_not_ones_own(stage: Stage, name: str) -> None:
    before = stage.contents()
    statement = sql.SQL(STATEMENTS[name]).format(
        job=stage.job, victims=stage.victims, mine=stage.mine,
        superuser=sql.Literal(USER), victim=sql.Literal(stage.victim),
    )  # fmt: skip
    for session in stage.sessions.values():
        with suppress(psycopg.Error), session.transaction():
            session.execute(statement)
    assert stage.contents() == before


def test_who_deletes_from_the_log_does_not_hold_up_the_worker(stage: Stage) -> None:
    """Rows that a transaction is about to delete are passed over, whether they are too old or too many."""
    scheduler = stage.scheduler
    scheduler.admin.execute(OLD_RUNS, (stage.mine, stage.mallory))
    scheduler.admin.execute(OLD_RUNS, (stage.victims, stage.victim))
    scheduler.execute("INSERT INTO job_statistic (job_id, log_rows) SELECT job_id, 60 FROM job ON CONFLICT DO NOTHING")
    count = "SELECT count(*) FROM job_log WHERE job_id = %s"
    session = stage.sessions[stage.mallory]
    with session.transaction(force_rollback=True):
        assert session.execute("DELETE FROM cron.job_run_details").rowcount == 30
        scheduler.execute("UPDATE worker_setting SET log_max_age = NULL, log_max_rows = 7")
        scheduler.start()
        until(lambda: scheduler.value(count, stage.victims) == 7, "those that are too many to go")
        scheduler.execute("UPDATE worker_setting SET log_max_age = '30 days', log_max_rows = NULL")
        until(lambda: scheduler.value(count, stage.victims) == 0, "those that are too old to go")
        assert scheduler.value(count, stage.mine) == 30
    scheduler.execute("UPDATE worker_setting SET log_max_age = NULL, log_max_rows = 7")
    until(lambda: scheduler.value(count, stage.mine) == 7, "the others to go")
    scheduler.stop()


def test_no_lock_stops_the_worker(stage: Stage) -> None:
    """Who may delete through a view may lock it, and what its owner may lock below it."""
    session = stage.sessions[stage.mallory]
    stage.scheduler.execute("GRANT UPDATE, DELETE ON cron.job TO {}", sql.Identifier(stage.mallory))
    for view in ("cron.job", "cron.job_run_details"):
        for mode in ("SHARE UPDATE EXCLUSIVE", "SHARE", "ACCESS EXCLUSIVE"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), session.transaction():
                session.execute(f"LOCK TABLE {view} IN {mode} MODE")
    stage.scheduler.execute("REVOKE UPDATE, DELETE ON cron.job FROM {}", sql.Identifier(stage.mallory))


# {job} is mallory's when the statement begins; {wait} lasts until it has been given to a role that mallory is in too.
IN_BETWEEN = {
    "deleted": "DELETE FROM cron.job WHERE jobid = {job} AND {wait}",
    "changed": "UPDATE cron.job SET command = 'SELECT 2' WHERE jobid = {job} AND {wait}",
    "changed without an effect": "UPDATE cron.job SET command = 'SELECT 1' WHERE jobid = {job} AND {wait}",
    "unscheduled": "SELECT cron.unschedule({job}) WHERE {wait}",
    "altered": "SELECT cron.alter_job({job}, command => 'SELECT 2') FROM pg_advisory_lock_shared(4711)",
    "altered as it was shown": "SELECT cron.save_job(j, j.username) FROM cron.job j WHERE j.jobid = {job} AND {wait}",
}


@pytest.mark.parametrize("is_member", [True, False])
def test_a_job_that_is_given_away_meanwhile(stage: Stage, is_member: bool) -> None:
    """As by a statement on a table, it is left alone, also by who may change the jobs of both roles."""
    scheduler = stage.scheduler
    meanwhile = Meanwhile(scheduler)
    scheduler.execute("GRANT EXECUTE ON FUNCTION cron.alter_job TO {}", sql.Identifier(meanwhile.role))
    scheduler.execute("GRANT UPDATE, DELETE ON cron.job TO {}", sql.Identifier(meanwhile.role))
    if is_member:
        scheduler.execute("GRANT {} TO {}", sql.Identifier(meanwhile.heir), sql.Identifier(meanwhile.role))
    for name, statement in IN_BETWEEN.items():
        row = meanwhile.session.execute("SELECT cron.schedule('0 3 1 1 *', 'SELECT 1')").fetchone()
        assert row is not None
        meanwhile.job = row.schedule
        found = meanwhile.during(statement, meanwhile.give_away)
        assert found in (0, "XX000") or name == "altered as it was shown", (name, found)
        after = scheduler.execute("SELECT rolname, job_command, version FROM job WHERE job_id = {}",
                                  sql.Literal(meanwhile.job)).fetchall()  # fmt: skip
        assert after == [(meanwhile.heir, "SELECT 1", 2)], name


def test_runs_are_deleted_as_they_are_shown(stage: Stage) -> None:
    """A role is not shown the runs of another one, also if the job was its own when they were made or is now."""
    scheduler = stage.scheduler
    meanwhile = Meanwhile(scheduler)
    scheduler.execute("UPDATE job SET part = 'pg_cron' WHERE job_id = {}", sql.Literal(meanwhile.job))
    for role in (meanwhile.role, meanwhile.heir):
        scheduler.admin.execute(OLD_RUNS, (meanwhile.job, role))
    assert meanwhile.during("DELETE FROM cron.job_run_details WHERE {wait}", meanwhile.give_away) == 30
    left = "SELECT DISTINCT rolname FROM job_log WHERE job_id = %s"
    assert scheduler.value(left, meanwhile.job) == meanwhile.heir
