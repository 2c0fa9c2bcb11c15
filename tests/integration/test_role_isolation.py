"""A job is its role and nobody else, whatever it executes; and it leaves nothing behind for the next run."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from harness.cluster import USER
from harness.scheduler import Scheduler
from harness.waiting import until

WHO = "DO $$BEGIN RAISE NOTICE '%', current_user; END$$"


@pytest.fixture
def prison(scheduler: Scheduler) -> Scheduler:
    """A running worker, a role `inmate` with a job, a role `victim`, and a table of the superuser's."""
    scheduler.execute("CREATE TABLE secret AS SELECT 'of the superuser' AS word")
    scheduler.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    scheduler.start()
    return scheduler


ESCAPES = [
    "RESET ROLE",
    "SET ROLE NONE",
    "SET ROLE {superuser}",
    "SET ROLE {victim}",
    "RESET SESSION AUTHORIZATION",
    "SET SESSION AUTHORIZATION DEFAULT",
    "SET SESSION AUTHORIZATION {superuser}",
    "SET LOCAL SESSION AUTHORIZATION {victim}",
    "SELECT set_config('role', 'none', false)",
    "SELECT set_config('session_authorization', {superuser_text}, false)",
    "DISCARD ALL",
    "SET ROLE NONE; DO $$BEGIN EXECUTE format('ALTER ROLE %I SUPERUSER', current_user); END$$",
    "SET ROLE NONE; DO $$BEGIN EXECUTE format('GRANT %I TO %I', {superuser_text}, current_user); END$$",
    "SET ROLE NONE; DO $$BEGIN EXECUTE format('ALTER ROLE %I RENAME TO other', current_user); END$$",
    "CREATE ROLE other SUPERUSER",
    "GRANT {superuser} TO {inmate}",
    "ALTER ROLE {superuser} PASSWORD 'open'",
    "SELECT pg_read_file('postgresql.conf')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "LOAD 'plpython3'",
]


@pytest.mark.parametrize("escape", ESCAPES)
def test_no_way_out(prison: Scheduler, escape: str) -> None:
    inmate, victim = prison.role("inmate"), prison.role("victim")
    prison.execute("CREATE TABLE other AS SELECT 'of the victim' AS word")
    prison.execute("ALTER TABLE other OWNER TO {}", sql.Identifier(victim))
    command = sql.SQL(escape).format(
        inmate=sql.Identifier(inmate),
        victim=sql.Identifier(victim),
        superuser=sql.Identifier(USER),
        superuser_text=sql.Literal(USER),
    )
    for table in ("secret", "other"):
        # One statement a run, so that those that cannot be in a transaction block are tried in earnest.
        first = prison.run(command.as_string(), rolname=inmate)
        again = prison.run(f"{command.as_string()}; SELECT * FROM {table}", rolname=inmate)
        assert again.state == "failed", again
        assert again.job_sqlstate in {"42501", "0LP01", "25001", "42704", "42939", "55000", "22023", "0A000"}, (
            first,
            again,
        )
    assert prison.run(WHO, rolname=inmate).notices == f"NOTICE:  {inmate}"
    assert prison.run(WHO, rolname=victim).notices == f"NOTICE:  {victim}"
    assert prison.run(WHO).notices == f"NOTICE:  {USER}"


@pytest.mark.parametrize(
    "tampering",
    [
        "ALTER ROLE %I PASSWORD 'known'",
        "ALTER ROLE %I SET role = 'none'",
        "ALTER ROLE %I SET search_path = 'evil'",
        "ALTER ROLE %I RESET ALL",
        "ALTER ROLE %I IN DATABASE {database} SET role = 'none'",
    ],
)
def test_a_runner_that_was_tampered_with_is_mended(prison: Scheduler, tampering: str) -> None:
    inmate = prison.role("inmate")
    show = "DO $$BEGIN RAISE NOTICE '% %', current_user, current_setting('search_path'); END$$"
    tampering = tampering.replace("{database}", sql.Identifier(prison.dbname).as_string())
    run = prison.run(
        f"SET ROLE NONE; DO $$BEGIN EXECUTE format({sql.Literal(tampering).as_string()}, current_user); END$$",
        rolname=inmate,
    )
    assert run.state == "succeeded", run
    # A session of its own, so that nothing hides what the runner's defaults do.
    prison.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'elephant_worker job%'"
    )
    assert prison.run(show, rolname=inmate).notices == f'NOTICE:  {inmate} "$user", public'
    assert prison.value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'evil'") == 0


# For how long before its end a password is warned of, which PostgreSQL does since version 19.
WARNED = "coalesce(current_setting('password_expiration_warning_threshold', true), '0')::interval"


def test_the_password_of_a_runner_is_no_way_in(prison: Scheduler) -> None:
    inmate = prison.role("inmate")
    prison.run("SELECT 1", rolname=inmate)
    runner = prison.value("SELECT runner_name(%s::regrole)", sql.Identifier(inmate).as_string())
    stored = prison.value("SELECT rolpassword FROM pg_authid WHERE rolname = %s", runner)
    assert stored.startswith("SCRAM-SHA-256$4096:")
    expiry = f"SELECT rolvaliduntil < now() + interval '10 minutes' + {WARNED} FROM pg_authid WHERE rolname = %s"
    assert prison.value(expiry, runner)
    for word in (runner, stored, ""):
        with pytest.raises(Exception, match=r"authentication failed|no password supplied"):
            prison.cluster.connect_as(runner, prison.dbname, word)
    assert stored not in prison.cluster.log


@pytest.mark.parametrize("validity", [f"now() + {WARNED} - interval '1 second'", "'infinity'"])
def test_a_runner_that_is_not_needed_is_closed(prison: Scheduler, validity: str) -> None:
    """Its ten minutes have passed, or its password is valid for longer than any: what is known of it is no way in."""
    inmate = prison.role("inmate")
    alter = "DO $$BEGIN EXECUTE format('ALTER ROLE %I PASSWORD %L', current_user, 'known'); END$$"
    assert prison.run(f"SET ROLE NONE; {alter}", rolname=inmate).state == "succeeded"
    runner = prison.value("SELECT runner_name(%s::regrole)", sql.Identifier(inmate).as_string())
    prison.cluster.connect_as(runner, prison.dbname, "known").close()
    valid_until = prison.value(f"SELECT ({validity})::timestamptz::text")
    prison.execute("ALTER ROLE {} VALID UNTIL {}", sql.Identifier(runner), sql.Literal(valid_until))

    def is_closed() -> bool:
        try:
            prison.cluster.connect_as(runner, prison.dbname, "known").close()
        except psycopg.OperationalError as error:
            return "not permitted to log in" in str(error) or "authentication failed" in str(error)
        return False

    until(is_closed, "the worker to close it")
    assert prison.run("SELECT 1", rolname=inmate).state == "succeeded"


def test_a_runner_that_somebody_else_made_is_refused(prison: Scheduler) -> None:
    inmate, thief = prison.role("inmate"), prison.role("thief")
    runner = sql.Identifier(prison.value("SELECT runner_name(%s::regrole)", sql.Identifier(inmate).as_string()))
    prison.execute("CREATE ROLE {}", runner)
    prison.execute("GRANT {} TO {}", runner, sql.Identifier(thief))
    run = prison.run("SELECT 1", rolname=inmate)
    assert (run.state, run.job_sqlstate) == ("failed", "0P000")
    assert "nobody a member of it" in run.exception_detail
    assert not prison.value("SELECT pg_has_role(%s, %s, 'MEMBER')", thief, inmate)
    prison.execute("DROP ROLE {}", runner)
    assert prison.run("SELECT 1", rolname=inmate).state == "succeeded"


REMAINS = {
    "temporary table": ("CREATE TEMP TABLE t (i int)", "SELECT * FROM pg_temp.t", "42P01"),
    "temporary table that hides another": (
        "CREATE TEMP TABLE pg_class (i int)",
        "DO $$BEGIN IF 'pg_temp.pg_class'::regclass IS NOT NULL THEN RAISE; END IF; END$$",
        "42P01",
    ),
    "held cursor": ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "FETCH c", "34000"),
    "prepared statement": ("PREPARE p AS SELECT 1", "EXECUTE p", "26000"),
    "setting": (
        "SET work_mem = '3MB'",
        "DO $$BEGIN IF current_setting('work_mem') = '3MB' THEN RAISE USING ERRCODE = 'P9999'; END IF; END$$",
        None,
    ),
    "own setting": (
        "SET app.user = 'me'",
        "DO $$BEGIN IF current_setting('app.user', true) <> '' THEN RAISE USING ERRCODE = 'P9999'; END IF; END$$",
        None,
    ),
    "advisory lock": (
        "SELECT pg_advisory_lock(4711)",
        "DO $$BEGIN IF pg_advisory_unlock(4711) THEN RAISE USING ERRCODE = 'P9999'; END IF; END$$",
        None,
    ),
    "listening": (
        "LISTEN remains",
        "DO $$BEGIN IF EXISTS (SELECT FROM pg_listening_channels()) THEN RAISE USING ERRCODE = 'P9999'; END IF; END$$",
        None,
    ),
    "role": (
        "SET ROLE NONE",
        "DO $$BEGIN IF current_user LIKE 'elephant%' THEN RAISE USING ERRCODE = 'P9999'; END IF; END$$",
        None,
    ),
    "open transaction": ("BEGIN; CREATE TABLE left_open ()", "SELECT FROM left_open", "42P01"),
    "copy": ("COPY secret TO STDOUT", "SELECT 1", None),
}


@pytest.mark.parametrize("remains", REMAINS)
def test_the_next_run_finds_a_clean_session(prison: Scheduler, remains: str) -> None:
    leave, find, sqlstate = REMAINS[remains]
    inmate = prison.role("inmate")
    prison.run(leave, rolname=inmate)
    run = prison.run(find, rolname=inmate)
    assert run.job_sqlstate == (sqlstate or "00000"), run


def test_deferred_triggers_run_as_the_role(prison: Scheduler) -> None:
    inmate = prison.role("inmate")
    run = prison.run(
        """CREATE TABLE t (i int);
           CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS
               $$BEGIN RAISE NOTICE '% %', current_user, pg_has_role(current_user, 'pg_read_server_files', 'USAGE');
                       RETURN NULL; END$$;
           CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
               FOR EACH ROW EXECUTE FUNCTION f();
           INSERT INTO t VALUES (1)""",
        rolname=inmate,
    )
    assert run.notices == f"NOTICE:  {inmate} f"


def test_sessions_are_not_shared_between_roles_or_databases(prison: Scheduler) -> None:
    roles, databases = [prison.role(), prison.role()], [prison.dbname, prison.database()]
    pid = "DO $$BEGIN RAISE NOTICE '%', pg_backend_pid(); END$$"
    places = [(database, role) for database in databases for role in roles]
    backends = [prison.run(pid, *place).notices for place in places]
    assert len(set(backends)) == len(places)


def test_sessions_end_soon_after_their_last_run(prison: Scheduler) -> None:
    database = prison.database()
    prison.run("SELECT 1", database)
    prison.execute("DROP DATABASE {}", sql.Identifier(database))
    database = prison.database()
    prison.run("SELECT 1", database)
    prison.execute("CREATE DATABASE copied TEMPLATE {}", sql.Identifier(database))
    prison.execute("DROP DATABASE copied")
    until(lambda: prison.value("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%worker job%'") == 0)
