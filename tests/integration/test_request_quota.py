"""max_requests_per_role: nobody's requests fill the disk, or keep the worker from those of others."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.scheduler import SCHEMA, Scheduler
from harness.waiting import until

TOO_MANY = psycopg.errors.ProgramLimitExceeded


@pytest.fixture
def narrow(scheduler: Scheduler) -> Scheduler:
    """Ten requests of a role may wait."""
    scheduler.execute("UPDATE worker_setting SET max_requests_per_role = 10")
    return scheduler


def waiting(scheduler: Scheduler, kind: str = "run") -> int:
    found: int = scheduler.value("SELECT count(*) FROM worker_request WHERE kind = %s", kind)
    return found


REQUESTS = {
    "run_job": "SELECT run_job(job_id) FROM my_job",
    "run_once": "SELECT run_once('SELECT 1')",
    "by hand": "INSERT INTO job_request (kind, job_id) SELECT 'run', job_id FROM my_job",
    "cancel_job": "SELECT cancel_job(job_id) FROM my_job",
    "cancel_run": "INSERT INTO job_request (kind, jl_id) SELECT 'cancel run', min(jl_id) FROM waiting_run",
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_no_more_wait_than_max_requests_per_role(narrow: Scheduler, request_: str) -> None:
    app = narrow.connect_as(narrow.role())
    app.execute("SELECT insert_job('SELECT 1', current_catalog)")
    if "waiting_run" in request_:
        app.execute("SELECT run_once('SELECT 1')")
    before = waiting(narrow)
    count = 10 - (before if "'cancel run'" not in request_ else 0)
    for _ in range(count):
        app.execute(request_)
    with pytest.raises(TOO_MANY, match=f'role "{app.info.user}" has reached max_requests_per_role') as raised:
        app.execute(request_)
    assert "worker_setting.max_requests_per_role" in (raised.value.diag.message_detail or "")
    # Many at once, or in savepoints, are as many.
    other = narrow.connect_as(narrow.role("other"))
    with pytest.raises(TOO_MANY):
        other.execute("SELECT run_once('SELECT 1') FROM generate_series(1, 1000000)")
    with other.transaction():
        for _ in range(10):
            with other.transaction():
                other.execute("SELECT run_once('SELECT 1')")
        with pytest.raises(TOO_MANY), other.transaction():
            other.execute("SELECT run_once('SELECT 1')")


def test_what_the_hint_says(narrow: Scheduler) -> None:
    """A full inbox takes cancellations, a superuser's requests, and more as soon as it is less full."""
    app = narrow.connect_as(narrow.role())
    job = app.execute("SELECT job_id FROM insert_job('SELECT 1', current_catalog)").fetchone()
    assert job is not None
    runs = [app.execute("SELECT run_job(%s)", (job.job_id,)).fetchone() for _ in range(10)]
    with pytest.raises(TOO_MANY) as raised:
        app.execute("SELECT run_job(%s)", (job.job_id,))
    hint = raised.value.diag.message_hint or ""
    assert all(way in hint for way in ("cancel_job()", "cancel_run()", "A superuser"))
    narrow.value("SELECT run_job(%s)", job.job_id)  # makes the request
    app.execute("SELECT cancel_run(%s)", (runs[0][0],))  # type: ignore[index]
    app.execute("SELECT cancel_job(%s)", (job.job_id,))
    narrow.start()
    until(lambda: waiting(narrow) == 0, "the inbox to be empty")
    assert {run.state for run in narrow.log(job.job_id)} == {"cancelled"}
    narrow.value("SELECT pause_jobs()")
    narrow.execute("UPDATE worker_setting SET max_requests_per_role = 20")  # raises the limit
    app.execute("SELECT run_job(%s) FROM generate_series(1, 20)", (job.job_id,))
    with pytest.raises(TOO_MANY):
        app.execute("SELECT run_job(%s)", (job.job_id,))
    narrow.execute("UPDATE worker_setting SET max_requests_per_role = NULL")
    app.execute("SELECT run_job(%s) FROM generate_series(1, 100)", (job.job_id,))


def test_whose_requests_are_counted(narrow: Scheduler) -> None:
    """Those of the role that runs; numbers drawn by others, and what waits for a job that is busy, are none."""
    role, other = narrow.role(), narrow.role("other")
    app, they = narrow.connect_as(role), narrow.connect_as(other)
    narrow.execute("GRANT {} TO {}", sql.Identifier(role), sql.Identifier(other))
    for _ in range(10):
        they.execute("SELECT run_once('SELECT 1', rolname := %s)", (role,))
    with pytest.raises(TOO_MANY, match=role):
        app.execute("SELECT run_once('SELECT 1')")
    they.execute("SELECT run_once('SELECT 1')")
    narrow.value("SELECT setval('worker_inbox_request_id_seq', 100000)")
    they.execute("SELECT run_once('SELECT 1')")
    assert waiting(narrow) == 12


class FullRole:
    """Mallory has one slot, which is taken, and work that waits; the victim has none of that."""

    def __init__(self, scheduler: Scheduler, limit: int | None = None) -> None:
        self.scheduler = scheduler
        scheduler.execute("UPDATE worker_setting SET max_running_jobs_per_role = 1")
        scheduler.execute("UPDATE worker_setting SET max_requests_per_role = {}", sql.Literal(limit))
        self.mallory = scheduler.connect_as(scheduler.role("mallory"))
        self.victim = scheduler.connect_as(scheduler.role("victim"))
        scheduler.start()

    def occupy(self) -> int:
        run: Any = self.mallory.execute("SELECT run_once('SELECT pg_sleep(1000)') AS run").fetchone()
        until(lambda: self.scheduler.value("SELECT state FROM member_job_log WHERE jl_id = %s", run.run) == "running")
        return int(run.run)

    def victim_runs(self) -> None:
        run: Any = self.victim.execute("SELECT run_once('SELECT 1') AS run").fetchone()
        assert self.scheduler.ended(run.run).state == "succeeded"


def test_past_full_roles(scheduler: Scheduler) -> None:
    """More of them than are read at once lie before the one of somebody else."""
    full = FullRole(scheduler)
    full.occupy()
    full.mallory.execute("SELECT insert_job('SELECT 1', current_catalog)")
    full.mallory.execute(
        "INSERT INTO job_request (kind, job_id) SELECT 'run', job_id FROM my_job, generate_series(1, 11000)"
    )
    full.victim_runs()
    # The worker reads none of them.
    scheduler.tick()
    plan = scheduler.execute(
        """EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT i.rolname FROM worker_request i
           WHERE i.kind = 'run' AND i.rolname > {} ORDER BY i.rolname LIMIT 1""",
        sql.Literal(full.mallory.info.user),
    ).fetchone()
    assert plan is not None
    assert plan[0][0]["Plan"]["Shared Hit Blocks"] + plan[0][0]["Plan"]["Shared Read Blocks"] < 20, plan


def test_a_job_that_is_given_away_takes_its_requests_along(scheduler: Scheduler) -> None:
    full = FullRole(scheduler)
    full.occupy()
    job: Any = full.mallory.execute("SELECT job_id FROM insert_job('SELECT 1', current_catalog)").fetchone()
    run: Any = full.mallory.execute("SELECT run_job(%s) AS run", (job.job_id,)).fetchone()
    scheduler.execute(
        "UPDATE member_job SET rolname = {0}, defined_by = {0} WHERE job_id = {1}",
        sql.Literal(full.victim.info.user),
        sql.Literal(job.job_id),
    )
    assert scheduler.ended(run.run).rolname == full.victim.info.user


def test_a_fork_bomb(scheduler: Scheduler) -> None:
    """Each run asks for two more; the queue grows up to the limit, and the rest fails."""
    full = FullRole(scheduler, 50)
    command = f"""DO $$BEGIN PERFORM "{SCHEMA}".run_once(current_query()),
                                     "{SCHEMA}".run_once(current_query()); END$$"""
    full.mallory.execute("SELECT run_once(%s)", (command,))
    until(lambda: any(run.job_sqlstate == "54000" for run in scheduler.log()), "the limit to be reached")
    for _ in range(5):
        assert waiting(scheduler) <= 52
        full.victim_runs()


def test_a_loop_of_on_failure_commands(scheduler: Scheduler) -> None:
    """A job fails, and what follows from that runs it twice."""
    full = FullRole(scheduler, 50)
    full.mallory.execute(
        f"""SELECT insert_job('SELECT 1/0', current_catalog, job_name := 'loop', parallel := true, on_failure_command :=
            'SELECT "{SCHEMA}".run_job(''loop''), "{SCHEMA}".run_job(''loop'')')"""
    )
    full.mallory.execute("SELECT run_job('loop')")
    until(lambda: any(run.job_sqlstate == "54000" for run in scheduler.log()), "the limit to be reached")
    for _ in range(5):
        # Each run that has failed has asked for one on_failure_command: for no more than were let in.
        assert waiting(scheduler) <= 102
        full.victim_runs()


def test_many_dependents(scheduler: Scheduler) -> None:
    """At most one run of each waits, however often the job before them ends; others' jobs start."""
    full = FullRole(scheduler)
    full.mallory.execute("SELECT insert_job('SELECT 1', current_catalog, '1 second', job_name := 'first')")
    full.mallory.execute(
        """INSERT INTO my_job (job_command, run_after)
           SELECT 'SELECT pg_sleep(1)', ARRAY[(SELECT job_id FROM my_job)] FROM generate_series(1, 300)"""
    )
    until(lambda: waiting(scheduler) >= 290, "all to wait")
    for _ in range(3):
        full.mallory.execute("SELECT run_job('first')")
        full.victim_runs()
    assert waiting(scheduler) <= 304
    # What waits follows the last end of them, too.
    full.mallory.execute("DELETE FROM my_job")


def test_many_dependents_of_many(scheduler: Scheduler) -> None:
    """However many jobs end at once for which however many wait, no transaction tells more than a portion of these; the
    next worker goes on where one has left off."""
    role = scheduler.role()
    # What the owner of the database may set: some are enough for whoever looks by such an index.
    scheduler.execute("ALTER DATABASE {} SET gin_fuzzy_search_limit = 1", sql.Identifier(scheduler.dbname))
    firsts = [scheduler.insert("SELECT 1", rolname=role) for _ in range(3)]
    never = scheduler.insert("SELECT 1", rolname=role, enabled=False)
    scheduler.execute(
        """INSERT INTO job (rolname, job_command, defined_by, schedule_set_at, run_after)
           SELECT {0}, 'SELECT 1', {0}, now(), {1} FROM generate_series(1, 1500)""",
        sql.Literal(role),
        sql.Literal([*firsts, never]),
    )
    scheduler.execute(
        "INSERT INTO finished_dependency SELECT 1 - max(job_id), {}, 1, false, 'failed', true FROM job",
        sql.Literal(firsts[0]),
    )
    scheduler.start()
    until(lambda: scheduler.value("SELECT count(*) FROM finished_dependency") == 1, "the last of them to be told")
    scheduler.execute(
        """CREATE TABLE public.written (many bigint);
           CREATE FUNCTION public.count_written() RETURNS trigger LANGUAGE plpgsql AS
           'BEGIN INSERT INTO public.written SELECT pg_catalog.count(*) FROM told; RETURN NULL; END';
           CREATE TRIGGER count_written AFTER INSERT ON finished_dependency REFERENCING NEW TABLE AS told
           FOR EACH STATEMENT EXECUTE FUNCTION public.count_written()"""
    )
    told = "SELECT count(*) FROM finished_dependency WHERE NOT unchecked AND jl_id > %s"
    for _ in range(2):
        run = scheduler.value("SELECT max(run_job(job_id)) FROM unnest(%s) job_id", firsts)
        until(lambda: scheduler.value(told, run - 3) == 4500, "all to be told")  # noqa: B023
    until(lambda: not scheduler.value("SELECT count(*) FROM finished_dependency WHERE unchecked"), "no more to be left")
    assert 0 < scheduler.value("SELECT max(many) FROM public.written") <= 500
