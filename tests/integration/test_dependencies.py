"""Jobs that run after others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import USER, Cluster
from harness.remedies import alternatives
from harness.scheduler import Scheduler, new_scheduler
from harness.waiting import until

FAIL = "SELECT 1/0"


def states(worker: Scheduler, job_id: int, count: int) -> list[Any]:
    """The log of a job once so many of its runs have ended, and nothing waits to be run."""
    until(lambda: len([run for run in worker.log(job_id) if run.state != "running"]) >= count, f"{count} runs")
    until(lambda: worker.value("SELECT count(*) FROM worker_request") == 0)
    return worker.log(job_id)


def finish(worker: Scheduler, job_id: int, state: str = "succeeded") -> int:
    """Run a job to its end."""
    run: int = worker.value("SELECT run_job(%s)", job_id)
    assert worker.ended(run).state == state
    return run


def test_one_after_the_other(worker: Scheduler) -> None:
    first = worker.insert("SELECT 1")
    second = worker.insert("SELECT 2", run_after=[first])
    third = worker.insert("SELECT 3", run_after=[second])
    cause = finish(worker, first)
    (run,) = states(worker, second, 1)
    assert (run.state, run.cause, run.caused_by) == ("succeeded", "dependency", cause)
    (last,) = states(worker, third, 1)
    assert (last.state, last.caused_by) == ("succeeded", run.jl_id)
    assert worker.execute("SELECT level, job_id, after_job_id, state FROM job_chain ORDER BY 1").fetchall() == [
        (1, second, first, "waiting"),
        (2, third, second, "waiting"),
    ]


def test_it_waits_for_all_and_then_begins_anew(worker: Scheduler) -> None:
    one, two = worker.insert("SELECT 1"), worker.insert("SELECT 2")
    both = worker.insert("SELECT 3", run_after=[two, one, two])
    assert worker.value("SELECT run_after FROM member_job WHERE job_id = %s", both) == [one, two]
    finish(worker, one)
    finish(worker, one)
    assert [row.state for row in worker.execute("SELECT state FROM job_chain ORDER BY after_job_id")] == [
        "fulfilled",
        "waiting",
    ]
    finish(worker, two)
    assert len(states(worker, both, 1)) == 1
    finish(worker, two)
    assert len(states(worker, both, 1)) == 1
    finish(worker, one)
    assert len(states(worker, both, 2)) == 2


@pytest.mark.parametrize(
    ("run_when", "after_success", "after_failure"),
    [("on_success", True, False), ("on_failure", False, True), ("always", True, True)],
)
def test_conditions(worker: Scheduler, run_when: str, after_success: bool, after_failure: bool) -> None:
    for command, expected in (("SELECT 1", after_success), (FAIL, after_failure)):
        first = worker.insert(command)
        second = worker.insert("SELECT 2", run_after=[first], run_when=run_when)
        finish(worker, first, "failed" if command == FAIL else "succeeded")
        if expected:
            assert [run.state for run in states(worker, second, 1)] == ["succeeded"]
        else:
            assert worker.log(second) == []
            assert worker.value("SELECT state FROM job_chain WHERE job_id = %s", second) == "not fulfilled"


def test_the_last_end_counts(worker: Scheduler) -> None:
    worker.execute("CREATE SEQUENCE tries")
    shaky = worker.insert("SELECT 1 / (nextval('tries') - 2)")
    other = worker.insert("SELECT 1")
    both = worker.insert("SELECT 3", run_after=[shaky, other])
    finish(worker, shaky)
    finish(worker, shaky, "failed")
    finish(worker, other)
    assert states(worker, both, 0) == []
    finish(worker, shaky)
    assert len(states(worker, both, 1)) == 1


def test_retries_come_first(worker: Scheduler) -> None:
    worker.execute("CREATE SEQUENCE tries")
    first = worker.insert("SELECT 1 / (nextval('tries') - 1)", max_retries=1, retry_delay="100 ms")
    failed = worker.insert("SELECT 2", run_after=[first], run_when="always")
    finish(worker, first, "failed")
    (run,) = states(worker, failed, 1)
    attempts = worker.log(first)
    assert [attempt.state for attempt in attempts] == ["failed", "succeeded"]
    assert run.caused_by == attempts[1].jl_id


def test_a_job_that_is_disabled_does_not_follow(worker: Scheduler) -> None:
    first = worker.insert("SELECT 1")
    second = worker.insert("SELECT 2", run_after=[first], enabled=False)
    finish(worker, first)
    assert states(worker, second, 0) == []


def test_dependencies_outlive_the_worker(worker: Scheduler) -> None:
    one, two = worker.insert("SELECT 1"), worker.insert("SELECT 2")
    both = worker.insert("SELECT 3", run_after=[one, two])
    finish(worker, one)
    worker.stop()
    worker.start()
    finish(worker, two)
    assert len(states(worker, both, 1)) == 1


def test_changed_dependencies_begin_anew(worker: Scheduler) -> None:
    one, two = worker.insert("SELECT 1"), worker.insert("SELECT 2")
    both = worker.insert("SELECT 3", run_after=[one, two])
    finish(worker, one)
    for run_after in ([two], [one, two]):
        worker.value("SELECT update_job(%s, run_after := %s)", both, run_after)
        worker.seen()
    finish(worker, two)
    assert states(worker, both, 0) == []
    worker.execute("UPDATE member_job SET run_after = '{}'")
    assert worker.value("SELECT count(*) FROM job_chain") == 0


# --- what is refused --------------------------------------------------------------------------


def test_cycles(scheduler: Scheduler) -> None:
    app = scheduler.connect_as(scheduler.role())
    jobs = [app.execute("SELECT job_id FROM insert_job('SELECT 1', current_catalog)").fetchone()[0] for _ in range(4)]  # type: ignore[index]
    for job, after in zip(jobs[1:], jobs):
        app.execute("SELECT update_job(%s, run_after := %s)", (job, [after]))
    for job, after in ((jobs[0], jobs[0]), (jobs[0], jobs[1]), (jobs[0], jobs[3]), (jobs[1], jobs[3])):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="would run after itself") as raised:
            app.execute("UPDATE my_job SET run_after = %s WHERE job_id = %s", ([after], job))
        assert raised.value.diag.message_hint == "The view job_chain shows which jobs run after which."
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="would run after itself"):
        app.execute("UPDATE my_job SET run_after = ARRAY[%s::bigint, %s::bigint]", (jobs[0], jobs[1]))
    app.execute("SELECT update_job(%s, run_after := %s)", (jobs[3], [jobs[0]]))


def test_a_cycle_of_two_transactions(scheduler: Scheduler) -> None:
    one, two = scheduler.insert("SELECT 1"), scheduler.insert("SELECT 2")
    refused: list[BaseException] = []
    second = scheduler.connect()

    def other() -> None:
        try:
            second.execute("UPDATE member_job SET run_after = %s WHERE job_id = %s", ([one], two))
        except psycopg.Error as error:
            refused.append(error)

    with scheduler.connect() as first, first.transaction():
        first.execute("UPDATE member_job SET run_after = %s WHERE job_id = %s", ([two], one))
        thread = threading.Thread(target=other)
        thread.start()
        until(lambda: scheduler.value("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0, "the second to wait")
    thread.join()
    assert [type(error) for error in refused] == [psycopg.errors.InvalidParameterValue]
    second.close()


def test_a_cycle_of_two_transactions_through_other_jobs(scheduler: Scheduler) -> None:
    """Neither transaction names the job that the other one changes."""
    one, two = scheduler.insert("SELECT 1"), scheduler.insert("SELECT 2")
    after_one, after_two = scheduler.insert("SELECT 3", run_after=[one]), scheduler.insert("SELECT 4", run_after=[two])
    change = "UPDATE member_job SET run_after = %s WHERE job_id = %s"
    failed: list[str | None] = []
    second = scheduler.connect()

    def other() -> None:
        try:
            second.execute(change, ([after_one], two))
        except psycopg.Error as error:
            failed.append(error.sqlstate)

    with scheduler.connect() as first, first.transaction():
        first.execute(change, ([after_two], one))
        thread = threading.Thread(target=other)
        thread.start()
        until(lambda: scheduler.value("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0, "the second to wait")
    thread.join()
    second.close()
    assert failed == ["22023"]


@pytest.mark.parametrize("prepared", [False, True])
def test_a_transaction_left_open_keeps_nobody_else_from_changing_run_after(
    prepared: bool, own_cluster: Callable[..., Cluster]
) -> None:
    own = new_scheduler(own_cluster(max_prepared_transactions="5"))
    idle, busy = own.connect_as(own.role()), own.connect_as(own.role())
    insert = "SELECT job_id FROM insert_job('SELECT 1', current_catalog)"
    change = "UPDATE my_job SET run_after = %s WHERE job_id = %s"
    jobs = {session: [session.execute(insert).fetchone()[0] for _ in range(3)] for session in (idle, busy)}  # type: ignore[index]
    idle.execute("SET application_name = 'elephant_worker'")  # so nothing is notified, which PREPARE would refuse
    idle.execute("BEGIN")
    idle.execute(change, (jobs[idle][:1], jobs[idle][1]))
    if prepared:
        idle.execute("PREPARE TRANSACTION 'left open'")
    busy.execute("SET lock_timeout = '1ms'")
    busy.execute(change, (jobs[busy][:1], jobs[busy][1]))
    busy.execute(change, (jobs[busy][1:2], jobs[busy][2]))
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="would run after itself"):
        busy.execute(change, (jobs[busy][2:], jobs[busy][0]))
    idle.execute("ROLLBACK PREPARED 'left open'" if prepared else "ROLLBACK")
    own.close()


def test_a_cycle_through_a_hidden_job(scheduler: Scheduler) -> None:
    """Whose jobs one may not see any more can still close a cycle; nothing of them is shown."""
    team, app = scheduler.role("team", "NOLOGIN", False), scheduler.role()
    mine = scheduler.insert("SELECT 1", rolname=app)
    hidden = scheduler.insert("SELECT 'secret'", rolname=team, run_after=[mine])
    last = scheduler.insert("SELECT 1", rolname=app, run_after=[hidden])
    session = scheduler.connect_as(app)
    assert session.execute("SELECT job_id, after_job_name FROM job_chain").fetchall() == [(last, None)]
    with pytest.raises(psycopg.errors.InvalidParameterValue) as raised:
        session.execute("UPDATE my_job SET run_after = %s WHERE job_id = %s", ([last], mine))
    assert "secret" not in str(raised.value)


def test_only_jobs_that_one_may_touch(scheduler: Scheduler) -> None:
    stranger, team, app = scheduler.role("stranger"), scheduler.role("team", "NOLOGIN", False), scheduler.role()
    scheduler.execute("GRANT {} TO {}", sql.Identifier(team), sql.Identifier(app))
    theirs, ours = scheduler.insert("SELECT 1", rolname=stranger), scheduler.insert("SELECT 1", rolname=team)
    session = scheduler.connect_as(app)
    define = "SELECT job_id FROM insert_job('SELECT 1', current_catalog, run_after := %s)"
    for unknown in (theirs, 4711):
        with pytest.raises(psycopg.errors.NoDataFound, match=f"no job {unknown}"):
            session.execute(define, ([unknown],))
    with pytest.raises(psycopg.errors.NoDataFound):
        session.execute(define, ([None],))
    (job,) = session.execute(define, ([ours],)).fetchone() or (0,)
    with pytest.raises(psycopg.errors.NoDataFound):
        session.execute("UPDATE my_job SET run_after = %s", ([ours, theirs],))
    # What was allowed when it was defined stays; other changes of the job go through.
    scheduler.execute("REVOKE {} FROM {}", sql.Identifier(team), sql.Identifier(app))
    session.execute("SELECT update_job(%s, run_when := 'always')", (job,))
    for statement in (
        "SELECT * FROM finished_dependency",
        "INSERT INTO finished_dependency VALUES (1, 1, 1, true)",
        "DELETE FROM job_chain",
        "SELECT refuse_cycle()",
    ):
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
            session.execute(statement)
    assert [row.job_id for row in session.execute("SELECT job_id FROM job_chain")] == [job]
    assert scheduler.connect_as(stranger).execute("SELECT * FROM job_chain").fetchall() == []


@pytest.mark.parametrize("run_when", ["", "never"])
def test_bad_conditions(scheduler: Scheduler, run_when: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue) as raised:
        scheduler.execute(
            "INSERT INTO member_job (job_command, datname, run_when) VALUES ('SELECT 1', current_catalog, {})",
            sql.Literal(run_when),
        )
    assert raised.value.diag.message_hint


def test_jobs_are_given_by_number_or_name(scheduler: Scheduler) -> None:
    app_role, team = scheduler.role(), scheduler.role("team")
    scheduler.execute("GRANT {} TO {}", sql.Identifier(team), sql.Identifier(app_role))
    app, other = scheduler.connect_as(app_role), scheduler.connect_as(scheduler.role())

    def insert(session: psycopg.Connection[Any], name: str, **options: Any) -> int:
        row = session.execute(
            "SELECT job_id FROM insert_job('SELECT 1', current_catalog, job_name => %s, rolname => %s)",
            (name, options.get("rolname", session.info.user)),
        ).fetchone()
        assert row is not None
        return int(row[0])

    load, check, odd = insert(app, "load"), insert(app, "check, all"), insert(app, "{odd}")
    theirs = insert(app, "load", rolname=team)
    shared = insert(app, "shared", rolname=team)
    insert(other, "hidden")
    after = insert(app, "report")
    given: list[tuple[Any, list[int]]] = [
        ("load", [load]),
        ("shared", [shared]),
        ('{load,"check, all"}', [load, check]),
        (["load", "{odd}"], [load, odd]),
        ([str(theirs), "load"], sorted([theirs, load])),
        ([load, check], [load, check]),
        (str(load), [load]),
        (f"{{{load},{theirs}}}", [load, theirs]),
    ]
    for value, expected in given:
        row = app.execute("SELECT run_after FROM update_job(%s, run_after => %s)", (after, value)).fetchone()
        assert row == (expected,), value
        row = app.execute(
            "SELECT run_after FROM insert_job('SELECT 1', current_catalog, run_after => %s)", (value,)
        ).fetchone()
        assert row == (expected,), value
    for typed in (f"ARRAY[{load}]", f"ARRAY[{load}]::bigint[]", f"ARRAY[{load}]::smallint[]", "ARRAY['load']",
                  "'load'::varchar", "ARRAY['load']::varchar[]", "ARRAY['load'::text]"):  # fmt: skip
        assert app.execute(f"SELECT run_after FROM update_job('report', run_after => {typed})").fetchone() == ([load],)
    assert app.execute("SELECT run_after FROM update_job('report', run_after => '{}')").fetchone() == (None,)
    for unknown in ("hidden", "{load,hidden}", "{load", ""):
        with pytest.raises((psycopg.errors.NoDataFound, psycopg.errors.InvalidTextRepresentation)):
            app.execute("SELECT update_job('report', run_after => %s)", (unknown,))


def test_deleting_a_job_that_others_run_after(scheduler: Scheduler) -> None:
    first = scheduler.insert("SELECT 1")
    second = scheduler.insert("SELECT 2", run_after=[first])
    heard: list[str] = []
    scheduler.admin.add_notice_handler(lambda diag: heard.append(f"{diag.severity}: {diag.message_primary}"))
    scheduler.execute(f"SELECT delete_job({first})")
    assert heard == [
        f"WARNING: job {second} runs after job {first}, which has been deleted: that will no longer start it"
    ]
    assert scheduler.value("SELECT state FROM job_chain") == "deleted"


def test_deleting_many_jobs_that_others_run_after(scheduler: Scheduler) -> None:
    """The warnings are of what there is when the statement has ended, and few; others' jobs are not named."""
    app = scheduler.connect_as(scheduler.role())
    heard: list[str | None] = []
    app.add_notice_handler(lambda diag: heard.append(diag.message_primary))
    define = "INSERT INTO my_job (job_command, job_description) SELECT 'SELECT 1', 'first' FROM generate_series(1, %s)"
    follow = "INSERT INTO my_job (job_command, run_after) SELECT 'SELECT 1', ARRAY[job_id] FROM my_job"
    read = """SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_all_tables
              WHERE relid = (SELECT oid FROM pg_class WHERE relname = 'job' AND relkind = 'r')"""
    rows: list[int] = []
    for many in (50, 100):
        app.execute(define, (many,))
        with app.transaction():
            before, *_ = app.execute(read).fetchone() or (0,)
            app.execute(follow)
            app.execute("DELETE FROM my_job")
            after, *_ = app.execute(read).fetchone() or (0,)
        rows.append(after - before)
    assert heard == []
    # Each of them is looked for by index, not among all jobs.
    assert rows[1] < 3 * rows[0], rows

    app.execute(define, (12,))
    app.execute(follow)
    firsts = [job for (job,) in app.execute("SELECT job_id FROM my_job WHERE job_description = 'first'")]
    scheduler.insert("SELECT 1", run_after=firsts[:1])
    app.execute("SET elephant_worker.deleted = 'nonsense'")
    app.execute("DELETE FROM my_job WHERE job_description = 'first'")
    assert len(heard) == 11
    assert heard[-1] == "the same holds for 2 more jobs"
    job = app.execute("SELECT job_id FROM insert_job('SELECT 1', current_catalog)").fetchone()
    assert job is not None
    heard.clear()
    # Nor again with the next statement, nor after a deletion that was undone.
    with app.transaction(force_rollback=True):
        app.execute("SELECT delete_job(job_id) FROM my_job")
    app.execute("DELETE FROM member_job WHERE job_id = %s", (job.job_id,))
    assert heard == []


def test_a_right_that_is_taken_away_ends_the_chain(scheduler: Scheduler) -> None:
    """Who may not touch a job any more does not learn when it ends."""
    owner, follower = scheduler.role("owner"), scheduler.role("follower")
    names = sql.Identifier(owner), sql.Identifier(follower)
    scheduler.execute("GRANT {} TO {}", *names)
    first = scheduler.insert("SELECT 1", rolname=owner)
    session = scheduler.connect_as(follower)
    row = session.execute(
        "SELECT job_id FROM insert_job('SELECT 1', current_catalog, run_after := ARRAY[%s]::bigint[])", (first,)
    ).fetchone()
    assert row is not None
    scheduler.start()

    def chain() -> list[str]:
        return [link.state for link in session.execute("SELECT state FROM job_chain").fetchall()]

    scheduler.ended(scheduler.value("SELECT run_job(%s)", first))
    until(lambda: len(scheduler.log(row.job_id)) == 1, "the job that runs after it")
    scheduler.execute("REVOKE {} FROM {}", *names)
    assert chain() == ["not permitted"]
    scheduler.ended(scheduler.value("SELECT run_job(%s)", first))
    assert scheduler.value("SELECT count(*) FROM finished_dependency") == 0
    # A superuser who sets what it runs after answers for that.
    scheduler.execute(
        "UPDATE member_job SET run_after = '{}' WHERE job_id = {}", sql.SQL("{}"), sql.Literal(row.job_id)
    )
    scheduler.execute("UPDATE member_job SET run_after = ARRAY[{}]::bigint[] WHERE job_id = {}",
                      sql.Literal(first), sql.Literal(row.job_id))  # fmt: skip
    assert scheduler.value("SELECT defined_by FROM all_job WHERE job_id = %s", row.job_id) == USER
    assert chain() == ["waiting"]
    scheduler.ended(scheduler.value("SELECT run_job(%s)", first))
    until(lambda: len(scheduler.log(row.job_id)) == 2, "the job that runs after it again")


def test_a_job_that_is_given_away_from_those_that_run_after_it(scheduler: Scheduler) -> None:
    """Who gives it hears of that, and who can do something about it finds it in problem, with what they can do."""
    owner, boss, stranger = scheduler.role("owner"), scheduler.role("boss"), scheduler.role("stranger")
    scheduler.execute("GRANT {} TO {}", sql.Identifier(owner), sql.Identifier(boss))
    first = scheduler.insert("SELECT 1", rolname=owner)
    other = scheduler.insert("SELECT 1", rolname=boss)
    session = scheduler.connect_as(boss)
    define = "SELECT job_id FROM insert_job('SELECT 2', current_catalog, job_name => 'dep', run_after => %s)"
    (dependent,) = session.execute(define, ([first, other],)).fetchone() or (0,)
    heard: list[tuple[str | None, ...]] = []
    scheduler.admin.add_notice_handler(lambda diag: heard.append((diag.message_primary, diag.message_detail)))
    orphaned = "SELECT * FROM problem WHERE problem = 'orphaned'"
    scheduler.execute("SET elephant_worker.given_away = 'nonsense'")
    give = "UPDATE member_job SET rolname = {} WHERE job_id = {}"
    scheduler.execute(give, sql.Literal(boss), sql.Literal(first))
    assert heard == []
    assert session.execute(orphaned).fetchall() == []
    scheduler.execute(give, sql.Literal(stranger), sql.Literal(first))
    detail = f'Role "{boss}", which answers for job {dependent}, may not act as that role.'
    told = f'job {dependent} runs after job {first}, which has been given to role "{stranger}"'
    assert heard == [(f"{told}: that will no longer start it", detail)]
    # Nor again with the next statement.
    scheduler.execute(give, sql.Literal(boss), sql.Literal(other))
    assert len(heard) == 1
    # What the hint offers beside what is done below.
    take_over = "UPDATE member_job SET defined_by = {} WHERE job_id = {}"
    for definer, orphans in ((USER, 0), (boss, 1)):
        scheduler.execute(take_over, sql.Literal(definer), sql.Literal(dependent))
        assert len(session.execute(orphaned).fetchall()) == orphans

    (row,) = session.execute(orphaned).fetchall()
    why = f'role "{boss}", which answers for this one, may not act as its role'
    assert (row.job_id, row.rolname, row.what) == (dependent, boss, f"job {first} does not start it any more: {why}")
    overview = "SELECT problem FROM job_overview WHERE job_id = %s"
    assert session.execute(overview, (dependent,)).fetchone() == ("orphaned",)
    assert scheduler.connect_as(stranger).execute(orphaned).fetchall() == []
    assert {link.state for link in session.execute(row.remedy).fetchall()} == {"not permitted", "waiting"}
    session.execute(alternatives(row.remedy)["to have it wait for the others only"])
    assert session.execute(orphaned).fetchall() == []
    assert scheduler.value("SELECT run_after FROM member_job WHERE job_id = %s", dependent) == [other]

    session.execute("SELECT delete_job(%s)", (other,))
    (row,) = session.execute(orphaned).fetchall()
    assert row.what == f"job {other} does not start it any more: it has been deleted"
    session.execute(alternatives(row.remedy)["to have it wait for the others only"])
    assert session.execute(orphaned).fetchall() == []
    # A right that ends is not told when it ends.
    also = scheduler.role("also")
    scheduler.execute("GRANT {} TO {}", sql.Identifier(also), sql.Identifier(boss))
    third, second = (scheduler.insert("SELECT 1", rolname=rolname) for rolname in (also, owner))
    session.execute("SELECT update_job('dep', run_after => %s)", ([third, second],))
    assert session.execute(orphaned).fetchall() == []
    scheduler.execute("REVOKE {}, {} FROM {}", sql.Identifier(owner), sql.Identifier(also), sql.Identifier(boss))
    (row,) = session.execute(orphaned).fetchall()
    assert (row.job_id, row.what) == (dependent, f"job {third}, like 1 more, does not start it any more: {why}")
    scheduler.execute("ALTER ROLE {} RENAME TO {}", sql.Identifier(owner), sql.Identifier(f"{owner} renamed"))
    (row,) = session.execute(orphaned).fetchall()
    assert row.what == f"job {second}, like 1 more, does not start it any more: its role does not exist"
    scheduler.execute("ALTER ROLE {} RENAME TO {}", sql.Identifier(f"{owner} renamed"), sql.Identifier(owner))
    session.execute("SELECT update_job('dep', enabled => false)")
    assert session.execute(orphaned).fetchall() == []


def test_many_jobs_are_given_away(scheduler: Scheduler) -> None:
    """The warnings are few, what others have is not named, and what runs after a job is looked for by index."""
    role, team = scheduler.role(), scheduler.role("team", "NOLOGIN", False)
    scheduler.execute("GRANT {} TO {}", sql.Identifier(team), sql.Identifier(role))
    app = scheduler.connect_as(role)
    heard: list[str | None] = []
    app.add_notice_handler(lambda diag: heard.append(diag.message_primary))
    app.execute("INSERT INTO my_job (job_command) SELECT 'SELECT 1' FROM generate_series(1, 12)")
    app.execute("INSERT INTO my_job (job_command, run_after) SELECT 'SELECT 2', ARRAY[job_id] FROM my_job")
    # What others run after it.
    hidden = scheduler.insert("SELECT 1", run_after=[scheduler.value("SELECT min(job_id) FROM member_job")])
    scheduler.execute("UPDATE job SET defined_by = {} WHERE job_id = {}", sql.Literal(role), sql.Literal(hidden))
    app.execute("UPDATE member_job SET rolname = %s WHERE run_after IS NULL", (team,))
    assert heard == []
    scheduler.execute("ALTER TABLE job DISABLE TRIGGER check_job")
    loner = scheduler.role("loner", "NOLOGIN", False)
    scheduler.execute("UPDATE job SET defined_by = {} WHERE run_after IS NOT NULL", sql.Literal(loner))
    scheduler.execute("ALTER TABLE job ENABLE TRIGGER check_job")
    app.execute("UPDATE member_job SET rolname = current_user WHERE run_after IS NULL")
    assert len(heard) == 11
    assert heard[-1] == "the same holds for 2 more jobs"
    shown = app.execute("SELECT count(*) FROM job_chain WHERE state = 'not permitted'").fetchone()
    assert shown == (12,)
    assert not any(f"job {hidden} " in str(text) for text in heard)


def test_nothing_is_told_of_hidden_jobs_that_run_after_ones_own(scheduler: Scheduler) -> None:
    """What is noted for the warnings is noted in settings, which the role that gives or deletes a job can read."""
    role, team, boss = scheduler.role(), scheduler.role("team", "NOLOGIN", False), scheduler.role("boss")
    for granted, member in ((team, role), (role, boss)):
        scheduler.execute("GRANT {} TO {}", sql.Identifier(granted), sql.Identifier(member))
    app = scheduler.connect_as(role)
    scheduler.execute("CREATE SCHEMA AUTHORIZATION {}", sql.Identifier(role))
    app.execute("SET search_path = {}, {}".format(f'"{role}"', app.execute("SHOW search_path").fetchone()[0]))  # type: ignore[index]
    app.execute("CREATE TABLE mine (job_id bigint)")
    app.execute("CREATE TABLE told (settings text)")
    app.execute(
        """CREATE FUNCTION peek() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
               INSERT INTO told SELECT current_setting('elephant_worker.given_away', true); RETURN NULL; END$$"""
    )
    app.execute("CREATE TRIGGER peek AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION peek()")
    give = """WITH given AS (UPDATE member_job SET rolname = %s WHERE job_id = %s RETURNING job_id)
              INSERT INTO mine SELECT job_id FROM given"""
    delete = """DELETE FROM member_job WHERE job_id = %s
                RETURNING nullif(current_setting('elephant_worker.deleted', true), '')"""
    # Whoever sees what runs after the job may be told.
    for follower, is_told in ((None, False), (boss, False), (role, True)):
        job = scheduler.insert("SELECT 1", rolname=role)
        if follower is not None:
            scheduler.insert("SELECT 2", rolname=follower, run_after=[job])
        app.execute(give, (team, job))
        assert app.execute("DELETE FROM told RETURNING nullif(settings, '')").fetchall() == [
            (str(job) if is_told else None,)
        ]
        assert app.execute(delete, (job,)).fetchall() == [(str(job) if is_told else None,)]


def test_what_a_role_notes_itself_is_not_told_with_the_rights_of_another(scheduler: Scheduler) -> None:
    """A function of an administrator changes a job; the warnings are of that one."""
    stranger = scheduler.role("stranger")
    first = scheduler.insert("SELECT 1")
    hidden = scheduler.insert("SELECT 2", run_after=[first])
    own = scheduler.insert("SELECT 3", rolname=stranger)
    scheduler.execute("ALTER TABLE job DISABLE TRIGGER check_job")
    scheduler.execute("UPDATE job SET defined_by = {} WHERE job_id = {}", sql.Literal(stranger), sql.Literal(hidden))
    scheduler.execute("ALTER TABLE job ENABLE TRIGGER check_job")
    path = scheduler.value("SHOW search_path")
    for name, change in (
        ("toggle", "UPDATE member_job SET enabled = NOT enabled"),
        ("remove", "DELETE FROM member_job"),
    ):
        scheduler.execute(
            f"CREATE FUNCTION public.{name}(job bigint) RETURNS void LANGUAGE sql SECURITY DEFINER "
            f"SET search_path = {path} AS '{change} WHERE job_id = job AND rolname = session_user'"
        )
    session = scheduler.connect_as(stranger)
    heard: list[str | None] = []
    session.add_notice_handler(lambda diag: heard.append(diag.message_primary))
    session.execute(f"SET elephant_worker.given_away = '{first}'")
    session.execute(f"SET elephant_worker.deleted = '{first}'")
    session.execute("SELECT toggle(%s)", (own,))
    session.execute("SELECT remove(%s)", (own,))
    assert heard == []
    assert scheduler.value("SELECT count(*) FROM member_job WHERE job_id = %s", own) == 0


def test_many_jobs_whose_predecessors_are_gone(scheduler: Scheduler) -> None:
    """Who has none of them waits for nothing, and who has looks each pair of roles up once."""
    role = scheduler.role()
    app = scheduler.connect_as(role)
    app.execute("INSERT INTO my_job (job_command) VALUES ('SELECT 1')")
    app.execute(
        """INSERT INTO my_job (job_command, run_after)
           SELECT 'SELECT 2', ARRAY[job_id] FROM my_job, generate_series(1, 3000)"""
    )
    counted = "SELECT count(*) FROM problem WHERE problem = 'orphaned'"
    assert scheduler.value(counted) == 0
    app.execute("DELETE FROM my_job WHERE run_after IS NULL")
    assert scheduler.value(counted) == 3000
    with scheduler.admin.transaction():
        scheduler.execute("SET LOCAL track_functions = 'all'")
        assert scheduler.value(counted) == 3000
        calls = "SELECT sum(calls) FROM pg_stat_xact_user_functions WHERE funcname = 'may_follow'"
        assert (scheduler.value(calls) or 0) <= 1
    stranger = scheduler.connect_as(scheduler.role("stranger"))
    assert stranger.execute(counted).fetchone() == (0,)
