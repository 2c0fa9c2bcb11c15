"""Alerts, and what is run after a failure."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.scheduler import Scheduler
from harness.waiting import until

FAIL = "SELECT 1/0"
SLOW = "SELECT pg_sleep(1000)"


class Ear:
    """A session that listens."""

    def __init__(self, session: psycopg.Connection[Any]) -> None:
        self._session = session
        self.heard: list[dict[str, Any]] = []
        session.add_notify_handler(lambda notify: self.heard.append(json.loads(notify.payload)))
        session.execute("LISTEN elephant_worker")

    def hears(self, *events: str) -> list[dict[str, Any]]:
        """What was heard, once these events were."""

        def heard() -> bool:
            self._session.execute("SELECT 1")
            told = [alert["event"] for alert in self.heard]
            return all(told.count(event) >= events.count(event) for event in events)

        until(heard, f"{events}")
        return self.heard


@pytest.fixture
def ear(worker: Scheduler) -> Ear:
    return Ear(worker.connect_as(worker.role("listener", scheduler=False)))


def test_failed_and_recovered(worker: Scheduler, ear: Ear) -> None:
    worker.execute("CREATE SEQUENCE tries")
    role = worker.role()
    worker.execute("GRANT ALL ON SEQUENCE tries TO PUBLIC")
    job = worker.insert("SELECT 1 / (nextval('tries') - 1)", rolname=role)
    runs = [worker.ended(worker.value("SELECT run_job(%s)", job)) for _ in range(3)]
    failed, recovered = ear.hears("failed", "recovered")
    assert runs[0].job_started <= datetime.fromisoformat(failed.pop("at"))
    assert failed == {
        "event": "failed",
        "job_id": job,
        "jl_id": runs[0].jl_id,
        "rolname": role,
        "datname": worker.dbname,
        "sqlstate": "22012",
        "attempt": 1,
        "retry": False,
    }
    assert (recovered["event"], recovered["jl_id"]) == ("recovered", runs[1].jl_id)
    worker.tick()
    assert len(ear.hears()) == 2


def test_what_is_told_says_nothing_that_others_may_not_read(worker: Scheduler, ear: Ear) -> None:
    worker.run("DO $$BEGIN RAISE EXCEPTION 'secret message'; END$$", job_name="secret name", max_retries=1)
    (alert,) = ear.hears("failed")
    assert "secret" not in json.dumps(alert)
    assert alert["retry"] is True


def test_timed_out_and_missed(worker: Scheduler, ear: Ear) -> None:
    worker.run(SLOW, job_timeout="50 ms")
    worker.execute("UPDATE worker_setting SET start_grace = '0'")
    job = worker.insert("SELECT 1", schedule="1 second")
    worker.pause()
    due = worker.due(job)
    until(lambda: worker.value("SELECT clock_timestamp() > %s + interval '1 s'", due), "more due times")
    worker.value("SELECT resume_jobs()")
    assert [alert["event"] for alert in ear.hears("timed out", "missed")][:2] == ["timed out", "missed"]


def test_lost_and_recovered_by_the_next_worker(worker: Scheduler, ear: Ear) -> None:
    job = worker.insert(SLOW)
    worker.value("SELECT run_job(%s)", job)
    until(lambda: worker.value("SELECT count(*) FROM pg_stat_activity WHERE query = %s", SLOW))
    worker.kill()
    worker.start()
    ear.hears("lost")
    worker.execute("UPDATE member_job SET job_command = 'SELECT 1'")
    worker.value("SELECT run_job(%s)", job)
    ear.hears("recovered")


def test_a_trial_is_no_alarm(worker: Scheduler, ear: Ear) -> None:
    job = worker.insert(FAIL)
    assert worker.value("SELECT state FROM try_job(%s)", job) == "failed"
    run = worker.value("SELECT run_once('SELECT 1/0')")
    assert [alert["jl_id"] for alert in ear.hears("failed")] == [run]


def test_disabled(worker: Scheduler, ear: Ear) -> None:
    worker.run(FAIL, disable_after=1)
    assert [alert["event"] for alert in ear.hears("disabled", "failed")] == ["disabled", "failed"]


def test_a_job_that_has_not_succeeded_in_time(worker: Scheduler, ear: Ear) -> None:
    dead = worker.insert("SELECT 1", schedule="@yearly", expect_success_within="1 second")
    alive = worker.insert("SELECT 1", schedule="1 second", expect_success_within="1 minute")
    off = worker.insert("SELECT 1", enabled=False, expect_success_within="1 second")
    overdue = ear.hears("overdue", "overdue")
    assert {alert["job_id"] for alert in overdue} == {dead}
    assert alive
    assert off
    # A success sets the clock back; without the wish there are no more alerts.
    worker.value("SELECT update_job(%s, expect_success_within := '1 hour')", dead)
    worker.tick()
    ear.hears()  # what was told before that
    ear.heard.clear()
    worker.tick()
    worker.tick()
    assert ear.hears() == []
    worker.stop()
    worker.execute("UPDATE job_statistic SET last_success = now() - interval '2 h'")
    worker.execute("UPDATE job_state SET overdue_told_at = overdue_told_at - interval '2 h'")
    worker.execute("ALTER TABLE job DISABLE TRIGGER USER")
    worker.execute("UPDATE job SET schedule_set_at = now() - interval '3 h'")
    worker.start()
    assert {alert["job_id"] for alert in ear.hears("overdue")} == {dead, alive}


def test_a_run_that_takes_longer_than_they_used_to(worker: Scheduler, ear: Ear) -> None:
    usual, new = worker.insert(SLOW), worker.insert(SLOW)
    worker.seen()
    worker.execute(f"UPDATE job_statistic SET durations = array_fill(0.2::real, ARRAY[20]) WHERE job_id = {usual}")
    worker.execute(f"UPDATE job_statistic SET durations = array_fill(0.2::real, ARRAY[19]) WHERE job_id = {new}")
    runs = [worker.value("SELECT run_job(%s)", job) for job in (usual, new)]
    (alert,) = ear.hears("overrun")
    assert (alert["job_id"], alert["jl_id"]) == (usual, runs[0])
    for _ in range(3):
        worker.tick()
    assert len(ear.hears()) == 1


def test_a_listener_that_does_not_listen_stops_nothing(worker: Scheduler) -> None:
    """It holds the server's queue; the worker goes on."""
    deaf = worker.connect_as(worker.role("listener", scheduler=False))
    deaf.execute("LISTEN elephant_worker")
    with deaf.transaction():
        deaf.execute("SELECT 1")
        for _ in range(10):
            assert worker.run(FAIL).state == "failed"
        assert worker.value("SELECT pg_notification_queue_usage()") >= 0


def test_alerts_that_cannot_be_sent_stop_nothing(worker: Scheduler) -> None:
    """As where the queue is full: here a function of the same name stands before the server's."""
    worker.stop()
    for statement in (
        """CREATE FUNCTION public.pg_notify(text, text) RETURNS void LANGUAGE plpgsql AS
           $$BEGIN RAISE EXCEPTION 'too many notifications in the NOTIFY queue' USING ERRCODE = '54000'; END$$""",
        "ALTER FUNCTION pg_catalog.pg_notify(text, text) RENAME TO pg_notify_of_the_server",
        "ALTER FUNCTION public.pg_notify(text, text) SET SCHEMA pg_catalog",
    ):
        worker.execute(statement)
    worker.start()
    for _ in range(3):
        assert worker.run(FAIL).state == "failed"
    assert worker.run("SELECT 1").state == "succeeded"
    until(lambda: "elephant_worker could not send alerts" in worker.cluster.log)


# --- the table ------------------------------------------------------------------------------------


def alerts(worker: Scheduler, *events: str) -> list[Any]:
    """The rows of the table, in order; only these events, if some are named."""
    rows = worker.execute("SELECT * FROM all_alert ORDER BY alert_id").fetchall()
    return [row for row in rows if not events or row.event in events]


def test_what_is_told_is_kept_with_a_name_and_in_words(worker: Scheduler, ear: Ear) -> None:
    role, database = worker.role(), worker.database()
    run = worker.run("SELECT 1/0", database, role, job_name="nightly", max_retries=1, retry_delay="1 hour")
    (told,) = ear.hears("failed")
    (row,) = alerts(worker)
    assert (row.event, row.job_id, row.job_name, row.jl_id) == ("failed", run.job_id, "nightly", run.jl_id)
    assert (row.rolname, row.datname, row.server, row.sqlstate) == (role, database, None, "22012")
    assert (row.attempt, row.retry, row.repetition, row.muted) == (1, True, 1, False)
    assert row.explanation == "The run failed: division by zero (22012). It will be tried again."
    assert row.raised_at == row.since
    assert abs(row.raised_at - datetime.fromisoformat(told["at"])) <= timedelta(microseconds=1)  # rounded twice
    assert (row.delivered_at, row.delivered_to, row.delivery_error) == (None, [], None)


def test_log_and_alert_are_written_together_or_not_at_all(worker: Scheduler) -> None:
    """While the disk is full, say: the run is logged, and told of, as soon as it is not."""
    worker.execute(
        """CREATE FUNCTION public.full() RETURNS trigger LANGUAGE plpgsql AS
           $$BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END$$"""
    )
    worker.execute("CREATE TRIGGER full_disk BEFORE INSERT ON alert EXECUTE FUNCTION public.full()")
    before = len(worker.cluster.log)
    run = worker.value("SELECT run_job(%s)", worker.insert(FAIL))
    until(lambda: "no space left on device" in worker.cluster.log[before:])
    assert worker.value("SELECT state FROM job_log WHERE jl_id = %s", run) == "running"
    worker.execute("DROP TRIGGER full_disk ON alert")
    worker.ended(run)
    assert [row.jl_id for row in alerts(worker)] == [run]


def test_rights_are_those_of_the_log(worker: Scheduler) -> None:
    mine, other, monitor = worker.role(), worker.role(), worker.role(scheduler=False)
    worker.execute("GRANT job_monitor TO {}", sql.Identifier(monitor))
    for role in (mine, other):
        worker.run(FAIL, rolname=role, job_name="secret")
    count = "SELECT count(*) FROM {}"
    seen = {role: worker.connect_as(role) for role in (mine, other, monitor)}

    def counts(role: str, view: str) -> Any:
        return seen[role].execute(sql.SQL(count).format(sql.Identifier(view))).fetchone()[0]  # type: ignore[index]

    assert (counts(mine, "my_alert"), counts(mine, "member_alert"), counts(other, "my_alert")) == (1, 1, 1)
    assert counts(monitor, "all_alert") == 2
    for role, relation in ((mine, "alert"), (mine, "all_alert"), (monitor, "alert"), (monitor, "my_alert")):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            counts(role, relation)
    worker.execute("GRANT {} TO {}", sql.Identifier(other), sql.Identifier(mine))
    assert (counts(mine, "my_alert"), counts(mine, "member_alert")) == (1, 2)
    worker.execute("GRANT job_scheduler TO {}", sql.Identifier(monitor))
    assert (counts(monitor, "my_alert"), counts(monitor, "member_alert")) == (0, 0)
    for statement in ("DELETE FROM alert", "UPDATE alert SET event = 'recovered'", "DELETE FROM all_alert"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            seen[monitor].execute(statement)


def test_people_are_told_again_at_growing_distance_and_of_the_end(worker: Scheduler, ear: Ear) -> None:
    """Every alert is sent and kept; those that nobody wants to hear again so soon are muted."""
    job = worker.insert(FAIL)

    def fail(ago: str) -> Any:
        """Fail once more, when what was told lies so far back."""
        worker.execute(
            f"""UPDATE alert SET raised_at = raised_at - interval '{ago}', since = since - interval '{ago}',
                                 told_at = told_at - interval '{ago}'"""
        )
        worker.execute("UPDATE member_job SET job_description = 'told of, so that the worker reads what was told'")
        worker.seen()
        run = worker.ended(worker.value("SELECT run_job(%s)", job))
        (row,) = [row for row in alerts(worker) if row.jl_id == run.jl_id]
        return row

    rows = [fail(ago) for ago in ("0", "1 min", "5 min", "2 min", "5 min", "5 min", "5 min")]
    assert [row.muted for row in rows] == [False, True, False, True, False, True, True]
    assert [row.repetition for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert rows[-1].explanation.startswith("The run failed: division by zero (22012). That makes 7 in a row, since ")
    assert len(ear.hears(*["failed"] * 7)) == 7
    # However long it lasts, people hear of it every day.
    assert [fail(ago).muted for ago in ("70 days", "1 hour", "23 hours")] == [False, True, False]
    worker.execute("UPDATE member_job SET job_command = 'SELECT 1'")
    worker.ended(worker.value("SELECT run_job(%s)", job))
    assert [row.muted for row in alerts(worker, "recovered")] == [False]
    worker.execute("UPDATE member_job SET job_command = 'SELECT 1/0'")
    again = worker.ended(worker.value("SELECT run_job(%s)", job))
    assert [(row.repetition, row.muted) for row in alerts(worker) if row.jl_id == again.jl_id] == [(1, False)]


def test_the_next_worker_goes_on_counting(worker: Scheduler) -> None:
    job = worker.insert(FAIL)
    worker.ended(worker.value("SELECT run_job(%s)", job))
    worker.stop()
    worker.start()
    worker.ended(worker.value("SELECT run_job(%s)", job))
    assert [(row.repetition, row.muted) for row in alerts(worker)] == [(1, False), (2, True)]


def test_a_job_that_was_overdue_has_recovered_when_it_succeeds(worker: Scheduler, ear: Ear) -> None:
    job = worker.insert("SELECT 1", schedule="@yearly", expect_success_within="1 second", job_name="heartbeat")
    ear.hears("overdue", "overdue")
    row, again, *_ = alerts(worker, "overdue")
    assert [(row.repetition, row.muted), (again.repetition, again.muted)] == [(1, False), (2, True)]
    assert (row.job_id, row.job_name, row.datname) == (job, "heartbeat", worker.dbname)
    assert row.explanation.endswith("expect_success_within is 1.0 seconds.")
    worker.ended(worker.value("SELECT run_job(%s)", job))
    assert ear.hears("recovered")[-1]["job_id"] == job


# At the commit of what is told of an event for the first time, or of the first three recoveries, something fails.
STRIKE = """CREATE FUNCTION public.strike() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        codes CONSTANT text[] := CASE NEW.event WHEN 'recovered' THEN '{40001,40P01,55P03}' ELSE '{40P01}' END;
        code CONSTANT text := codes[nextval(format('public.%I', 'strike ' || NEW.event))];
    BEGIN
        IF code IS NOT NULL THEN
            RAISE EXCEPTION 'in the way' USING ERRCODE = code;
        END IF;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER strike AFTER INSERT ON alert DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION public.strike()"""


@pytest.mark.slow
def test_what_is_told_where_its_transaction_is_tried_again(worker: Scheduler, ear: Ear) -> None:
    """All that is told is told once: by the transaction that is committed."""
    database = worker.database()
    lasting = ("1 second", "1 hour", "1 hour")
    jobs = [
        worker.insert("SELECT 1", name, schedule="@yearly", expect_success_within=within)
        for name, within in zip((None, None, database), lasting)
    ]
    overdue, failing, closed = jobs
    worker.value("SELECT update_job(%s, job_command := %s)", failing, FAIL)
    worker.execute("ALTER DATABASE {} ALLOW_CONNECTIONS false", sql.Identifier(database))
    for job in (failing, closed):
        worker.ended(worker.value("SELECT run_job(%s)", job))
    worker.value("SELECT update_job(%s, job_command := 'SELECT 1')", failing)
    worker.execute("ALTER DATABASE {} ALLOW_CONNECTIONS true", sql.Identifier(database))
    ear.hears("failed", "quarantined", "overdue")
    worker.value("SELECT update_job(%s, expect_success_within := '1 hour')", overdue)
    worker.wake()
    before = alerts(worker)[-1].alert_id
    for event in ("recovered", "disabled", "failed", "overdue", "overrun"):
        worker.execute("CREATE SEQUENCE public.{}", sql.Identifier(f"strike {event}"))
    worker.execute(STRIKE)

    def told(job: int) -> list[str]:
        return [row.event for row in alerts(worker) if row.alert_id > before and row.job_id == job]

    for _ in range(2):
        for job in jobs:
            worker.ended(worker.value("SELECT run_job(%s)", job))
    assert [told(job) for job in jobs] == [["recovered"]] * 3

    long, never = worker.insert(SLOW), worker.insert("SELECT 1", expect_success_within="1 second")
    hopeless = worker.insert(FAIL, disable_after=1)
    worker.wake()
    worker.execute(f"UPDATE job_statistic SET durations = array_fill(0.2::real, ARRAY[20]) WHERE job_id = {long}")
    worker.value("SELECT run_job(%s)", long)
    worker.ended(worker.value("SELECT run_job(%s)", hopeless))
    assert sorted(told(hopeless)) == ["disabled", "failed"]
    until(lambda: told(never) and told(long), "what is told of the jobs that do not end or succeed")
    worker.tick()
    assert told(long) == ["overrun"]
    ear.hears("overrun")
    heard = Counter((alert["event"], alert.get("jl_id")) for alert in ear.heard)
    raised = Counter((row.event, row.jl_id) for row in alerts(worker))
    # More of them may say meanwhile that a job is overdue.
    assert not heard - raised
    assert all(event == "overdue" for event, _ in raised - heard)


def test_a_worker_that_is_lost_as_it_tells_leaves_that_to_the_next(worker: Scheduler, ear: Ear) -> None:
    """The run is lost with it; the next one that succeeds has recovered."""
    job = worker.insert("SELECT 1", schedule="@yearly", expect_success_within="1 second")
    ear.hears("overdue")
    worker.execute("CREATE SEQUENCE public.strikes")
    worker.execute(
        """CREATE FUNCTION public.lose() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
               IF NEW.event = 'recovered' AND nextval('public.strikes') = 1 THEN
                   PERFORM pg_terminate_backend(pg_backend_pid());
               END IF;
               RETURN NULL;
           END $$;
           CREATE CONSTRAINT TRIGGER lose AFTER INSERT ON alert DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION public.lose()"""
    )
    until(lambda: worker.value("SELECT spare_pid FROM worker_state"), "the spare, which takes over")
    assert worker.ended(worker.value("SELECT run_job(%s)", job)).state == "lost"
    until(lambda: worker.value("SELECT running FROM worker_status"), "the next worker")
    worker.value("SELECT update_job(%s, expect_success_within := '1 hour')", job)
    for _ in range(2):
        worker.ended(worker.value("SELECT run_job(%s)", job))
    told = [row.event for row in alerts(worker) if row.event != "overdue"]
    assert told == ["lost", "recovered"]


def test_many_jobs_that_are_overdue(scheduler: Scheduler) -> None:
    """No transaction tells of more than a portion of them, for which others' runs wait."""
    scheduler.execute(
        """INSERT INTO job (rolname, job_command, defined_by, schedule_set_at, expect_success_within)
           SELECT current_user, 'SELECT 1', current_user, now() - interval '1 hour', '1 minute'
           FROM generate_series(1, 350)"""
    )
    scheduler.execute(
        """CREATE TABLE public.written (many bigint);
           CREATE FUNCTION public.count_written() RETURNS trigger LANGUAGE plpgsql AS
           'BEGIN INSERT INTO public.written SELECT pg_catalog.count(*) FROM told; RETURN NULL; END';
           CREATE TRIGGER count_written AFTER INSERT ON alert REFERENCING NEW TABLE AS told
           FOR EACH STATEMENT EXECUTE FUNCTION public.count_written()"""
    )
    scheduler.start()
    told = "SELECT count(DISTINCT job_id) FROM all_alert WHERE event = 'overdue'"
    until(lambda: scheduler.value(told) == 350, "all to be told of")
    assert scheduler.value("SELECT max(many) FROM public.written") <= 100
    assert scheduler.value("SELECT count(*) FROM all_alert") == 350


def test_from_when_a_job_is_overdue(worker: Scheduler) -> None:
    """The interval counts from the last success or the schedule, not from when it was given."""
    succeeded, never, enabled, due = (worker.insert("SELECT 1", schedule="@yearly") for _ in range(4))
    worker.seen()
    worker.execute("ALTER TABLE job DISABLE TRIGGER USER")
    worker.execute("UPDATE job SET schedule_set_at = now() - interval '3 h'")
    worker.execute("UPDATE job_state SET schedule_set_at = now() - interval '3 h'")
    worker.execute("ALTER TABLE job ENABLE TRIGGER USER")
    worker.execute(f"UPDATE job_statistic SET last_success = now() - interval '2 h' WHERE job_id = {succeeded}")
    worker.execute(f"UPDATE job_statistic SET last_success = now() - interval '1 min' WHERE job_id = {due}")
    for value in (False, True):
        worker.value("SELECT update_job(%s, enabled := %s)", enabled, value)
    for job in (succeeded, never, enabled, due):
        worker.value("SELECT update_job(%s, expect_success_within := '1 hour')", job)
    until(lambda: len(alerts(worker, "overdue")) >= 2, "the alerts")
    worker.tick()
    assert {row.job_id for row in alerts(worker, "overdue")} == {succeeded, never}
    in_view = worker.value("SELECT array_agg(job_id ORDER BY job_id) FROM problem WHERE problem = 'overdue'")
    assert in_view == [succeeded, never]


def test_old_alerts_go_with_the_log(worker: Scheduler) -> None:
    """By age, and beyond so many of a job; not those that somebody is marking."""
    job = worker.insert(FAIL)
    add = """INSERT INTO alert (alert_id, event, raised_at, job_id, explanation, since, told_at)
             SELECT nextval('worker_inbox_request_id_seq'), 'failed', m, %s, 'it failed', m, m
             FROM generate_series(1, %s) i, LATERAL (SELECT now() - %s::interval + i * interval '1 us') x (m)"""
    worker.admin.execute(add, (job, 700, "31 days"))
    worker.admin.execute(add, (job, 50, "29 days"))
    worker.execute("UPDATE worker_setting SET log_max_age = '30 days 1 hour', log_max_rows = 40")
    until(lambda: len(alerts(worker)) <= 50, "the old ones to go")
    worker.ended(worker.value("SELECT run_job(%s)", job))
    until(lambda: len(alerts(worker)) == 40, "those beyond 40 to go")
    assert alerts(worker)[-1].jl_id is not None
    with worker.connect_as(_monitor(worker)) as marking, marking.transaction():
        marking.execute("SELECT mark_delivered(ARRAY[%s::bigint], 'mail')", (alerts(worker)[0].alert_id,))
        worker.execute("UPDATE worker_setting SET log_max_age = '1 day'")
        until(lambda: len(alerts(worker)) == 2, "all but the marked and the young one to go")


def _monitor(worker: Scheduler) -> str:
    role = worker.role("monitor", scheduler=False)
    worker.execute("GRANT job_monitor TO {}", sql.Identifier(role))
    return role


def test_deliveries_are_marked_by_monitors_once(worker: Scheduler) -> None:
    worker.run(FAIL)
    (row,) = alerts(worker)
    mark = "SELECT mark_delivered(ARRAY[%s::bigint], %s, %s)"
    monitor = worker.connect_as(_monitor(worker))

    def marked(receiver: str | None, error: str | None = None) -> int:
        (count,) = monitor.execute(mark, (row.alert_id, receiver, error)).fetchone() or (None,)
        assert isinstance(count, int)
        return count

    assert marked("pager", "gave up after 1 day: connection refused") == 1
    assert [marked("mail"), marked("mail"), marked("chat")] == [1, 0, 1]
    (after,) = alerts(worker)
    assert after.delivered_to == ["mail", "chat"]
    assert after.delivered_at > row.raised_at
    assert after.delivery_error == "pager: gave up after 1 day: connection refused"
    for receiver in ("", "x" * 101, None):
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            marked(receiver)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        worker.connect_as(worker.role()).execute(mark, (row.alert_id, "mail", None))


def test_a_receiver_is_claimed_by_one_forwarder_at_a_time(scheduler: Scheduler) -> None:
    monitor = _monitor(scheduler)
    sessions = [scheduler.connect_as(monitor) for _ in range(2)]

    def claimed(number: int, lease: str = "1 minute", receiver: str | None = "mail") -> Any:
        row = (
            sessions[number]
            .execute("SELECT claim_receiver(%s, %s, %s::interval)", (receiver, f"forwarder {number}", lease))
            .fetchone()
        )
        return row and row[0]

    assert [claimed(0), claimed(0), claimed(1), claimed(1, receiver="chat")] == [True, True, False, True]
    # The other one cannot end it.
    assert [claimed(1, "0"), claimed(1)] == [False, False]
    scheduler.execute("UPDATE alert_receiver SET claimed_until = claimed_until - interval '61 seconds'")
    assert [claimed(1), claimed(0)] == [True, False]
    assert [claimed(1, "0"), claimed(0)] == [False, True]
    # What nobody came back for goes.
    scheduler.execute("UPDATE alert_receiver SET claimed_until = claimed_until - interval '2 hours'")
    claimed(0, receiver="pager")
    assert scheduler.value("SELECT array_agg(receiver) FROM alert_receiver") == ["pager"]
    for receiver, lease in (
        ("", "1 s"),
        ("x" * 101, "1 s"),
        (None, "1 s"),
        ("mail", "-1 s"),
        ("mail", "2 hours"),
        ("mail", None),
    ):
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            claimed(0, lease, receiver)  # type: ignore[arg-type]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        scheduler.connect_as(scheduler.role()).execute("SELECT claim_receiver('mail', 'mine')")
    for statement in ("SELECT FROM alert_receiver", "DELETE FROM alert_receiver"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            sessions[0].execute(statement)


def test_numbers_that_a_restore_has_left_behind(worker: Scheduler) -> None:
    """The alert's number is taken: no run is held up by that."""
    taken = worker.value("SELECT nextval('worker_inbox_request_id_seq')")
    worker.admin.execute(
        """INSERT INTO alert (alert_id, event, raised_at, job_id, explanation, since, told_at)
           SELECT %s + i, 'failed', now(), 7, 'restored', now(), now() FROM generate_series(1, 100) i""",
        (taken,),
    )
    run = worker.run(FAIL)
    assert [row.jl_id for row in alerts(worker)[100:]] == [run.jl_id]


# --- after a failure --------------------------------------------------------------------------

TELL = """DO $$BEGIN RAISE NOTICE '% % % %', current_user, current_setting('elephant_worker.failed_job'),
    current_setting('elephant_worker.failed_sqlstate'), current_setting('elephant_worker.failed_message'); END$$"""


def test_what_is_run_after_a_failure(worker: Scheduler) -> None:
    role, database = worker.role(), worker.database()
    job = worker.insert(FAIL, database, rolname=role, on_failure_command=TELL, settings='{"work_mem": "7MB"}')
    failed = worker.ended(worker.value("SELECT run_job(%s)", job))
    until(lambda: len(worker.log()) == 2)
    run = worker.ended(worker.log()[1].jl_id)
    assert (run.cause, run.caused_by, run.rolname, run.datname) == ("failure", failed.jl_id, role, database)
    assert run.notices == f"NOTICE:  {role} {job} 22012 division by zero"
    assert run.job_id < 0
    # It is no run of the job.
    assert worker.value("SELECT (failure_count, success_count) = (1, 0) FROM member_job")


@pytest.mark.parametrize("given", ["while its retry waits", "while it runs", "to a member"])
def test_a_failure_of_an_earlier_role_is_not_told(worker: Scheduler, given: str) -> None:
    """Who is given a job is told that it failed, not what the run said, unless the log shows them that too."""
    role, other = worker.role(), worker.role("other")
    if given == "to a member":
        worker.execute("GRANT {} TO {}", sql.Identifier(role), sql.Identifier(other))
    give = "UPDATE member_job SET rolname = {}, on_failure_command = {} WHERE job_id = {}"
    with worker.gate() as wait:
        secret = "DO $$BEGIN {}RAISE 'a secret' USING ERRCODE = 'SE123'; END$$".format(
            f"PERFORM {wait.removeprefix('SELECT ')}; " if given == "while it runs" else ""
        )
        retries = 0 if given == "while it runs" else 1
        job = worker.insert(secret, rolname=role, max_retries=retries, retry_delay="1 hour")
        run = worker.value("SELECT run_job(%s)", job)
        if given == "while it runs":
            until(lambda: worker.value("SELECT state FROM member_job_log WHERE jl_id = %s", run) == "running")
        else:
            worker.ended(run)
        worker.execute(give, sql.Literal(other), sql.Literal(TELL), sql.Literal(job))
        worker.wake()
        if given != "while it runs":
            worker.connect_as(other).execute("SELECT cancel_job(%s)", (job,))
    until(lambda: len(worker.log()) == 2)
    told = worker.ended(worker.log()[1].jl_id)
    assert (told.state, told.caused_by, told.rolname) == ("succeeded", run, other)
    said = "SE123 a secret" if given == "to a member" else " the run failed as the job of another role"
    assert told.notices == f"NOTICE:  {other} {job} {said}"


def test_nothing_is_run_after_a_success_before_the_last_attempt_or_after_itself(worker: Scheduler) -> None:
    worker.run("SELECT 1", on_failure_command=TELL)
    job = worker.insert(FAIL, on_failure_command=FAIL, max_retries=1, retry_delay="100 ms")
    worker.value("SELECT run_job(%s)", job)
    until(lambda: len([run for run in worker.log() if run.state != "running"]) == 4)
    worker.tick()
    assert [(run.cause, run.attempt) for run in worker.log()] == [
        ("request", 1),
        ("request", 1),
        ("retry", 2),
        ("failure", 1),
    ]


def test_who_sets_it_answers_for_the_job(scheduler: Scheduler) -> None:
    role = scheduler.role()
    job = scheduler.insert("SELECT 1", rolname=role)
    app = scheduler.connect_as(role)
    app.execute("SELECT update_job(%s, on_failure_command := 'SELECT 2')", (job,))
    assert scheduler.value("SELECT defined_by FROM member_job") == role


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("on_failure_command", " "), ("expect_success_within", "0"), ("expect_success_within", "-1 day")],
)
def test_bad_values(scheduler: Scheduler, parameter: str, value: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue) as raised:
        scheduler.insert("SELECT 1", **{parameter: value})
    assert raised.value.diag.message_hint
