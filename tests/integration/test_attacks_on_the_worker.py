"""Who may define jobs, or owns a database, cannot stop the worker, nor keep it from the jobs of others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.remedies import alternatives, mend
from harness.scheduler import SCHEMA, Scheduler
from harness.waiting import until


@pytest.fixture
def arena(scheduler: Scheduler) -> Scheduler:
    """A running worker; nobody is patient with it."""
    scheduler.start()
    scheduler.execute("SET lock_timeout = '10 s'")
    return scheduler


def goes_on(arena: Scheduler) -> None:
    """The worker starts what somebody else asks for, and sees new definitions."""
    job_id = arena.insert("SELECT 1", schedule="1 second")
    assert arena.ended(arena.value("SELECT run_job(%s)", job_id)).state == "succeeded"
    until(lambda: any(run.cause == "schedule" for run in arena.log(job_id)), "a due time")
    arena.execute("DELETE FROM member_job WHERE job_id = {}", sql.Literal(job_id))


LOCKS = [
    *(
        f"LOCK TABLE {view} IN {mode} MODE"
        for view in ("my_job", "member_job", "job_request", "my_job_log", "job", "job_state", "worker_request")
        for mode in ("ROW EXCLUSIVE", "SHARE", "ACCESS EXCLUSIVE")
    ),
    "SELECT * FROM my_job FOR UPDATE",
    "SELECT * FROM member_job FOR UPDATE",
    "SELECT * FROM job_request FOR UPDATE",
    "SELECT * FROM my_job_log FOR UPDATE",
    "UPDATE my_job SET job_description = 'held'",
    "DELETE FROM my_job",
    "SELECT run_job(job_id) FROM my_job",
    "SELECT cancel_job(job_id) FROM my_job",
    "LISTEN elephant_worker_wake; NOTIFY elephant_worker_wake",
    "SELECT pg_advisory_lock(classid::integer, objid::integer) FROM pg_locks WHERE locktype = 'advisory'",
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SELECT * FROM my_job_log; UPDATE my_job SET enabled = false",
]


def test_no_lock_stops_the_worker(arena: Scheduler) -> None:
    session = arena.connect_as(arena.role("mallory"))
    session.execute("SELECT insert_job('SELECT 1', current_catalog, '1 second')")
    session.autocommit = False
    for lock in LOCKS:
        try:
            session.execute(lock)
        except psycopg.errors.InsufficientPrivilege:
            session.rollback()
            continue
        assert not lock.startswith("LOCK") or "ROW EXCLUSIVE" in lock, lock
        goes_on(arena)
        session.rollback()


TAMPER = """SET ROLE NONE;
DO $$BEGIN EXECUTE format('ALTER ROLE %I PASSWORD ''mine''', current_user);
           EXECUTE format('ALTER ROLE %I SET work_mem = ''1MB''', current_user); END$$"""


def test_a_connection_limit_leaves_connections_to_others(arena: Scheduler) -> None:
    """It holds for what a role opens from now on; its jobs have sessions of their own, which the worker limits, also if
    the role makes itself a way in through its runner."""
    mallory, victim = arena.role("mallory"), arena.role("victim")
    arena.configure("max_running_jobs_per_role = 1, max_idle_sessions = 0")
    begun = arena.connect_as(mallory)
    arena.execute("ALTER ROLE {} CONNECTION LIMIT 3", sql.Identifier(mallory))
    assert arena.run(TAMPER, rolname=mallory).state == "succeeded"
    runner = arena.value("SELECT runner_name(%s::regrole)", sql.Identifier(mallory).as_string())
    with ExitStack() as held:

        def connect(name: str, password: str, count: int) -> None:
            for _ in range(count):
                held.enter_context(arena.cluster.connect_as(name, arena.dbname, password))

        for name, password, most in ((mallory, mallory, 3), (runner, "mine", 7)):
            with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
                connect(name, password, most + 1)
        assert arena.run("SELECT 1", rolname=victim).state == "succeeded"
    assert arena.run("SELECT 1", rolname=mallory).state == "succeeded"
    begun.execute("SELECT")


def test_a_runner_that_is_being_changed_holds_up_nobody(arena: Scheduler) -> None:
    mallory = arena.role("mallory")
    arena.run(TAMPER, rolname=mallory)
    # What the worker must mend is locked by a transaction that does not end.
    job_id = arena.insert(f"{TAMPER}; SELECT pg_sleep(1000)", rolname=mallory)
    arena.value("SELECT run_job(%s)", job_id)
    until(lambda: arena.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == 1)
    other = arena.insert("SELECT 1", rolname=mallory, schedule="1 second")
    until(lambda: arena.log(other), "the worker to try")
    goes_on(arena)
    refused = next(run for run in arena.log(other) if run.state != "running")
    assert (refused.job_sqlstate, refused.exception_message) == (
        "55P03",
        f'role "{mallory}" could not be given a login',
    )
    assert refused.exception_hint.startswith("The runs that begin when that transaction has ended can connect")
    arena.value("SELECT cancel_job(%s)", job_id)
    until(lambda: arena.log(other)[-1].state == "succeeded", "the runner to be mended")


def test_a_runner_that_is_being_used_holds_up_no_stop(arena: Scheduler) -> None:
    mallory = arena.role("mallory")
    arena.run("SELECT 1", rolname=mallory)
    runner = sql.Identifier(arena.value("SELECT runner_name(%s::regrole)", sql.Identifier(mallory).as_string()))
    session = arena.connect_as(mallory)
    session.autocommit = False
    session.execute("CREATE TEMP TABLE bait (i int)")
    session.execute(sql.SQL("GRANT SELECT ON bait TO {}").format(runner))
    arena.stop()
    session.rollback()
    arena.start()
    goes_on(arena)


def test_runners_that_are_being_used_hold_up_no_stop(arena: Scheduler) -> None:
    """Each is waited for, but together not for long."""
    session = arena.connect_as(arena.role("mallory"))
    session.autocommit = False
    session.execute("CREATE TEMP TABLE bait (i int)")
    for _ in range(25):
        arena.execute(
            "SELECT prepare_runner({}::regrole, 'SCRAM-SHA-256$1:eA==$x:x', 9)", sql.Literal(f'"{arena.role()}"')
        )
    runners = arena.execute("SELECT rolname FROM pg_roles WHERE rolname ~ '^elephant_worker_[0-9]+_[0-9]+$'").fetchall()
    for runner in runners:
        session.execute(sql.SQL("GRANT SELECT ON bait TO {}").format(sql.Identifier(runner.rolname)))
    arena.execute("SELECT stop_worker()")
    until(lambda: not arena.value("SELECT running FROM worker_status"), "the worker to stop", 20)
    assert arena.value("SELECT count(*) FROM pg_roles WHERE rolname = ANY (%s) AND rolcanlogin",
                       [runner.rolname for runner in runners]) == 0  # fmt: skip
    session.rollback()
    arena.start()
    goes_on(arena)


def test_a_runner_that_others_make_a_member_of_their_roles(arena: Scheduler) -> None:
    """Who may grant a role may grant it to any other; that keeps nobody's jobs from running."""
    mallory, club, victim = arena.role("mallory"), arena.role("club", scheduler=False), arena.role("victim")
    arena.execute("GRANT {} TO {} WITH ADMIN OPTION", sql.Identifier(club), sql.Identifier(mallory))
    arena.configure("max_idle_sessions = 0")
    session = arena.connect_as(mallory)
    who = "DO $$BEGIN RAISE NOTICE '%', current_user; END$$"
    for role in (victim, arena.value("SELECT current_user")):
        assert arena.run(who, rolname=role).state == "succeeded"
        runner = arena.value("SELECT runner_name(%s::regrole)", f'"{role}"')
        session.execute(
            sql.SQL("GRANT {} TO {} WITH ADMIN OPTION").format(sql.Identifier(club), sql.Identifier(runner))
        )
        run = arena.run(who, rolname=role)
        assert (run.state, run.notices) == ("succeeded", f"NOTICE:  {role}"), run
    goes_on(arena)


LONG = "(SELECT string_agg(md5(i::text), ',') FROM generate_series(1, 400) i)"


def test_defaults_of_a_role_that_are_too_long(arena: Scheduler) -> None:
    """The worker would copy them for each session, whatever their size."""
    mallory, victim = arena.role("mallory"), arena.role("victim")
    arena.configure("max_idle_sessions = 0")
    set_it = f"DO $$BEGIN EXECUTE format('ALTER ROLE %I SET search_path = %L', current_user, {LONG}); END$$"
    app = arena.connect_as(mallory)
    app.execute(set_it)
    run = arena.run("SELECT 1", rolname=mallory)
    assert (run.state, run.job_sqlstate) == ("failed", "54000")
    assert f'role "{mallory}" are too long' in run.exception_message
    assert arena.run("SELECT 1", rolname=victim).state == "succeeded"
    mend(arena, run.exception_hint.partition(": ")[2].partition(";")[0])
    # The runner can be given some, too, by its own run.
    assert arena.run(f"SET ROLE NONE; {set_it}", rolname=mallory).state == "succeeded"
    run = arena.run("SELECT 1", rolname=mallory)
    assert (run.job_sqlstate, "elephant_worker_" in run.exception_message) == ("54000", True)
    mend(arena, run.exception_hint.partition(": ")[2].partition(";")[0])
    until(lambda: arena.run("SELECT 1", rolname=mallory).state == "succeeded", "the runner to be mended")
    goes_on(arena)


def test_a_lock_on_the_settings_fails_no_run(arena: Scheduler) -> None:
    """Whoever maintains the tables may lock them: what is due waits then, as with any lock on them."""
    arena.configure("max_idle_sessions = 0")
    victim = arena.role("victim")
    job = arena.insert("SELECT 1", rolname=victim, schedule="1 second")
    until(lambda: arena.successes(job), "a run")
    for _ in range(5):
        with arena.connect() as maintainer:
            maintainer.execute("BEGIN; LOCK TABLE worker_setting")
            until(
                lambda: arena.value(
                    """SELECT count(*) FROM pg_locks WHERE relation = 'worker_setting'::regclass
                       AND waitstart < clock_timestamp() - interval '200 ms'"""
                ),
                "the worker to wait for it",
            )
        goes_on(arena)
    assert {row.state for row in arena.log(job)} <= {"succeeded", "running"}


# What is said of roles in a transaction that stays open: it locks their rows.
ROLE_CHANGES = (
    "ALTER ROLE {role} RENAME TO renamed",
    "DROP ROLE {role}",
    "ALTER ROLE {role} PASSWORD 'x'",
    "ALTER ROLE {role} SET work_mem = '1MB'",
    "GRANT {role} TO {mallory}",
    "COMMENT ON ROLE {role} IS 'x'",
)


def test_roles_that_are_being_changed_hold_up_nobody(arena: Scheduler) -> None:
    mallory = arena.role("mallory", "LOGIN CREATEROLE")
    arena.configure("max_idle_sessions = 0")
    session = arena.connect_as(mallory)
    jobs = []
    session.autocommit = False
    for number in range(len(ROLE_CHANGES)):
        session.execute(f"CREATE ROLE victim{number}")
    session.commit()
    for number in range(len(ROLE_CHANGES)):
        jobs.append(arena.insert("SELECT 1", rolname=f"victim{number}"))
    for number, change in enumerate(ROLE_CHANGES):
        session.execute(sql.SQL(change).format(role=sql.Identifier(f"victim{number}"), mallory=sql.Identifier(mallory)))
    goes_on(arena)
    runs = [arena.value("SELECT run_job(%s)", job) for job in jobs]
    # Late versions lock a role that is being dropped, and so keep its runner from being made.
    assert {arena.ended(run).job_sqlstate for run in runs} <= {"00000", "55P03"}
    session.rollback()
    for number in range(len(ROLE_CHANGES)):
        session.execute(f"DROP ROLE victim{number}")
    session.commit()


@pytest.mark.parametrize("place", ["the control database", "another database"])
def test_a_lock_on_a_database_that_is_waited_for(arena: Scheduler, place: str) -> None:
    """PostgreSQL asks for it before it looks at privileges, and whoever logs in waits behind it. So who can log in
    anywhere can keep sessions out of any database, and the runs there must not take the place of others."""
    mallory, victim = arena.role("outsider", scheduler=False), arena.role("victim")
    locked, elsewhere = arena.dbname, arena.database()
    if place == "another database":
        locked, elsewhere = elsewhere, locked
    arena.configure("max_running_jobs = 3, max_idle_sessions = 0")
    shut_out = [arena.insert("SELECT 1", locked, rolname=victim) for _ in range(6)]
    free = arena.insert("SELECT 1", elsewhere, schedule="1 second")
    found = "SELECT * FROM check_jobs() WHERE state <> 'ok'"
    with arena.cluster.connect_as(mallory) as first, arena.cluster.connect_as(mallory) as second:
        first.execute("BEGIN")
        first.execute(
            sql.SQL("ALTER ROLE {} IN DATABASE {} SET work_mem = '1MB'").format(
                sql.Identifier(mallory), sql.Identifier(locked)
            )
        )
        with ThreadPoolExecutor() as threads:
            rename = sql.SQL("ALTER DATABASE {} RENAME TO gone").format(sql.Identifier(locked))
            waiting = threads.submit(second.execute, rename)
            try:
                is_waiting = "SELECT count(*) FROM pg_locks WHERE pid = %s AND NOT granted"
                until(lambda: arena.value(is_waiting, second.info.backend_pid), "the lock to be waited for")
                arena.execute("SELECT pg_sleep(0.5)")  # the worker looks for locks five times a second
                runs = [arena.value("SELECT run_job(%s)", job) for job in shut_out]
                before = arena.successes(free)
                until(lambda: arena.successes(free) > before + 2, "the other job to go on")
                assert not [run for run in arena.log() if run.jl_id in runs]
                row = until(lambda: arena.execute(found).fetchone(), "it to be told")
                assert f'database "{locked}" wait since ' in row.found
                waiter = f'process {second.info.backend_pid} (role "{mallory}", active)'
                assert f"{waiter} waits for a lock on it" in row.found
                arena.execute(alternatives(row.remedy)["to end that"])
            finally:  # or the thread is waited for
                arena.execute("SELECT pg_terminate_backend({})", sql.Literal(second.info.backend_pid))
            with pytest.raises(psycopg.OperationalError):
                waiting.result()
    assert [arena.ended(run).state for run in runs] == ["succeeded"] * 6
    assert arena.execute(found).fetchall() == []


def test_runs_that_end_their_own_sessions(arena: Scheduler) -> None:
    """All of their role's, over and over: by retries, by what follows a failure, and side by side."""
    mallory = arena.role("mallory")
    end_all = "SET ROLE NONE; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = session_user"
    attributes: dict[str, Any] = {
        "parallel": True,
        "on_failure_command": end_all,
        "retry_on": ["lost", "connection", "error", "timeout"],
        "max_retries": 2,
        "retry_delay": "0.1",
        "max_retry_delay": "0.1",
        "disable_after": 1,
        "expect_success_within": "1 second",
    }
    jobs = [
        arena.insert(end_all, rolname=mallory, job_timeout=timeout, **attributes) for timeout in ("1 minute", "0.001")
    ]
    for _ in range(3):
        arena.execute("SELECT run_job(j) FROM unnest({}::bigint[]) j", sql.Literal(jobs))
    until(lambda: any(run.cause == "failure" for run in arena.log()), "what follows a failure")
    goes_on(arena)
    until(lambda: arena.value("SELECT count(*) = 0 FROM pending_run"), "the last retry")
    ended = {run.job_sqlstate for run in arena.log() if run.rolname == mallory and run.state != "running"}
    assert "57P01" in ended
    assert ended <= {"57P01", "57014", "08001", "08006"}


def test_a_flood_of_wakings(arena: Scheduler) -> None:
    session = arena.connect_as(arena.role("outsider", scheduler=False))
    for number in range(20):
        session.execute(
            """SELECT pg_notify('elephant_worker_wake', repeat('x', 7000) || i)
               FROM generate_series(%s::integer, %s::integer) i""",
            (number * 100, number * 100 + 99),
        )
    goes_on(arena)


def hostile(arena: Scheduler, database: str, owner: str) -> None:
    """Have the owner of a database put a trap into its search_path."""
    with arena.cluster.connect_as(owner, database) as session:
        for statement in (
            "CREATE SCHEMA trap",
            "CREATE TABLE trap.caught (who name, superuser text)",
            "GRANT ALL ON SCHEMA trap TO PUBLIC",
            "GRANT ALL ON ALL TABLES IN SCHEMA trap TO PUBLIC",
            """CREATE FUNCTION trap.spring(what anyelement) RETURNS boolean LANGUAGE plpgsql AS
               $$BEGIN INSERT INTO trap.caught VALUES (current_user, current_setting('is_superuser'));
                       RETURN true; END$$""",
            """CREATE FUNCTION trap.joined(a pg_catalog.text, b pg_catalog.text) RETURNS pg_catalog.text
               LANGUAGE plpgsql AS $$BEGIN PERFORM trap.spring(a); RETURN pg_catalog.concat(a, b); END$$""",
            "CREATE OPERATOR trap.|| (LEFTARG = pg_catalog.text, RIGHTARG = pg_catalog.text, FUNCTION = trap.joined)",
            *(
                f"CREATE DOMAIN trap.{name} AS pg_catalog.{name} CHECK (trap.spring(VALUE))"
                for name in ("text", "name", "int4", "int8", "float8", "oid", "bool")
            ),
            """CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE plpgsql AS
               $$BEGIN PERFORM trap.spring(1); RETURN pg_catalog.now(); END$$""",
        ):
            session.execute(statement)
        session.execute(
            sql.SQL("ALTER DATABASE {} SET search_path = trap, pg_catalog").format(sql.Identifier(database))
        )


def test_the_owner_of_a_database_is_not_who_runs_in_it(arena: Scheduler) -> None:
    """The command is the superuser's business; what the worker sends before and after it is not."""
    mallory = arena.role("mallory")
    database = arena.database(owner=mallory)
    hostile(arena, database, mallory)
    job_id = arena.insert("VACUUM pg_catalog.pg_class", database)
    for _ in range(2):  # in a new session, and in one that has been reset
        assert arena.ended(arena.value("SELECT run_job(%s)", job_id)).state == "succeeded"
    with arena.cluster.connect(database) as admin:
        assert admin.execute("SELECT * FROM trap.caught").fetchall() == []


def test_the_owner_of_the_control_database_is_not_the_worker(arena: Scheduler) -> None:
    mallory = arena.role("mallory")
    arena.execute("ALTER DATABASE {} OWNER TO {}", sql.Identifier(arena.dbname), sql.Identifier(mallory))
    arena.stop()
    hostile(arena, arena.dbname, mallory)
    with arena.cluster.connect_as(mallory) as session:
        session.execute(
            sql.SQL("ALTER DATABASE {} SET role = {}").format(sql.Identifier(arena.dbname), sql.Identifier(mallory))
        )
    if arena.value("SELECT count(*) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'"):
        with arena.cluster.connect_as(mallory) as session:
            session.execute(
                sql.SQL("ALTER DATABASE {} SET restrict_nonsystem_relation_kind = 'view, foreign-table'").format(
                    sql.Identifier(arena.dbname)
                )
            )
    with arena.cluster.connect(arena.dbname) as admin:
        admin.execute("SET ROLE NONE")
        admin.execute(sql.SQL("SELECT {}.start_worker()").format(sql.Identifier(SCHEMA)))
        goes_on(arena)
        # Its session of the superuser's is opened from inside the caller's.
        assert arena.value("SELECT state FROM try_job(%s)", arena.insert("VACUUM")) == "failed"
        assert arena.value("SELECT state FROM try_job(%s)", arena.insert("SELECT")) == "succeeded"
        assert admin.execute("SELECT DISTINCT who FROM trap.caught").fetchall() == []


def test_the_settings_of_a_job_are_no_trap_for_who_changes_it(arena: Scheduler) -> None:
    mallory, heir = arena.role("mallory"), arena.role("heir")
    arena.execute("CREATE SCHEMA trap AUTHORIZATION {}", sql.Identifier(mallory))
    session = arena.connect_as(mallory)
    for statement in (
        "CREATE TABLE trap.caught (who name)",
        "GRANT ALL ON SCHEMA trap TO PUBLIC",
        "GRANT ALL ON trap.caught TO PUBLIC",
        """CREATE FUNCTION trap.spring(a text, b text) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS
           $$BEGIN PERFORM set_config('role', 'none', true); INSERT INTO trap.caught VALUES (current_user);
                   RETURN false; END$$""",
        *(
            f"CREATE OPERATOR trap.{name} (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.spring)"
            for name in ("~*", "=", "<>")
        ),
    ):
        session.execute(statement)
    settings = '{"search_path": "trap, pg_catalog", "SEARCH_PATH": "trap, pg_catalog", "work_mem": "1MB", "a.b": "c"}'
    session.execute("SELECT insert_job('SELECT 1', current_catalog, settings := %s)", (settings,))
    arena.execute("UPDATE member_job SET rolname = {}", sql.Literal(heir))
    assert arena.execute("SELECT * FROM trap.caught WHERE who <> {}", sql.Literal(mallory)).fetchall() == []


def test_a_name_in_no_encoding(arena: Scheduler) -> None:
    arena.execute("CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    with arena.cluster.connect("bytes") as admin:
        admin.execute(b'CREATE DATABASE "odd \xff" CONNECTION LIMIT 1')
        session = arena.connect_as(arena.role("mallory"))
        with pytest.raises(psycopg.errors.CharacterNotInRepertoire):
            session.execute(
                """INSERT INTO my_job (job_command, datname, schedule)
                   SELECT 'SELECT 1', datname, '1 second' FROM pg_database WHERE datname ~ '^odd '"""
            )
        goes_on(arena)
        with admin.transaction():  # locks it
            admin.execute(b'ALTER DATABASE "odd \xff" RENAME TO "\xfe"')
            goes_on(arena)
        admin.execute(b'DROP DATABASE "\xfe"')
    arena.execute("DROP DATABASE bytes")


def test_a_schema_in_which_others_may_create(arena: Scheduler) -> None:
    database = arena.database()
    with arena.cluster.connect(database) as admin:
        admin.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
        with pytest.raises(psycopg.errors.InvalidSchemaDefinition, match="may create objects in the schema"):
            admin.execute("CREATE EXTENSION elephant_worker SCHEMA public CASCADE")


def test_default_privileges_open_nothing(arena: Scheduler) -> None:
    database, mallory = arena.database(), arena.role("mallory")
    with arena.cluster.connect(database) as admin:
        admin.execute("CREATE SCHEMA scheduler")
        for kind in ("TABLES", "SEQUENCES", "FUNCTIONS", "SCHEMAS"):
            admin.execute(
                sql.SQL("ALTER DEFAULT PRIVILEGES GRANT ALL ON {} TO {}, PUBLIC").format(
                    sql.SQL(kind), sql.Identifier(mallory)
                )
            )
        admin.execute("CREATE EXTENSION elephant_worker SCHEMA scheduler CASCADE")
        admin.execute("GRANT USAGE ON SCHEMA scheduler TO PUBLIC")
        rights = """SELECT c.relname FROM pg_class c WHERE c.relnamespace IN ('scheduler'::regnamespace,
               'elephant_worker_internal'::regnamespace)
                      AND c.relkind IN ('r', 'v')
                      AND has_table_privilege('pg_read_all_stats', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, SELECT')
                    UNION ALL SELECT p.proname FROM pg_proc p WHERE p.pronamespace IN ('scheduler'::regnamespace,
                           'elephant_worker_internal'::regnamespace)
                      AND has_function_privilege('pg_read_all_stats', p.oid, 'EXECUTE')"""
        assert admin.execute(rights).fetchall() == []
        (may_create,) = admin.execute(
            "SELECT has_schema_privilege(%s, 'elephant_worker_internal', 'CREATE')", (mallory,)
        ).fetchone() or (None,)
        assert may_create is False
        session = arena.cluster.connect_as(mallory, database)
        with session, pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("UPDATE scheduler.job SET rolname = 'x'")
