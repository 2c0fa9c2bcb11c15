"""elephant_worker_cron beside pg_cron: the same calls, the same answers.

What differs is in docs/moving-in-from-pg_cron.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import ROOT, USER, Cluster, Installation, pg_config
from harness.scheduler import SCHEMA
from harness.waiting import until
from tests.integration.test_update import others_settings

PAGE = (ROOT / "docs/moving-in-from-pg_cron.md").read_text()
IS_INSTALLED = Path(pg_config("--pkglibdir"), "pg_cron.so").exists()
APPLICATION = "application"


class Side:
    """A database with one of the two extensions, and an application's role that may use it."""

    def __init__(self, cluster: Cluster, dbname: str, setup: str) -> None:
        self.cluster = cluster
        self.dbname = dbname
        with cluster.connect() as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(dbname)))
        with cluster.connect(dbname) as admin:
            admin.execute(setup)
        self.connect()

    def connect(self) -> None:
        """Open new sessions."""
        self.admin = self.cluster.connect(self.dbname)
        self.application = self.cluster.connect_as(APPLICATION, self.dbname)
        self.application.execute("SET client_min_messages = error")


@pytest.fixture(scope="module")
def cluster_of_both(installation: Installation, data_directory: str) -> Iterator[Cluster]:
    settings = {"cron.timezone": "Europe/Berlin", "cron.match_dom_and_dow": "on"}
    if IS_INSTALLED:
        settings |= {"shared_preload_libraries": "pg_cron", "cron.database_name": "pg_cron"}
    cluster = Cluster(installation, settings, copy_data_from=data_directory)
    with cluster.connect() as admin:
        admin.execute(f"CREATE ROLE {APPLICATION} LOGIN PASSWORD '{APPLICATION}'")
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def our_side(cluster_of_both: Cluster) -> Side:
    return Side(
        cluster_of_both,
        "elephant",
        f"""CREATE SCHEMA "{SCHEMA}";
            CREATE EXTENSION elephant_worker SCHEMA "{SCHEMA}" CASCADE;
            CREATE EXTENSION elephant_worker_cron;
            GRANT job_scheduler TO {APPLICATION}""",
    )


REVOKE = f"REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA cron FROM {APPLICATION}"


@pytest.fixture
def ours(our_side: Side) -> Iterator[Side]:
    yield our_side
    our_side.admin.execute(f'SELECT "{SCHEMA}".stop_worker()')
    is_running = f'SELECT running FROM "{SCHEMA}".worker_status'
    until(lambda: outcome(our_side.admin, is_running) == [(False,)], "the worker to stop")
    our_side.admin.execute(f'DELETE FROM "{SCHEMA}".member_job')
    our_side.admin.execute(f'DELETE FROM "{SCHEMA}".job_log')
    our_side.admin.execute(REVOKE)


@pytest.fixture(scope="module")
def theirs(cluster_of_both: Cluster) -> Side | None:
    """pg_cron, where Debian has it for this server: there is none of PostgreSQL 16."""
    if not IS_INSTALLED:
        return None
    return Side(cluster_of_both, "pg_cron", f"CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO {APPLICATION}")


@pytest.fixture
def both(ours: Side, theirs: Side | None) -> Iterator[list[Side]]:
    sides = [ours, theirs] if theirs is not None else [ours]
    yield sides
    for side in sides:
        side.admin.execute("DELETE FROM cron.job")
        side.admin.execute(REVOKE)


def outcome(session: psycopg.Connection[Any], call: str) -> Any:
    """What a call returns, or its SQLSTATE."""
    try:
        cursor = session.execute(call)
        return [tuple(row) for row in cursor] if cursor.description else cursor.rowcount
    except psycopg.Error as error:
        return error.sqlstate


def version_of(side: Side) -> tuple[int, ...]:
    """The version of pg_cron that a side is, or imitates."""
    version = side.admin.execute("SELECT extversion FROM pg_extension WHERE extname = 'pg_cron'").fetchone()
    return tuple(map(int, version[0].replace("-", ".").split("."))) if version else (1, 6)


COLUMNS = "schedule, command, nodename, database = current_database(), username, active, jobname"
JOBS = f"SELECT {COLUMNS} FROM cron.job ORDER BY jobid"
# The jobs that the calls make are named, so that their numbers do not matter.
NUMBER = "(SELECT jobid FROM cron.job WHERE jobname = 'nightly')"

# A call of the application, or of the superuser, and what it returns or fails with. Each follows those before.
CALLS: list[tuple[str, str, Any]] = [
    ("application", "SELECT cron.schedule(NULL, 'SELECT 1')", [(None,)]),
    ("application", "SELECT cron.schedule('* * * * *', NULL)", [(None,)]),
    ("application", "SELECT cron.schedule('*/15 9-17 * * 1-5', 'SELECT 1') > 0", [(True,)]),
    ("application", "SELECT cron.schedule('nightly', '0 3 * * *', 'VACUUM') > 0", [(True,)]),
    ("application", "SELECT cron.schedule('nightly', '30 3 * * *', 'ANALYZE') = " + NUMBER, [(True,)]),
    (
        "application",
        "SELECT cron.schedule(job_name := 'c', schedule := '@daily', command := 'SELECT 2') > 0",
        [(True,)],
    ),
    ("application", "SELECT cron.schedule(NULL, '* * * * *', 'SELECT 1')", "XX000"),
    ("application", "SELECT cron.schedule('a', NULL, 'SELECT 1')", "XX000"),
    ("application", "SELECT cron.schedule('a', '* * * * *', NULL)", "XX000"),
    ("application", "SELECT cron.schedule('0 25 * * *', 'SELECT 1')", "22023"),
    ("application", "SELECT cron.schedule('nonsense', 'SELECT 1')", "22023"),
    ("application", "SELECT cron.schedule('', 'SELECT 1')", "22023"),
    ("application", "SELECT cron.schedule('5/15 * * * *', 'SELECT 1')", "22023"),
    ("application", "SELECT cron.schedule('60 seconds', 'SELECT 1')", "22023"),
    ("application", "SELECT cron.schedule('* * * *', 'SELECT 1')", "22023"),
    ("application", "SELECT cron.schedule('@fortnightly', 'SELECT 1')", "22023"),
    (
        "application",
        JOBS,
        [
            ("*/15 9-17 * * 1-5", "SELECT 1", "localhost", True, APPLICATION, True, None),
            ("30 3 * * *", "ANALYZE", "localhost", True, APPLICATION, True, "nightly"),
            ("@daily", "SELECT 2", "localhost", True, APPLICATION, True, "c"),
        ],
    ),
    ("application", "SELECT nodeport = current_setting('port')::integer FROM cron.job LIMIT 1", [(True,)]),
    ("application", "UPDATE cron.job SET active = false", "42501"),
    ("application", "DELETE FROM cron.job", "42501"),
    ("application", "INSERT INTO cron.job (schedule, command) VALUES ('@daily', 'SELECT 1')", "42501"),
    ("application", f"SELECT cron.alter_job({NUMBER}, active := false)", "42501"),
    ("application", "SELECT cron.schedule_in_database('d', '@daily', 'SELECT 1', 'postgres')", "42501"),
    ("admin", f"GRANT EXECUTE ON FUNCTION cron.alter_job TO {APPLICATION}", -1),
    ("admin", f"GRANT EXECUTE ON FUNCTION cron.schedule_in_database TO {APPLICATION}", -1),
    ("application", "SELECT cron.alter_job(NULL, active := false)", "XX000"),
    ("application", f"SELECT cron.alter_job({NUMBER})", "XX000"),
    ("application", "SELECT cron.alter_job(987654, active := false)", "XX000"),
    ("application", f"SELECT cron.alter_job({NUMBER}, schedule := '* 25 * * *')", "22023"),
    ("application", f"SELECT cron.alter_job({NUMBER}, database := 'no such database')", "3D000"),
    ("application", f"SELECT cron.alter_job({NUMBER}, username := current_user)", "XX000"),
    ("application", f"SELECT cron.alter_job({NUMBER}, '0 4 * * *', 'SELECT 4', 'postgres', active := false)", [("",)]),
    (
        "application",
        "SELECT schedule, command, database, active FROM cron.job WHERE jobname = 'nightly'",
        [("0 4 * * *", "SELECT 4", "postgres", False)],
    ),
    # What is scheduled again comes back to this database, and stays as inactive as it was.
    ("application", "SELECT cron.schedule('nightly', '0 5 * * *', 'SELECT 5') > 0", [(True,)]),
    (
        "application",
        "SELECT schedule, command, database = current_database(), active FROM cron.job WHERE jobname = 'nightly'",
        [("0 5 * * *", "SELECT 5", True, False)],
    ),
    ("application", "SELECT cron.schedule_in_database('d', '@daily', 'SELECT 1', 'postgres') > 0", [(True,)]),
    (
        "application",
        "SELECT cron.schedule_in_database('e', '@daily', 'SELECT 1', 'postgres', NULL, false) > 0",
        [(True,)],
    ),
    ("application", "SELECT cron.schedule_in_database('f', '@daily', 'SELECT 1', 'no such database')", "3D000"),
    ("application", "SELECT cron.schedule_in_database('f', '@daily', 'SELECT 1', 'postgres', current_user)", "XX000"),
    (
        "application",
        "SELECT jobname, database, active FROM cron.job WHERE jobname IN ('d', 'e') ORDER BY 1",
        [("d", "postgres", True), ("e", "postgres", False)],
    ),
    # The superuser sees all; names are looked up among the jobs of one's own.
    ("admin", "SELECT count(*) FROM cron.job", [(5,)]),
    ("admin", "SELECT cron.unschedule('nightly')", "XX000"),
    ("admin", "SELECT cron.schedule('nightly', '@daily', 'SELECT 7') > 0", [(True,)]),
    ("admin", "SELECT count(*) FROM cron.job WHERE jobname = 'nightly'", [(2,)]),
    ("application", "SELECT count(*) FROM cron.job WHERE jobname = 'nightly'", [(1,)]),
    (
        "admin",
        f"SELECT cron.schedule_in_database('g', '@daily', 'SELECT 1', 'postgres', '{APPLICATION}') > 0",
        [(True,)],
    ),
    ("application", "SELECT username FROM cron.job WHERE jobname = 'g'", [(APPLICATION,)]),
    ("admin", "SELECT cron.alter_job(jobid, command := 'SELECT 8') FROM cron.job WHERE jobname = 'g'", [("",)]),
    ("admin", "UPDATE cron.job SET active = false WHERE username <> current_user", 6),
    ("admin", "UPDATE cron.job SET nodename = '' WHERE jobname = 'g'", 1),
    ("admin", "UPDATE cron.job SET database = 'postgres', command = 'SELECT 9' WHERE jobname = 'c'", 1),
    ("application", "SELECT DISTINCT active FROM cron.job", [(False,)]),
    ("application", "SELECT database, command FROM cron.job WHERE jobname = 'c'", [("postgres", "SELECT 9")]),
    (
        "admin",
        "INSERT INTO cron.job (schedule, command, nodename, nodeport, database, username) "  # noqa: ISC004
        f"VALUES ('@daily', 'SELECT 10', 'localhost', current_setting('port')::integer, 'postgres', '{APPLICATION}')",
        1,
    ),
    ("application", "SELECT jobname, active FROM cron.job WHERE command = 'SELECT 10'", [(None, True)]),
    ("admin", "DELETE FROM cron.job WHERE command = 'SELECT 10'", 1),
    ("application", f"SELECT cron.unschedule({NUMBER})", [(True,)]),
    ("application", "SELECT cron.unschedule('c')", [(True,)]),
    ("application", "SELECT cron.unschedule('c')", "XX000"),
    ("application", "SELECT cron.unschedule(987654)", "XX000"),
    ("application", "SELECT cron.unschedule(NULL::bigint)", [(None,)]),
    ("application", "SELECT cron.unschedule(jobid) FROM cron.job", [(True,)] * 4),
    ("application", JOBS, []),
    ("admin", "SELECT jobname FROM cron.job", [("nightly",)]),
    ("application", "SELECT * FROM cron.job_run_details", []),
    ("application", "DELETE FROM cron.job_run_details WHERE end_time < now() - interval '7 days'", 0),
    ("application", "UPDATE cron.job_run_details SET status = 'failed'", "42501"),
    ("application", "INSERT INTO cron.job_run_details (jobid) VALUES (1)", "42501"),
]

# pg_cron 1.4, which Debian 12 has, does not bring a job back to this database.
OF_1_4 = {
    "SELECT schedule, command, database = current_database(), active FROM cron.job WHERE jobname = 'nightly'": [
        ("0 5 * * *", "SELECT 5", False, False)
    ]
}

# What the two answer differently, and what docs/moving-in-from-pg_cron.md says of it.
OTHER = "(SELECT jobid FROM cron.job WHERE jobname = 'of the superuser')"
DIFFERENT: list[tuple[str, str, Any, Any, str]] = [
    ("application", "SELECT cron.schedule('42', '@daily', 'SELECT 1') > 0", "42602", [(True,)], "Names"),
    ("application", "SELECT cron.schedule('mine', '@daily', 'SELECT 1') > 0", "23505", [(True,)], "Names"),
    ("application", "SELECT cron.schedule('0 0 30 2 *', 'SELECT 1') > 0", "22023", [(True,)], "never due"),
    ("application", "SELECT cron.schedule('5-3 * * * *', 'SELECT 1') > 0", "22023", [(True,)], "never due"),
    ("application", "SELECT cron.schedule('@yearly', 'SELECT 1') > 0", [(True,)], [(True,)], "`@yearly` is due"),
    ("admin", "SELECT last_value > 0 FROM cron.jobid_seq", "42P01", [(True,)], "cron.jobid_seq"),
    ("admin", "SELECT last_value > 0 FROM cron.runid_seq", "42P01", [(True,)], "cron.runid_seq"),
    ("admin", "INSERT INTO cron.job_run_details (jobid) VALUES (1)", "0A000", 1, "be inserted or updated"),
    ("admin", "SELECT cron.schedule('of the superuser', '@daily', 'SELECT 1') > 0", [(True,)], [(True,)], ""),
    ("admin", "UPDATE cron.job SET schedule = 'nonsense'", "22023", 6, "Updates of `cron.job`"),
    ("admin", "UPDATE cron.job SET nodename = 'berlin'", "42704", 6, "`nodename`"),
    ("admin", "UPDATE cron.job SET nodeport = 1", "0A000", 6, "`nodeport`"),
    ("admin", "UPDATE cron.job SET jobid = 1000000 + jobid", "0A000", 6, "`jobid`"),
    (
        "admin",
        "SELECT cron.schedule_in_database('h', '@daily', 'x', 'postgres', 'nobody')",
        "42704",
        "XX000",
        "SQLSTATE",
    ),
    (
        "admin",
        "SELECT cron.schedule_in_database('h', '@daily', 'SELECT 1', 'postgres', 'job_monitor') > 0",
        [(True,)],
        "XX000",
        "cannot log in",
    ),
    ("stranger", "SELECT cron.schedule('@daily', 'SELECT 1') > 0", "42501", [(True,)], "job_scheduler"),
    ("stranger", "SELECT count(*) > 0 FROM cron.job", "42501", [(True,)], "job_scheduler"),
]


def test_what_differs(ours: Side, both: list[Side]) -> None:
    ours.application.execute(
        f"SELECT job_id FROM \"{SCHEMA}\".insert_job('SELECT 1', current_catalog, job_name => 'mine')"
    )
    for side in both:
        with side.admin.transaction():
            side.admin.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
            side.admin.execute("GRANT USAGE ON SCHEMA cron TO stranger")
        stranger = side.cluster.connect_as("stranger", side.dbname)
        try:
            for role, call, here, there, words in DIFFERENT:
                session = stranger if role == "stranger" else getattr(side, role)
                # Of 1.4 the names are shorter, and the sequence of jobs is the same.
                assert outcome(session, call) == (here if side is ours else there), (side.dbname, call)
                assert words in PAGE, words
        finally:
            stranger.close()
            side.admin.execute("DELETE FROM cron.job")
            if side is not ours:
                side.admin.execute("DELETE FROM cron.job_run_details")
            side.admin.execute("DROP OWNED BY stranger; DROP ROLE stranger")


def test_a_database_that_a_role_may_not_enter(both: list[Side]) -> None:
    call = f"SELECT cron.schedule_in_database('h', '@daily', 'SELECT 1', 'postgres', '{APPLICATION}')"
    assert "of one that may not connect" in PAGE
    for side, expected in zip(both, ("42501", "XX000")):
        with side.admin.transaction(force_rollback=True):
            side.admin.execute("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC")
            assert outcome(side.admin, call) == expected


def test_who_sees_all_jobs(ours: Side) -> None:
    """Superusers, but no others, whatever else they may pass by."""
    ours.admin.execute("CREATE ROLE passes LOGIN BYPASSRLS PASSWORD 'passes' IN ROLE job_scheduler")
    ours.application.execute("SELECT cron.schedule('@daily', 'SELECT 1')")
    passes = ours.cluster.connect_as("passes", ours.dbname)
    assert outcome(passes, "SELECT count(*) FROM cron.job") == [(0,)]
    assert outcome(ours.admin, "SELECT count(*) FROM cron.job") == [(1,)]
    passes.close()
    ours.admin.execute("DROP OWNED BY passes; DROP ROLE passes")


def test_due_times_of_an_active_run(ours: Side) -> None:
    """They are skipped, and said to be; one run can follow the other at once."""
    assert "**Overlap.**" in PAGE
    ours.application.execute("SELECT cron.schedule('slow', '1 second', 'SELECT pg_sleep(1.5)')")
    ours.admin.execute(f'SELECT "{SCHEMA}".start_worker()')
    skipped = f"""SELECT count(*) > 0 FROM "{SCHEMA}".my_job_log WHERE state = 'skipped'"""
    until(lambda: outcome(ours.application, skipped) == [(True,)], "a due time to be skipped")
    shown = "SELECT count(*) FROM cron.job_run_details WHERE status NOT IN ('running', 'succeeded')"
    assert outcome(ours.application, shown) == [(0,)]
    remedy = re.search(r"`(update_job\(.+?\))`", PAGE)
    assert remedy is not None
    call = remedy[1].replace("update_job(…", f'"{SCHEMA}".update_job((SELECT jobid FROM cron.job)::bigint')
    ours.application.execute(f"SELECT {call}")
    before = outcome(ours.application, "SELECT max(runid) FROM cron.job_run_details")[0][0]
    # What was due when the schedule was changed may lie between two runs.
    following = f"""
        SELECT count(*) > 0
        FROM "{SCHEMA}".my_job_log l JOIN "{SCHEMA}".my_job_log p ON p.jl_id = l.jl_id - 1
        WHERE l.jl_id > {before} + 1
            AND l.job_started - p.job_finished BETWEEN '0.9 s' AND l.job_started - l.scheduled_at + '1 s'"""
    until(lambda: outcome(ours.application, following) == [(True,)], "a run that follows another")
    # cron.job can still be changed.
    ours.admin.execute("UPDATE cron.job SET active = false")
    assert outcome(ours.application, "SELECT schedule, active FROM cron.job") == [("@after 1 second", False)]


def test_jobs_of_others(ours: Side) -> None:
    """Nobody is told whether there is a job that is not for them."""
    (number,) = ours.admin.execute("SELECT cron.schedule('secret', '@daily', 'SELECT 1')").fetchone() or ()
    assert outcome(ours.application, f"SELECT cron.unschedule({number})") == "XX000"
    assert "of others" in PAGE
    assert outcome(ours.application, "SELECT count(*) FROM cron.job") == [(0,)]
    assert outcome(ours.admin, f"SELECT cron.unschedule({number})") == [(True,)]


def test_call_by_call(both: list[Side]) -> None:
    for side in both:
        earlier = OF_1_4 if version_of(side) < (1, 5) else {}
        for role, call, expected in CALLS:
            assert outcome(getattr(side, role), call) == earlier.get(call, expected), (side.dbname, call)


def test_names_types_and_defaults(both: list[Side]) -> None:
    """Of pg_cron 1.6: 1.4, which Debian 12 has, calls the types of two names differently."""
    functions = """SELECT p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.proisstrict,
                          p.provolatile, p.prosecdef, p.proparallel
                   FROM pg_proc p WHERE p.pronamespace = 'cron'::regnamespace AND NOT EXISTS (
                       SELECT FROM pg_proc q WHERE q.oid = p.oid AND q.proname IN (
                           'job_cache_invalidate', 'site_setting', 'save_job', 'define_named_job',
                           'change_job', 'delete_run', 'refuse_write'))
                   ORDER BY 1, 2"""
    columns = """SELECT a.attrelid::regclass::text, a.attname, format_type(a.atttypid, a.atttypmod)
                 FROM pg_attribute a WHERE a.attrelid IN ('cron.job'::regclass, 'cron.job_run_details'::regclass)
                     AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid::regclass::text, a.attnum"""
    shown = []
    for side in both:
        text = repr([outcome(side.admin, functions), outcome(side.admin, columns)])
        if version_of(side) < (1, 5):
            text = text.replace("('cron.job', 'jobname', 'name')", "('cron.job', 'jobname', 'text')")
            text = text.replace("'job_name name'", "'job_name text'").replace(", True, 'v', False, 'u')", ", True)")
        shown.append(text.replace(", 'v', False, 'u')", ")"))
    assert len(set(shown)) == 1, shown


MIGRATION = """
DO $do$
BEGIN
    IF EXISTS (SELECT 1 FROM cron.job WHERE jobname = 'purge-sessions') THEN
        PERFORM cron.unschedule('purge-sessions');
    END IF;
END $do$;
SELECT cron.schedule('purge-sessions', '*/10 * * * *', $$DELETE FROM sessions WHERE expires_at < now()$$);
SELECT cron.schedule('every-second', '1 second', $$SELECT 1$$);
SELECT cron.schedule('broken', '1 second', $$SELECT 1/0$$);
SELECT cron.schedule('tidy', '1 second', $$CREATE TEMP TABLE t AS SELECT 1; DROP TABLE t$$);
SELECT cron.schedule('trim-cron-history', '0 12 * * *',
    $$DELETE FROM cron.job_run_details WHERE end_time < now() - interval '7 days'$$);
UPDATE cron.job SET nodename = '' WHERE jobname = 'nobody';
"""


def test_a_migration_and_its_runs(ours: Side) -> None:
    ours.admin.execute(f"GRANT UPDATE ON cron.job TO {APPLICATION}")
    for _ in range(2):
        ours.application.execute(MIGRATION)
    assert outcome(ours.application, "SELECT count(*) FROM cron.job") == [(5,)]
    ours.admin.execute(f'SELECT "{SCHEMA}".start_worker()')
    seen = """SELECT DISTINCT status, return_message, d.database = current_database() AS here, d.username,
                  start_time <= end_time AS in_order
              FROM cron.job_run_details d JOIN cron.job j USING (jobid)
              WHERE jobname = %s AND status <> 'running'"""
    expected = {
        "every-second": ("succeeded", "1 row", True, APPLICATION, True),
        "broken": ("failed", "ERROR:  division by zero\n", True, APPLICATION, True),
        "tidy": ("succeeded", "DROP TABLE", True, APPLICATION, True),
    }
    for name, row in expected.items():
        until(lambda: ours.application.execute(seen, (name,)).fetchone() == row, f"{name} to run")  # noqa: B023
    # What has been deleted keeps its runs, and only its role deletes them.
    ours.application.execute("SELECT cron.unschedule(jobname) FROM cron.job")
    until(
        lambda: outcome(ours.admin, "SELECT count(*) FROM cron.job_run_details WHERE status = 'running'") == [(0,)],
        "the runs to end",
    )
    left = outcome(ours.application, "SELECT count(*) FROM cron.job_run_details")[0][0]
    assert left >= 3
    ours.admin.execute("CREATE ROLE other LOGIN PASSWORD 'other' IN ROLE job_scheduler")
    other = ours.cluster.connect_as("other", ours.dbname)
    assert outcome(other, "DELETE FROM cron.job_run_details") == 0
    assert outcome(other, "CREATE TEMP VIEW v AS SELECT 1 AS runid, 'succeeded' AS state") == -1
    forged = "CREATE TRIGGER t INSTEAD OF DELETE ON v FOR EACH ROW EXECUTE FUNCTION cron.delete_run()"
    assert outcome(other, forged) == "42501"
    other.close()
    ours.admin.execute("DROP OWNED BY other; DROP ROLE other")
    assert outcome(ours.admin, "UPDATE cron.job_run_details SET username = 'other'") == "0A000"
    assert outcome(ours.application, "DELETE FROM cron.job_run_details WHERE status = 'failed'") > 0
    assert outcome(ours.application, "DELETE FROM cron.job_run_details") > 0
    assert outcome(ours.application, "SELECT * FROM cron.job_run_details") == []
    ours.admin.execute(f"REVOKE UPDATE ON cron.job FROM {APPLICATION}")


def test_what_is_active_is_not_deleted_from_the_log(ours: Side) -> None:
    ours.application.execute("SELECT cron.schedule('slow', '1 second', 'SELECT pg_sleep(60)')")
    ours.admin.execute(f'SELECT "{SCHEMA}".start_worker()')
    until(lambda: outcome(ours.application, "SELECT status FROM cron.job_run_details") == [("running",)], "a run")
    assert outcome(ours.application, "DELETE FROM cron.job_run_details") == 0


def test_a_time_zone_of_pg_cron(ours: Side) -> None:
    """Its settings are the site's: in postgresql.conf they stay where they were."""
    ours.application.execute("SELECT cron.schedule('first-monday', '0 9 1-7 * 1', 'SELECT 1')")
    assert outcome(ours.application, f'SELECT schedule, timezone, dst FROM "{SCHEMA}".my_job') == [
        ("0 9 * * 1#1", "Europe/Berlin", "wall")
    ]
    assert outcome(ours.application, "SELECT cron.schedule('0 9 2-5 * 1', 'SELECT 1')") == "22023"


def test_dump_and_restore(ours: Side) -> None:
    ours.application.execute("SELECT cron.schedule('kept', '0 2 * * * *', 'SELECT 1')")
    ours.admin.execute(f"GRANT EXECUTE ON FUNCTION cron.schedule_in_database TO {APPLICATION}")
    ours.admin.execute("CREATE DATABASE restored")
    dump = ours.cluster.command("pg_dump", ours.dbname).stdout
    ours.cluster.command("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", "restored", input=dump)
    restored = ours.cluster.connect_as(APPLICATION, "restored")
    assert outcome(restored, "SELECT jobname, schedule FROM cron.job") == [("kept", "0 2 * * *")]
    assert outcome(restored, "SELECT cron.schedule_in_database('x', '@daily', 'SELECT 1', 'postgres') > 0") == [(True,)]
    restored.close()
    with ours.cluster.connect() as admin:
        admin.execute("DROP DATABASE restored")


def test_where_pg_cron_is(ours: Side, theirs: Side | None) -> None:
    """What it says to do is done, and leaves the jobs where programs look for them."""
    if theirs is None:
        return
    create = "CREATE EXTENSION elephant_worker_cron"
    session = theirs.admin
    session.execute(f'CREATE SCHEMA "{SCHEMA}"; CREATE EXTENSION elephant_worker SCHEMA "{SCHEMA}" CASCADE')
    session.execute("SELECT cron.schedule('nightly', '0 3 * * *', 'VACUUM')")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="pg_cron is installed") as refused:
        session.execute(create)
    assert refused.value.diag.message_hint is not None
    session.execute(refused.value.diag.message_hint.partition(": ")[2])
    session.execute(create)
    assert outcome(session, "SELECT jobname, schedule FROM cron.job") == [("nightly", "0 3 * * *")]
    session.execute(f'DROP EXTENSION elephant_worker CASCADE; DROP SCHEMA "{SCHEMA}"; CREATE EXTENSION pg_cron')
    session.execute(f"GRANT USAGE ON SCHEMA cron TO {APPLICATION}")
    theirs.connect()  # pg_cron remembers in each session which table its jobs were in


def test_a_schema_of_its_name_is_not_used(ours: Side) -> None:
    with ours.admin.transaction(force_rollback=True):
        ours.admin.execute("DROP EXTENSION elephant_worker_cron; CREATE SCHEMA cron")
        with pytest.raises(psycopg.errors.DuplicateSchema, match="schema cron"):
            ours.admin.execute("CREATE EXTENSION elephant_worker_cron")


def test_whatever_is_set(ours: Side) -> None:
    with ours.admin.transaction(force_rollback=True):
        ours.admin.execute("DROP EXTENSION elephant_worker_cron")
        for name, value in others_settings(ours.admin).items():
            if name not in ("default_transaction_isolation", "client_encoding"):
                ours.admin.execute("SELECT set_config(%s, %s, true)", (name, value))
        ours.admin.execute("CREATE EXTENSION elephant_worker_cron")
        assert outcome(ours.admin, "SELECT cron.schedule('s', '0 3 * * *', 'VACUUM') > 0") == [(True,)]
        assert outcome(ours.admin, "SELECT jobname, active, username FROM cron.job") == [("s", True, USER)]


def test_objects_have_comments_and_no_public_rights(ours: Side) -> None:
    without = """SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = 'cron'::regnamespace
                     AND (obj_description(p.oid, 'pg_proc') IS NULL
                          OR has_function_privilege('public', p.oid, 'EXECUTE'))
                 UNION ALL
                 SELECT c.oid::regclass || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                 WHERE c.relnamespace = 'cron'::regnamespace AND c.relkind = 'v' AND a.attnum > 0
                     AND (col_description(c.oid, a.attnum) IS NULL OR has_table_privilege('public', c.oid, 'SELECT'))"""
    assert outcome(ours.admin, without) == []
