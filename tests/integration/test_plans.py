"""Each statement of the worker's loop reads as many rows as it is asked for, however many there are and whatever
PostgreSQL believes: also with a plan of the time when the tables were empty, which a session keeps."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from elephant_worker.database import (
    alert,
    finished_dependency,
    job,
    job_log,
    job_state,
    job_statistic,
    once_job,
    pending_run,
    withdrawal,
    worker_request,
    worker_state,
)
from elephant_worker.database.spi import Statement, in_schemas, numbered
from elephant_worker.snapshot import LAST_TRANSACTION
from elephant_worker.worker.main import SESSION
from harness.scheduler import SCHEMA, Scheduler

MODULES = (
    *(alert, finished_dependency, job, job_log, job_state, job_statistic, once_job, pending_run),
    *(withdrawal, worker_request, worker_state),
)
# How many jobs there are, how many each statement is asked about, and how many rows it may read or compare: it joins
# some tables, but not each row with each.
MANY, ASKED, MOST = 2000, 30, 600
JOBS = [*range(1, MANY, MANY // ASKED)]
TABLES = (
    *("job", "once_job", "job_state", "job_statistic", "job_log", "worker_request", "pending_run"),
    *("finished_dependency", "alert", "withdrawal"),
)
# What a worker executes once when it begins, or when the clock was set or a transaction has failed: it reads all there
# is, or all that is so and so.
ONCE = {
    *("SCHEDULED", "LEARN_ROLES", "RESUME", "RENUMBER", "ENQUEUE_REBOOT_JOBS", "SHIFT", "FAILING_JOBS", "END_ORPHANED"),
    *("END_ORPHANED_AND_COUNT", "STALLED", "LOST_RUNS", "NEWEST_MOMENT", "SUCCESS_DEADLINES", "ADVANCE_SEQUENCES"),
    *("ARM", "FORGET_STOP", "AT_REBOOT", "PENDING", "REQUESTED", "GIVEN_AWAY", "FORGET_STARTED"),
}
# Reads no table, and starts a worker, which would be in the way.
NOT_EXPLAINED = {"START_WORKER"}
FILL = """
INSERT INTO job (job_id, rolname, schedule, job_command, on_failure_command, defined_by, schedule_set_at, first_run_at,
                 run_after)
OVERRIDING SYSTEM VALUE
SELECT n, CASE WHEN n % 2 = 0 THEN 'mallory' ELSE 'victim' END, '1 minute', 'SELECT 1', 'SELECT 2', current_user,
       now(), now(),
       CASE WHEN n % 200 = 0 THEN ARRAY[n - 1] END FROM generate_series(1, {many}) n;
INSERT INTO job_state (job_id, schedule_set_at, next_run_at, rolname)
SELECT job_id, schedule_set_at, now() - job_id * interval '1 s', rolname FROM job;
INSERT INTO job_statistic (job_id) SELECT job_id FROM job;
INSERT INTO job_log (jl_id, job_id, rolname, datname, cause, scheduled_at, state, job_command, job_finished)
SELECT job_id, job_id, rolname, datname, 'request', now(),
       CASE WHEN job_id = 1 THEN 'running' ELSE 'succeeded' END, job_command, now() FROM job;
INSERT INTO worker_request (request_id, kind, job_id, rolname, transaction_id) OVERRIDING SYSTEM VALUE
SELECT 10000 + 2 * job_id, 'run', job_id, rolname, job_id::text::xid8 FROM job
UNION ALL SELECT 10001 + 2 * job_id, 'define', job_id, rolname, job_id::text::xid8 FROM job;
INSERT INTO pending_run SELECT job_id, now() - job_id * interval '1 s', now(), 2, job_id FROM job;
INSERT INTO finished_dependency SELECT job_id, 1, job_id, true, 'succeeded', true FROM job;
INSERT INTO withdrawal SELECT job_id, 10000 + 2 * job_id, pg_current_snapshot() FROM job;
INSERT INTO alert (alert_id, event, raised_at, since, told_at, job_id, rolname, explanation)
SELECT job_id, 'failed', now(), now(), now(), job_id, rolname, '' FROM job;
INSERT INTO once_job (job_id, rolname, job_command, defined_by, schedule_set_at) OVERRIDING SYSTEM VALUE
SELECT -job_id, rolname, 'SELECT 1', current_user, now() FROM job;
INSERT INTO worker_request (request_id, kind, cause, job_id, rolname) OVERRIDING SYSTEM VALUE
SELECT 100000 - job_id, 'run', 'once', job_id, rolname FROM once_job
"""
# Requests to run jobs, and to run something once.
REQUESTS = [*(10000 + 2 * job_id for job_id in JOBS[: ASKED // 2]), *(100000 + job_id for job_id in JOBS[ASKED // 2 :])]
FIRST_COLUMNS = """SELECT i.relname, a.attname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]"""
# Values of those parameters that cannot be told by their type.
ROLES, NONE = ["mallory"], list[str]()
FIRST = (float("-inf"), 0)
BY_ROLE = (["mallory", "victim"], [0.0, time.time() - MANY / 2], [0, 0])
VERSIONS = sql.SQL("pg_temp.versions({})").format(JOBS)
PARAMETERS: dict[str, tuple[Any, ...]] = {
    "job_state.DUE": (time.time(), ASKED, *FIRST, NONE, NONE, NONE),
    "job_state.DUE_BY_ROLE": (time.time(), ASKED, *BY_ROLE, NONE, NONE),
    "job_state.FIRST_DUE": BY_ROLE,
    "job_state.NEXT_DUE": FIRST,
    "job_state.NEXT_DUE_BY_ROLE": (*BY_ROLE, NONE, NONE),
    "job_state.TARGETS_DUE": (time.time(), ASKED, *FIRST),
    "pending_run.DUE": (time.time(), ASKED, float("-inf")),
    "pending_run.NEXT_DUE": (float("-inf"),),
    "alert.PRUNE_BY_COUNT": (JOBS[0], 0, ASKED, 0),
    "job_state.FIRST_DUE_IN_PAGES": ("(1,0)", "(3,0)"),
    "worker_state.MOVE_LOWEST_OPEN_RUN": (ASKED,),
    "worker_request.CLAIM": (REQUESTS,),
    "worker_request.TAKE": (REQUESTS,),
    "worker_request.WITHDRAW": (REQUESTS,),
    "worker_request.FOLLOW_ROLES": (JOBS, [0] * ASKED, [10**12] * ASKED, ASKED),
    "worker_request.WITHDRAWN_OF_JOBS": (JOBS, [0] * ASKED, [10**12] * ASKED, ASKED),
    "worker_request.BATCHES": (["1", "70"], ["69", str(LAST_TRANSACTION)], [""] * 2, [""] * 2, ASKED),
    "worker_request.TAKE_MESSAGES": ([*map(str, JOBS)], ["define"] * ASKED, ["victim"] * ASKED, [0] * ASKED, 1),
    "worker_request.QUEUED_RUNS": (["mallory", "victim"], [0, 10000], [10**12, 10**12], ASKED, ASKED),
    "alert.EPISODES": (JOBS, ["failed"], ["failed"], "failed"),
    "job_log.BEGIN_KNOWN": (
        *(JOBS, VERSIONS, JOBS, sql.SQL("pg_temp.due_times({})").format(JOBS), [None] * ASKED),
        *(JOBS, VERSIONS, [10] * ASKED, [1] * ASKED),
    ),
}


def statements(once: bool = False) -> Iterator[tuple[str, Statement]]:
    for module in MODULES:
        for name, value in vars(module).items():
            if isinstance(value, Statement) and name not in NOT_EXPLAINED and (name in ONCE) is once:
                yield f"{module.__name__.rpartition('.')[2]}.{name}", value


def value_of(type_name: str, jobs: list[int]) -> Any:
    """A value of a parameter: of an array, one for each job that is asked about."""
    name = type_name.removesuffix("[]")
    moment, microseconds = time.time(), int(time.time() * 1e6)
    values: dict[str, Any] = {
        "int4": ASKED,
        "int8": 5,
        "float8": moment,
        "text": "failed",
        "name": "victim",
        "bool": False,
    }
    if "." in name:
        fields = {
            "begun_run": lambda n: f"({MANY * 10 + n},{n},victim,postgres,,request,{microseconds},1,,SELECT 1,1,)",
            "ended_run": lambda n: f"({n},succeeded,{microseconds},{microseconds},,,,,,,,,,,,,)",
            "counted_runs": lambda n: f"({n},,{microseconds},1,0,0,0,0,0,1,{{succeeded}},{{1}},{{1}})",
        }
        rows = [fields[name.rpartition(".")[2]](n) for n in jobs]
        return "{" + ",".join('"' + row + '"' for row in rows) + "}"
    if not type_name.endswith("[]"):
        return values[name]
    return jobs if name == "int8" else [values[name]] * len(jobs)


def rows_read(node: dict[str, Any]) -> float:
    """The rows that the scans of tables below a node have read, and those that joins have compared in vain."""
    own = node.get("Rows Removed by Join Filter", 0) * node["Actual Loops"]
    if "Relation Name" in node and node["Node Type"] not in ("ModifyTable", "Bitmap Index Scan"):
        removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        own += (node["Actual Rows"] + removed) * node["Actual Loops"]
    return own + sum(rows_read(child) for child in node.get("Plans", ()))


def indexes_read_through(node: dict[str, Any], first_columns: dict[str, str]) -> set[str]:
    """The indexes that a plan reads from one end to the other: its condition is one of columns that come later."""
    name, condition = node.get("Index Name"), node.get("Index Cond", "")
    first = first_columns.get(name or "")
    own = {f"{name}: {condition}"} if condition and first and not re.search(rf"\b{first}\b", condition) else set[str]()
    return own.union(*(indexes_read_through(child, first_columns) for child in node.get("Plans", ())))


def catalog_reads(node: dict[str, Any]) -> float:
    """How often a plan has looked at roles and databases."""
    own = node["Actual Loops"] if node.get("Relation Name") in ("pg_authid", "pg_database", "known_role") else 0
    return own + sum(catalog_reads(child) for child in node.get("Plans", ()))


def fill(scheduler: Scheduler, many: int) -> None:
    """Have so many jobs, and rows of each in all tables, in place of those that there are."""
    scheduler.execute("SET session_replication_role = replica")
    for table in reversed(TABLES):
        scheduler.execute("DELETE FROM {}", sql.Identifier(table))
    scheduler.admin.execute(FILL.format(many=many))
    scheduler.execute("SET session_replication_role = origin")


def analyze(scheduler: Scheduler) -> None:
    """Have the tables look for good as they are now."""
    for table in TABLES:
        scheduler.execute("ANALYZE {}", sql.Identifier(table))
        scheduler.execute("ALTER TABLE {} SET (autovacuum_enabled = off)", sql.Identifier(table))


def thin_out(scheduler: Scheduler, left: int) -> None:
    """Have the tables keep their size, with so many jobs in them, as the worker's own VACUUM leaves them: PostgreSQL
    then expects so many rows, however many there will be."""
    fill(scheduler, left)
    for table in TABLES:
        scheduler.execute("VACUUM (ANALYZE, TRUNCATE off) {}", sql.Identifier(table))


def connect(scheduler: Scheduler) -> psycopg.Connection[Any]:
    """A session with the settings of the worker."""
    session = scheduler.cluster.connect(scheduler.admin.info.dbname)
    session.prepare_threshold = None  # psycopg would deallocate those of the test too
    for name, value in SESSION.items():
        if session.execute("SELECT current_setting(%s, true)", (name,)).fetchone() != (None,):
            session.execute("SELECT set_config(%s, %s, false)", (name, value))
    session.execute(
        sql.SQL(
            """CREATE FUNCTION pg_temp.versions(int8[]) RETURNS xid[] LANGUAGE sql AS $$
                SELECT array_agg(coalesce((SELECT j.xmin FROM {0}.job j WHERE j.job_id = a.job_id), '0'))
                FROM unnest($1) a (job_id) $$;
               CREATE FUNCTION pg_temp.due_times(int8[]) RETURNS float8[] LANGUAGE sql AS $$
                SELECT array_agg(1e6 * date_part('epoch', (SELECT s.next_run_at FROM {0}.job_state s
                                                           WHERE s.job_id = a.job_id)))
                FROM unnest($1) a (job_id) $$"""
        ).format(sql.Identifier(SCHEMA))
    )
    return session


def prepare(session: psycopg.Connection[Any], number: int, name: str, statement: Statement) -> sql.Composed:
    """Prepare a statement; the statement that executes it."""
    schema = sql.Identifier(SCHEMA).as_string(session)
    types = [in_schemas(type_name, schema) for type_name in statement.types]
    values = PARAMETERS.get(name) or tuple(value_of(type_name, JOBS) for type_name in statement.types)
    arguments = sql.SQL(", ").join(
        sql.SQL("{}::{}").format(value, sql.SQL(type_name)) for value, type_name in zip(values, types)
    )
    prepared = f"PREPARE s{number} ({', '.join(types)})" if types else f"PREPARE s{number}"
    session.execute(f"{prepared} AS {in_schemas(statement.text, schema)}".encode(), prepare=False)
    call = sql.SQL(f"EXECUTE s{number} ({{}})") if types else sql.SQL(f"EXECUTE s{number}")
    return call.format(arguments)


def explain(session: psycopg.Connection[Any], call: sql.Composed) -> dict[str, Any]:
    """What the execution of a prepared statement did; it is undone."""
    with session.transaction(force_rollback=True):
        row = session.execute(sql.SQL("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {}").format(call)).fetchone()
    assert row is not None
    plan: dict[str, Any] = row[0][0]["Plan"]
    return plan


@pytest.mark.parametrize(
    ("most", "left", "planned"),
    [(0, 0, "before"), (0, 0, "after"), (MANY, 0, "before"), (MANY, 3, "after"), (MANY, MANY, "after")],
)
def test_each_statement_reads_no_more_than_it_is_asked_for(
    scheduler: Scheduler, most: int, left: int, planned: str
) -> None:
    """Planned before the tables are filled, as a session keeps a plan, or after that."""
    fill(scheduler, most)
    thin_out(scheduler, left)
    analyze(scheduler)
    session = connect(scheduler)
    asked, once = ({**dict(statements(once))} for once in (False, True))
    calls: dict[str, sql.Composed] = {}
    if planned == "after":
        fill(scheduler, MANY)
    plans: dict[str, dict[str, Any]] = {}
    for number, (name, statement) in enumerate([*asked.items(), *once.items()]):
        calls[name] = prepare(session, number, name, statement)
        plans[name] = explain(session, calls[name])
    if planned == "before":
        fill(scheduler, MANY)
        plans = {name: explain(session, call) for name, call in calls.items()}
    read = {name: rows_read(plans[name]) for name in asked}
    assert {name: rows for name, rows in read.items() if rows > MOST} == {}
    first_columns = dict(session.execute(FIRST_COLUMNS).fetchall())
    read_through = {name: indexes_read_through(plans[name], first_columns) for name in asked}
    assert {name: indexes for name, indexes in read_through.items() if indexes} == {}
    # They do read what they are asked for.
    assert sum(rows >= ASKED for rows in read.values()) > 20, read
    # Others read all there is, and not all for each.
    read = {name: rows_read(plans[name]) for name in once}
    assert {name: rows for name, rows in read.items() if rows > MOST * MANY / ASKED} == {}
    assert sum(rows >= MANY for rows in read.values()) > 3, read


@pytest.mark.parametrize("few", [0, 3])
def test_a_plan_of_few_jobs_looks_at_no_others_than_it_is_asked_for(scheduler: Scheduler, few: int) -> None:
    """To see what is in the way of all jobs for each that is due would take a second for a few thousand."""
    fill(scheduler, few)
    analyze(scheduler)
    session = connect(scheduler)
    of_the_view = [(name, statement) for name, statement in statements() if "job_for_worker" in statement.text]
    calls = {name: prepare(session, number, name, statement) for number, (name, statement) in enumerate(of_the_view)}
    for call in calls.values():
        explain(session, call)
    fill(scheduler, MANY)
    reads = {name: catalog_reads(explain(session, call)) for name, call in calls.items()}
    assert {name: count for name, count in reads.items() if count > MOST} == {}
    assert any(reads.values())


# What is executed for each run, or for each that fails, is retried, or has others run after it, and finds rows that are
# written for each run.
EACH_RUN = {
    *("job_log.BEGIN_KNOWN", "job_log.SUCCEED", "job_statistic.COUNT", "job_state.CLAIM", "job_state.ADVANCE"),
    *("job_state.WAIT_FOR_RUN", "job_state.RUN_AGAIN", "job.POLICIES", "worker_request.CLAIM", "alert.EPISODES"),
    *("finished_dependency.RECORD", "finished_dependency.TELL", "finished_dependency.ENQUEUE_READY"),
}


WRITTEN_EACH_RUN = ("job_state", "job_statistic")


def lookups(node: dict[str, Any]) -> list[tuple[str, str]]:
    """How a plan reads what is written for each run: the index, if it is one, and in which direction."""
    found = [how for child in node.get("Plans", ()) for how in lookups(child)]
    if node.get("Relation Name") in WRITTEN_EACH_RUN and node["Node Type"] != "ModifyTable":
        found.append((node.get("Index Name", node["Node Type"]), node.get("Scan Direction", "")))
    return found


def test_versions_of_a_row_are_not_passed_by(scheduler: Scheduler) -> None:
    """While somebody's snapshot is open, as that of a dump, each run leaves one more, and none can be removed: so rows
    are looked up from the end of the index on, where the newest is, and written where they have been found."""
    fill(scheduler, MANY)
    analyze(scheduler)
    session = connect(scheduler)
    of_runs = [(name, statement) for name, statement in statements() if name in EACH_RUN]
    assert len(of_runs) == len(EACH_RUN)
    ways = {("Tid Scan", ""), *((f"{table}_pkey", "Backward") for table in WRITTEN_EACH_RUN)}
    for number, (name, statement) in enumerate(of_runs):
        found = lookups(explain(session, prepare(session, number, name, statement)))
        assert found, name
        assert {*found} <= ways, name
    with scheduler.connect() as dump:
        dump.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        dump.execute("SELECT count(*) FROM job_state, job_statistic")
        pages: list[int] = []
        for times in (100, 200):
            for _ in range(times):
                for change in (
                    "job_state SET next_run_at = next_run_at + interval '1 ms'",
                    "job_statistic SET success_count = success_count + 1, log_rows = log_rows + 1",
                ):
                    scheduler.admin.execute(f"UPDATE {change} WHERE job_id = ANY (%s)".encode(), (JOBS,))
            for table in WRITTEN_EACH_RUN:
                found_by_number = in_schemas(numbered(f"@extschema@.{table}", "job_id", "n"), f'"{SCHEMA}"')
                plan = explain(
                    session, sql.SQL(f"SELECT FROM unnest({{}}) n CROSS JOIN {found_by_number} t").format(JOBS)
                )
                pages.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
        dump.execute("ROLLBACK")
    # An index that has grown may be deeper, and a page that was split keeps what is no longer in it until it is read.
    assert max(pages) < 10 * ASKED, pages


LOOK = """
from collections import Counter
elephant_spi = elephant("database.spi").Spi(plpy, schema)
inbox = SD.setdefault("inbox", elephant("worker.inbox").Inbox(elephant_spi))
due_jobs = SD.setdefault("due_jobs", elephant("worker.due_jobs").DueJobs(elephant_spi, inbox))
inbox.note()
taken = []
while inbox.has_news:
    inbox.look()
    taken += [number for kind in inbox.take_messages(most).values() for number in kind]
due_jobs.fill(0.0, elephant("jobs.run_queue").Held(roles=frozenset(full)))
capacity = elephant("jobs.run_queue").Capacity(100000, lambda: 100000, Counter(), set(), Counter())
runs = due_jobs.queue.take(capacity, 0.0)
due_jobs.take(runs, kept)
return [*taken, *(run.request_id for run in runs)]
"""


def test_nothing_is_read_that_is_not_committed_or_was_taken(scheduler: Scheduler) -> None:
    """Nobody can see it, and the index has it: the one while its transaction is open, the other while somebody's
    snapshot is older, as that of a dump."""
    many = 3000
    send = "INSERT INTO worker_request (kind, job_id) SELECT %s, n FROM generate_series(1, %s) n"
    scheduler.worker_code("look", 'most int, kept int8[], "full" name[]', LOOK)
    with connect(scheduler) as session, scheduler.connect() as other:
        session.execute("SELECT set_config('search_path', %s, false)", (scheduler.value("SHOW search_path"),))
        session.execute("UPDATE worker_state SET pid = pg_backend_pid()")

        scheduler.admin.execute(send, ("run", 1))
        all_requests = "SELECT array_agg(r.request_id) FROM worker_request r"
        waits = scheduler.value(all_requests)  # for another run to end, say

        def pages_read() -> int:
            """In a look that finds a message and a request, behind one that waits."""
            for kind in ("define", "run"):
                scheduler.admin.execute(send, (kind, 1))
            call = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT look(%s, 500, %s, '{}')"
            row = session.execute(call, (f'"{SCHEMA}"', waits)).fetchone()
            assert row is not None
            assert scheduler.value(all_requests) == waits
            read: int = row[0][0]["Plan"]["Shared Hit Blocks"] + row[0][0]["Plan"]["Shared Read Blocks"]
            return read

        usual = [pages_read() for _ in range(20)][-1]  # until plans are kept
        other.execute("BEGIN")
        for kind in ("define", "run"):
            other.execute(send, (kind, many))
        assert pages_read() < usual + 20
        other.execute("ROLLBACK")
        assert pages_read() < usual + 20
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT count(*) FROM worker_request")
        for kind in ("define", "run"):
            scheduler.admin.execute(send, (kind, many))
        row = session.execute("SELECT cardinality(look(%s, 500, %s, '{}'))", (f'"{SCHEMA}"', waits)).fetchone()
        assert row == (2 * many + 1,)
        pages_read()
        assert pages_read() < usual + 20
        other.execute("ROLLBACK")


def test_what_other_roles_have_asked_for_is_not_passed_by(scheduler: Scheduler) -> None:
    """Neither by who asks for something, whose requests are counted, nor by the worker while these roles are full."""
    role, full = sorted(scheduler.role(name) for name in ("app", "mallory"))
    job_id = scheduler.insert("SELECT 1", rolname=full)
    scheduler.worker_code("look", 'most int, kept int8[], "full" name[]', LOOK)
    with connect(scheduler) as session, scheduler.connect_as(role) as app:
        session.execute("SELECT set_config('search_path', %s, false)", (scheduler.value("SHOW search_path"),))
        session.execute("UPDATE worker_state SET pid = pg_backend_pid()")

        def pages_read() -> int:
            read = 0
            look = f"look('\"{SCHEMA}\"', 500, '{{}}', '{{{full}}}')"
            for who, call in ((app, "run_once('SELECT 1')"), (session, look)):
                row = who.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT {call}").fetchone()  # type: ignore[arg-type]
                assert row is not None
                read += row[0][0]["Plan"]["Shared Hit Blocks"] + row[0][0]["Plan"]["Shared Read Blocks"]
            return read

        usual = [pages_read() for _ in range(20)][-1]
        many = "INSERT INTO worker_request (kind, job_id) SELECT 'run', %s FROM generate_series(1, 20000)"
        scheduler.admin.execute(many, (job_id,))
        pages_read()
        assert pages_read() < usual + 20


LOOK_FOR_DUE = """
Held = elephant("jobs.run_queue").Held
elephant_spi = elephant("database.spi").Spi(plpy, schema)
inbox = elephant("worker.inbox").Inbox(elephant_spi)
due_jobs = SD.setdefault("due_jobs", elephant("worker.due_jobs").DueJobs(elephant_spi, inbox))
for number in range(times):
    due_jobs.advance({job_id: 100.0 + number for job_id in job_ids})
found = []
for held in (Held(), Held(roles=frozenset(full))):
    due_jobs.fill(1e6, held, (), 10, True)
    found.append(len(due_jobs.queue))
    due_jobs.next_due(1e6)
return found
"""


def test_what_was_due_is_not_read_again(scheduler: Scheduler) -> None:
    """Neither of all, nor of each role, while somebody's snapshot keeps it from being vacuumed."""
    roles = [scheduler.role(name) for name in ("mallory", "victim")]
    jobs = [scheduler.insert("SELECT 1", rolname=role) for role in roles for _ in range(15)]
    scheduler.admin.execute(
        """INSERT INTO job_state (job_id, schedule_set_at, next_run_at, rolname)
           SELECT j.job_id, now(), to_timestamp(0), j.rolname FROM job j"""
    )
    scheduler.worker_code("look", 'times int, job_ids int8[], "full" name[]', LOOK_FOR_DUE)
    with connect(scheduler) as session, scheduler.connect() as dump:
        session.execute("SELECT set_config('search_path', %s, false)", (scheduler.value("SHOW search_path"),))

        def look(times: int, explain: str = "") -> Any:
            """How many jobs are found of both roles, and while one of them is full; or how that is done."""
            call = "{} SELECT look({}, {}, {}::int8[], {})"
            row = session.execute(
                sql.SQL(call).format(sql.SQL(explain), f'"{SCHEMA}"', times, jobs, roles[:1])
            ).fetchone()
            assert row is not None
            return row[0]

        def pages_read() -> int:
            plan = look(0, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)")[0]["Plan"]
            read: int = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
            return read

        usual = [pages_read() for _ in range(20)][-1]  # until plans are kept
        dump.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        dump.execute("SELECT count(*) FROM job_state")
        assert look(100) == [30, 15]
        assert look(0) == [30, 15]
        assert pages_read() < usual + 60
        dump.execute("ROLLBACK")


LOOK_AROUND = """
Held = elephant("jobs.run_queue").Held
elephant_spi = elephant("database.spi").Spi(plpy, schema)
inbox = elephant("worker.inbox").Inbox(elephant_spi)
due_jobs = SD.setdefault("due_jobs", elephant("worker.due_jobs").DueJobs(elephant_spi, inbox))
for moment in moments:
    due_jobs.look_around(moment)
found = []
for held in (Held(), Held(roles=frozenset(["nobody"]))):
    due_jobs.fill(500.0, held, (), 10, True)
    found.append(len(due_jobs.queue))
    due_jobs.next_due(500.0)
return found
"""


def test_due_times_of_others_are_found_without_what_was_due(scheduler: Scheduler) -> None:
    """A restore puts them among those that are known."""
    jobs = [scheduler.insert("SELECT 1") for _ in range(3)]
    put = """INSERT INTO job_state (job_id, schedule_set_at, next_run_at, rolname)
             SELECT j.job_id, now(), to_timestamp(%s), j.rolname FROM job j WHERE j.job_id = %s"""
    scheduler.worker_code("look", "moments float8[]", LOOK_AROUND)
    # The state of jobs that are gone takes room too.
    scheduler.admin.execute(
        """INSERT INTO job_state (job_id, schedule_set_at, schedule)
           SELECT -n, now(), repeat('x', 500) FROM generate_series(1, 6000) n"""
    )
    pages = scheduler.value("SELECT pg_relation_size('job_state') / current_setting('block_size')::int")
    assert pages > 400
    with connect(scheduler) as session, scheduler.connect() as dump:
        session.execute("SELECT set_config('search_path', %s, false)", (scheduler.value("SHOW search_path"),))
        moments = iter([2.0 * number for number in range(1000)])

        def look(portions: int, explain: str = "") -> Any:
            """How many jobs are found in the order of due times, and from role to role; or how that is done."""
            call = sql.SQL("{} SELECT look({}, {}::float8[])")
            times = [next(moments) for _ in range(portions)]
            row = session.execute(call.format(sql.SQL(explain), f'"{SCHEMA}"', times)).fetchone()
            assert row is not None
            return row[0]

        def pages_read() -> int:
            plan = look(1, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)")[0]["Plan"]
            read: int = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
            return read

        for found, (job_id, due) in enumerate(zip(jobs, (200, 100, 300))):
            scheduler.admin.execute(put, (due, job_id))
            assert look(21) == [found + 1] * 2  # what is left of a round, and another one
        usual = max(pages_read() for _ in range(40))
        assert usual < pages / 20 + 60
        dump.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        dump.execute("SELECT count(*) FROM job_state")
        for due in (*range(30), None):
            scheduler.admin.execute(
                "UPDATE job_state SET next_run_at = to_timestamp(%s) WHERE job_id BETWEEN -100 AND -1", (due,)
            )
        assert max(pages_read() for _ in range(20)) < 2 * usual
        dump.execute("ROLLBACK")


LOOK_AT_RESULTS = """
elephant_spi = elephant("database.spi").Spi(plpy, schema)
inbox = SD.setdefault("inbox", elephant("worker.inbox").Inbox(elephant_spi))
retries = SD.setdefault("retries", elephant("worker.retries").Retries(elephant_spi, inbox, lambda: 0.0))
dependencies = SD.setdefault("dependencies", elephant("worker.dependencies").Dependencies(elephant_spi, None, inbox))
elephant("database.job").policies(elephant_spi, [job])
retries.schedule([], {}, 0.0)
retries.drop([job])
inbox.has_news = False
dependencies._enqueue_ready([job])
return [int(retries.next_due() or 0), int(inbox.has_news)]
"""
# So many rows, one after the other, of each of the tables in which such rows come and go.
COME_AND_GO = """
DO $$BEGIN
    FOR n IN 1..{many} LOOP
        INSERT INTO pending_run VALUES ({job}, to_timestamp(n), now(), 2, n);
        DELETE FROM pending_run;
        INSERT INTO finished_dependency VALUES ({job}, {before}, n, true);
        DELETE FROM finished_dependency;
        INSERT INTO worker_request (kind, cause, job_id) VALUES ('run', 'retry', {job}), ('run', 'dependency', {job});
        DELETE FROM worker_request WHERE kind = 'run';
        UPDATE job_state SET next_run_at = to_timestamp(n) WHERE job_id = {job};
        UPDATE job_statistic SET failure_count = n WHERE job_id = {job};
    END LOOP;
END$$
"""


def test_what_has_come_and_gone_for_a_job_is_not_passed_by(scheduler: Scheduler) -> None:
    """Retries, what it has waited for, when it was due and how it went, while somebody's snapshot is older."""
    many = 1000
    before = scheduler.insert("SELECT 1")
    job_id = scheduler.insert("SELECT 1", run_after=[before])
    scheduler.admin.execute("INSERT INTO job_state (job_id, schedule_set_at) VALUES (%s, now())", (job_id,))
    scheduler.admin.execute("INSERT INTO job_statistic (job_id) VALUES (%s) ON CONFLICT DO NOTHING", (job_id,))
    scheduler.worker_code("look", "job bigint", LOOK_AT_RESULTS)
    with connect(scheduler) as session, scheduler.connect() as dump:
        session.execute("SELECT set_config('search_path', %s, false)", (scheduler.value("SHOW search_path"),))

        def look(explain: str = "") -> Any:
            """Whether the job can run; that is so again each time."""
            scheduler.admin.execute("INSERT INTO finished_dependency VALUES (%s, %s, 1, true)", (job_id, before))
            call = sql.SQL("{} SELECT look({}, {})").format(sql.SQL(explain), f'"{SCHEMA}"', job_id)
            row = session.execute(call).fetchone()
            scheduler.execute("DELETE FROM worker_request WHERE kind = 'run'")
            assert row is not None
            return row[0]

        def pages_read() -> int:
            plan = look("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)")[0]["Plan"]
            read: int = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
            return read

        assert look() == [0, 1]
        usual = [pages_read() for _ in range(20)][-1]  # until plans are kept
        dump.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        dump.execute("SELECT count(*) FROM job_state")
        scheduler.admin.execute(COME_AND_GO.format(many=many, job=job_id, before=before))
        look()
        assert pages_read() < usual + 30
        assert look() == [0, 1]
        dump.execute("ROLLBACK")


def test_the_mark_of_open_runs_moves_in_steps(scheduler: Scheduler) -> None:
    """Past a run that took long are all that have ended since."""
    move = """
worker_state = elephant("database.worker_state")
return [int(worker_state.move_lowest_open_run(elephant("database.spi").Spi(plpy, schema), most)) for _ in range(times)]
"""
    scheduler.worker_code("move", "most int, times int", move)
    scheduler.admin.execute(
        """INSERT INTO job_log (jl_id, job_id, rolname, datname, cause, scheduled_at, state, job_command)
           SELECT n, n, 'app', 'app', 'request', now(),
                  CASE WHEN n = 2345 THEN 'running' ELSE 'succeeded' END, 'SELECT 1'
           FROM generate_series(1, 4000) n"""
    )
    mark = "SELECT lowest_open_run FROM worker_state"
    moved = "SELECT move(%s, 1000, %s)"
    assert scheduler.value(moved, f'"{SCHEMA}"', 4) == [1, 1, 0, 0]
    assert scheduler.value(mark) == 2345
    scheduler.execute("UPDATE job_log SET state = 'succeeded' WHERE jl_id = 2345")
    assert scheduler.value(moved, f'"{SCHEMA}"', 1) == [1]
    assert scheduler.value(mark) == 3345
    assert scheduler.value(moved, f'"{SCHEMA}"', 2) == [0, 0]
    assert scheduler.value(mark) == 4001


LOOK_AT_JOB = """
elephant_spi = elephant("database.spi").Spi(plpy, schema)
requests = elephant("database.worker_request")
requests.follow_roles(elephant_spi, {job: (0, requests.LAST_NUMBER)}, 100)
requests.withdraw_of_jobs(elephant_spi, {job: requests.LAST}, 0.0)
requests.note_disabled(elephant_spi, {job: requests.LAST})
elephant("database.finished_dependency").enqueue_ready(elephant_spi, {job: 0})
return [int(sent_at) for sent_at in requests.definitions(elephant_spi, [job]).values()] if is_changed else []
"""


def test_definitions_of_a_job_are_not_passed_by(scheduler: Scheduler) -> None:
    """Nobody limits how often a job is changed in a transaction, or while somebody's snapshot is old."""
    many = 3000
    before = scheduler.insert("SELECT 1")
    job_id = scheduler.insert("SELECT 1", run_after=[before])
    scheduler.admin.execute("INSERT INTO finished_dependency VALUES (%s, %s, 1, true)", (job_id, before))
    scheduler.worker_code("look_at_job", "job bigint, is_changed boolean", LOOK_AT_JOB)
    send = "INSERT INTO worker_request (kind, job_id) SELECT 'define', %s FROM generate_series(1, %s)"
    with connect(scheduler) as session, scheduler.connect() as other:
        session.execute("SELECT set_config('search_path', %s, false)", (scheduler.value("SHOW search_path"),))

        def pages_read(is_changed: bool) -> int:
            call = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT look_at_job(%s, %s, %s)"
            row = session.execute(call, (f'"{SCHEMA}"', job_id, is_changed)).fetchone()
            assert row is not None
            read: int = row[0][0]["Plan"]["Shared Hit Blocks"] + row[0][0]["Plan"]["Shared Read Blocks"]
            return read

        usual = [pages_read(is_changed=True) for _ in range(20)][-1]  # until plans are kept
        other.execute("BEGIN")
        other.execute(send, (job_id, many))
        # Whoever changes a job has locked it: nobody else has changed it since it was looked at.
        assert pages_read(is_changed=False) < usual + 20
        other.execute("ROLLBACK")
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT count(*) FROM worker_request")
        scheduler.admin.execute(send, (job_id, many))
        scheduler.execute("DELETE FROM worker_request WHERE kind = 'define'")
        scheduler.admin.execute(send, (job_id, 1))
        assert pages_read(is_changed=True) < usual + 20
        (sent,) = session.execute("SELECT look_at_job(%s, %s, true)", (f'"{SCHEMA}"', job_id)).fetchone() or ([],)
        last = "SELECT trunc(extract(epoch FROM requested_at)) FROM worker_request WHERE kind = 'define'"
        assert sent == [scheduler.value(last)]
        other.execute("ROLLBACK")


def test_what_does_without_sequential_scans_compiles_nothing(scheduler: Scheduler) -> None:
    """A table without an index for it seems to cost 10,000,000,000 then, which PostgreSQL compiles, at each call."""
    rows = scheduler.execute(
        """SELECT p.proname AS name FROM pg_proc p
           JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
           JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'elephant_worker'
           WHERE 'enable_seqscan=off' = ANY (p.proconfig) AND 'jit=off' <> ALL (p.proconfig)"""
    )
    assert [row.name for row in rows] == []


def test_changing_what_many_jobs_run_after(scheduler: Scheduler) -> None:
    """What each comes after is looked for by index, not among all jobs, and nothing is compiled for that."""
    read = """SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_all_tables
              WHERE relid = (SELECT oid FROM pg_class WHERE relname = 'job' AND relkind = 'r')"""
    rows: list[int] = []
    began = time.monotonic()
    for many in (200, 400):
        app = scheduler.connect_as(scheduler.role())
        app.execute("INSERT INTO my_job (job_command) SELECT 'SELECT 1' FROM generate_series(1, %s)", (many,))
        with app.transaction():
            app.execute(
                "UPDATE my_job SET run_after = ARRAY[f] FROM (SELECT min(job_id) f FROM my_job) m WHERE job_id > f"
            )
            rows += app.execute(read).fetchone() or (0,)
    assert rows[1] < 3 * rows[0], rows
    assert time.monotonic() - began < 60
