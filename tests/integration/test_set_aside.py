"""What makes each transaction of the worker fail is set aside, and all others go on."""

from __future__ import annotations

from psycopg import sql

from harness.scheduler import Scheduler
from harness.waiting import until

# What cannot be done for a job of its own, and what it is that cannot be written.
FAULTS = {
    "ask for a retry": ("INSERT", "worker_request", "NEW.cause = 'retry'"),
    "claim a run": ("INSERT", "job_log", "true"),
    "log the end of a run": ("UPDATE", "job_log", "true"),
}


def test_others_go_on(scheduler: Scheduler) -> None:
    def insert() -> int:
        return scheduler.insert("SELECT 1/0", max_retries=1, retry_delay="100 ms")

    scheduler.execute(
        """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE '%', TG_ARGV[0] USING ERRCODE = 'data_corrupted'; END $$"""
    )
    bad = {what: insert() for what in FAULTS}
    for what, (event, table, condition) in FAULTS.items():
        scheduler.execute(
            f"CREATE TRIGGER {{}} BEFORE {event} ON {{}} FOR EACH ROW WHEN (NEW.job_id = {{}} AND {condition})"
            " EXECUTE FUNCTION refuse({})",
            *(sql.Identifier(what), sql.Identifier(table), sql.Literal(bad[what]), sql.Literal(what)),
        )
    others = [insert() for _ in range(3)]
    pid = scheduler.start()
    # Also those that were due or asked for before.
    for job_id in (others[0], *bad.values(), *others[1:]):
        scheduler.execute("SELECT run_job({})", sql.Literal(job_id))
    retried = "SELECT count(*) FROM job_log WHERE job_id = ANY (%s) AND attempt = 2 AND state = 'failed'"
    until(lambda: scheduler.value(retried, others) == 3, "the others to be tried again")
    for what in FAULTS:
        line = f"[{pid}] WARNING:  elephant_worker: set aside, since the worker could not {what}"
        until(lambda: line in scheduler.cluster.log, line)  # noqa: B023
    # It is tried once more, later; and the worker has nothing to try over and over again.
    put_off = "SELECT due_at > now() + interval '50 minutes' FROM pending_run WHERE job_id = %s"
    assert scheduler.value(put_off, bad["ask for a retry"])
    until(lambda: scheduler.value("SELECT reason IS NULL FROM worker_status"), "the worker to be well")


def test_what_led_to_a_failure_is_not_undone_with_it(scheduler: Scheduler) -> None:
    """The end of a run has its job be due again at a moment at which it cannot be claimed: to do both in one
    transaction, and set aside what cannot be claimed after it was undone, would go on for ever."""
    other = scheduler.insert("SELECT 1", schedule="1 second")
    job_id = scheduler.insert("SELECT 1", schedule="1 second")
    scheduler.admin.execute(
        """INSERT INTO job_state (job_id, schedule_set_at, next_run_at, rolname)
           SELECT j.job_id, j.schedule_set_at, '-infinity', j.rolname FROM job j WHERE j.job_id = %s""",
        (job_id,),
    )
    scheduler.execute("SELECT run_job({})", sql.Literal(job_id))
    pid = scheduler.start()
    until(lambda: scheduler.successes(other) >= 3, "others to go on")
    line = f"[{pid}] WARNING:  elephant_worker: set aside, since the worker could not claim a run"
    assert scheduler.cluster.log.count(line) == 1
    assert scheduler.successes(job_id) == 1
