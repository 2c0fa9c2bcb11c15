"""What an ordinary role tries in order to be somebody else, or to see or change what is another's."""

# ruff: noqa: E501

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import USER
from harness.scheduler import INTERNAL, SCHEMA, Scheduler, new_scheduler
from harness.waiting import until

REFUSED = {"42501", "42704", "22023", "P0002", "44000", "428C9", "0A000", "42809", "3D000", "22004"}


class Arena:
    """A running worker; `mallory` may define jobs, `outsider` may not, `victim` has a job."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.mallory = scheduler.role("mallory")
        self.outsider = scheduler.role("outsider", scheduler=False)
        self.victim = scheduler.role("victim")
        scheduler.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
        scheduler.start()
        self.secret = scheduler.insert("SELECT 'the secret of the victim'", rolname=self.victim)
        scheduler.ended(scheduler.value("SELECT run_job(%s)", self.secret))
        # It waits, since nobody asks for it.
        self.once = scheduler.value(
            "INSERT INTO once_job (job_command, datname, rolname) VALUES ('SELECT 1', current_catalog, %s) RETURNING job_id",
            self.victim,
        )
        self.sessions = {role: scheduler.connect_as(role) for role in (self.mallory, self.outsider)}
        self.mine = self.execute(self.mallory, "SELECT job_id FROM insert_job('SELECT 1', current_catalog)")[0].job_id

    def execute(self, role: str, statement: str, *values: Any) -> list[Any]:
        cursor = self.sessions[role].execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []

    def everything(self) -> list[Any]:
        """What must not have changed."""
        return [
            self.scheduler.execute(query).fetchall()
            for query in (
                f"SELECT * FROM job WHERE job_id <> {self.mine} AND rolname <> '{self.mallory}' ORDER BY job_id",
                f"SELECT * FROM job_log WHERE job_id = {self.secret} ORDER BY jl_id",
                "SELECT * FROM worker_setting",
                "SELECT armed, pid FROM worker_state",
                "SELECT rolname, rolsuper FROM pg_roles WHERE rolname !~ '^elephant_worker' ORDER BY 1",
                """SELECT m.roleid, m.member FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
                   WHERE r.rolname !~ '^elephant_worker' ORDER BY 1, 2""",
            )
        ]


def outcome(session: psycopg.Connection[Any], statement: sql.Composable) -> str | int | None:
    """The SQLSTATE of the error, or how many rows there were."""
    try:
        return session.execute(statement).rowcount
    except psycopg.Error as error:
        return error.sqlstate


@pytest.fixture(scope="module")
def arena(cluster: Any) -> Iterator[Arena]:
    scheduler = new_scheduler(cluster)
    yield Arena(scheduler)
    scheduler.close()
    with cluster.connect() as admin:
        for name in NAMES:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


# {mine}, {secret}: jobs; {victim}, {superuser}: roles as literals.
STATEMENTS = {
    "a job for another": "SELECT insert_job('SELECT 1', current_catalog, rolname := {victim})",
    "a job for the superuser": "SELECT insert_job('SELECT 1', current_catalog, rolname := {superuser})",
    "a job for a predefined role": "SELECT insert_job('SELECT 1', current_catalog, rolname := 'pg_execute_server_program')",
    "a job for the owner of the views": "SELECT insert_job('SELECT 1', current_catalog, rolname := 'job_view_owner')",
    "a run for another": "SELECT run_once('SELECT 1', current_catalog, {victim})",
    "giving a job away": "UPDATE my_job SET rolname = {superuser} WHERE job_id = {mine}",
    "giving a job away, by the function": "SELECT update_job({mine}, rolname := {victim})",
    "taking another's job": "UPDATE member_job SET rolname = current_user WHERE job_id = {secret}",
    "answering for another": "UPDATE my_job SET defined_by = {superuser} WHERE job_id = {mine}",
    "another as definer": "INSERT INTO my_job (job_command, datname, defined_by) VALUES ('SELECT 1', current_catalog, {superuser})",
    "a row of a dump": "INSERT INTO my_job (job_command, datname, rolname, schedule_set_at) VALUES ('SELECT 1', current_catalog, {superuser}, now())",
    "a number of one's own": "INSERT INTO my_job (job_id, job_command, datname) OVERRIDING SYSTEM VALUE VALUES ({secret}, 'SELECT 1', current_catalog)",
    "a conflict": "INSERT INTO my_job (job_id, job_command, datname) VALUES ({secret}, 'SELECT 1', current_catalog) ON CONFLICT (job_id) DO UPDATE SET job_command = 'SELECT 2'",
    "the table": "INSERT INTO job (job_command, datname, rolname, defined_by, schedule_set_at) VALUES ('SELECT 1', current_catalog, {superuser}, {superuser}, now())",
    "the table, updated": "UPDATE job SET rolname = {superuser}",
    "the table, read": "SELECT * FROM job",
    "the view below": "SELECT * FROM all_job",
    "the view below, deleted from": "DELETE FROM all_job",
    "the log, read": "SELECT * FROM job_log",
    "the log, forged": "INSERT INTO job_log (jl_id, job_id, rolname, datname, cause, scheduled_at, state, job_command) VALUES (99, {secret}, {victim}, 'x', 'schedule', now(), 'succeeded', '')",
    "the log, forged through the view": "INSERT INTO my_job_log (jl_id, job_id, rolname) VALUES (99, {secret}, current_user)",
    "the log, changed": "UPDATE member_job_log SET state = 'succeeded'",
    "the log, deleted": "DELETE FROM my_job_log",
    "the inbox": "INSERT INTO worker_request (kind, job_id) VALUES ('stop', NULL)",
    "stopping the worker": "INSERT INTO job_request (kind) VALUES ('stop')",
    "changing settings": "INSERT INTO job_request (kind) VALUES ('set')",
    "running another's job": "INSERT INTO job_request (kind, job_id) VALUES ('run', {secret})",
    "running another's job, by the function": "SELECT run_job({secret})",
    "cancelling another's job": "INSERT INTO job_request (kind, job_id) VALUES ('cancel', {secret})",
    "running what another runs once": "INSERT INTO job_request (kind, cause, job_id) VALUES ('run', 'once', {once})",
    "running it as a job": "INSERT INTO job_request (kind, job_id) VALUES ('run', {once})",
    "cancelling it": "INSERT INTO job_request (kind, job_id) VALUES ('cancel', {once})",
    "a trial": "INSERT INTO job_request (kind, cause, job_id) VALUES ('run', 'trial', {mine})",
    "a retry": "INSERT INTO job_request (kind, cause, job_id) VALUES ('run', 'retry', {mine})",
    "a definition that is reported": "INSERT INTO job_request (kind, job_id) VALUES ('define', {mine})",
    "asking as another": "INSERT INTO job_request (kind, job_id, requested_by) VALUES ('run', {mine}, {superuser})",
    "deleting another's job": "SELECT delete_job({secret})",
    "a merge": "MERGE INTO member_job j USING (SELECT 1) s ON j.job_id = {mine} WHEN MATCHED THEN UPDATE SET rolname = {superuser}",
    "trying another's job": "SELECT try_job({secret})",
    "the settings": "UPDATE worker_setting SET conninfo = 'host=example.com'",
    "the settings, read": "SELECT conninfo FROM worker_setting",
    "the state": "UPDATE worker_state SET pid = pg_backend_pid()",
    "the worker": "CALL run_worker()",
    "the worker, below": "CALL run_worker_loop('foreground', NULL)",
    "a worker": "SELECT start_worker()",
    "no worker": "SELECT stop_worker()",
    "a host": "SELECT host_worker(true, 'now')",
    "a runner": "SELECT prepare_runner(10, 'SCRAM-SHA-256$1:x', 9)",
    "the runners": "SELECT close_idle_runners()",
    "the defaults of a runner": "SELECT copy_role_settings(10, 10)",
    "a trigger of one's own": "CREATE TRIGGER t AFTER INSERT ON job FOR EACH ROW EXECUTE FUNCTION delete_shown_job()",
    "a rule of one's own": "CREATE RULE r AS ON INSERT TO my_job DO ALSO SELECT 1",
    "a view of one's own": 'CREATE OR REPLACE VIEW "Elephant Test".my_job AS SELECT * FROM all_job',
    "an owner": "ALTER VIEW my_job OWNER TO CURRENT_USER",
    "a column default": "ALTER VIEW my_job ALTER COLUMN rolname SET DEFAULT {superuser}",
    "a policy": "ALTER TABLE job ENABLE ROW LEVEL SECURITY",
    "the worker's process": "SELECT pg_terminate_backend(pid) FROM worker_status",
    "the numbers": "SELECT setval('worker_inbox_request_id_seq', 1)",
    "being the owner of the views": "SET ROLE job_view_owner",
    "a member of it": "GRANT job_view_owner TO CURRENT_USER",
    "an event trigger": "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION pg_catalog.event_trigger_noop()",
    "no triggers": "SET session_replication_role = replica",
    "statistics of one's own": "CREATE STATISTICS s (mcv) ON rolname, job_command FROM job",
    "what is sampled": "ALTER TABLE job ALTER job_command SET STATISTICS 10000",
    "an index": "CREATE INDEX ON job (job_command)",
    "a merge into the view below": "MERGE INTO visible_job j USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
    "rows of a file": "COPY my_job (job_command) FROM '/etc/passwd'",
    "a program": "COPY (SELECT job_command FROM my_job) TO PROGRAM 'true'",
    "a file as a large object": "SELECT lo_import('/etc/passwd')",
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_what_is_not_ones_own(arena: Arena, name: str) -> None:
    before = arena.everything()
    statement = sql.SQL(STATEMENTS[name]).format(
        mine=arena.mine, secret=arena.secret, once=arena.once, victim=sql.Literal(arena.victim),
        superuser=sql.Literal(USER),
    )  # fmt: skip
    for role in (arena.mallory, arena.outsider):
        assert outcome(arena.sessions[role], statement) in REFUSED | {"42P01", "42883", "42703", 0}, role
    assert arena.everything() == before


PEEPHOLE = """CREATE FUNCTION peep(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
    $$BEGIN RAISE NOTICE 'seen: %', $1; RETURN true; END$$"""


def test_the_views_leak_nothing_to_cheap_functions(arena: Arena) -> None:
    session = arena.sessions[arena.mallory]
    seen: list[str] = []
    session.add_notice_handler(lambda diag: seen.append(diag.message_primary or ""))
    session.execute(PEEPHOLE)
    session.execute(
        """CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq, RESTRICT = eqsel);
           CREATE FUNCTION peep_at(text, text) RETURNS boolean LANGUAGE sql COST 0.0000001 AS 'SELECT peep($1)';
           CREATE OPERATOR <<< (LEFTARG = text, RIGHTARG = text, FUNCTION = peep_at)"""
    )
    # Errors are as good as notices, and what looks harmless may call it too.
    session.execute(
        """CREATE DOMAIN peeping AS text CHECK (peep(VALUE));
           CREATE TABLE own (t text, peeped boolean GENERATED ALWAYS AS (length(t) > 0) STORED);
           INSERT INTO own VALUES ('own'); ALTER TABLE own ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
           CREATE POLICY p ON own USING (peep(t))"""
    )
    for view in ("my_job", "member_job", "my_job_log", "member_job_log", "waiting_run", "job_request", "job_stats"):
        for expression in (
            "v::text::integer = 1", "v::text::json IS NULL", "v::text::peeping IS NULL", "v::text::regclass IS NULL",
            "GREATEST(v::text::integer, 1) = 1", "CASE WHEN v IS NULL THEN true ELSE v::text::integer = 1 END",
        ):  # fmt: skip
            try:
                session.execute(f"SELECT 1 FROM {view} v WHERE {expression}")
            except psycopg.Error as error:
                seen.append(str(error))
        for statement in (
            f"SELECT 1 FROM own o JOIN {view} v ON peep(v::text)",
            f"SELECT 1 FROM {view} v LEFT JOIN own o ON peep(v::text)",
            f"SELECT 1 FROM own o WHERE NOT EXISTS (SELECT FROM {view} v WHERE peep(v::text))",
            f"SELECT count(*) FILTER (WHERE peep(v::text)) OVER (PARTITION BY peep(v::text)) FROM {view} v",
            f"SELECT DISTINCT ON (peep(v::text)) 1 FROM {view} v ORDER BY peep(v::text) LIMIT 1",
            f"DECLARE held CURSOR WITH HOLD FOR SELECT 1 FROM {view} v WHERE peep(v::text); CLOSE held",
            f"SELECT * FROM {view} v WHERE peep(v::text)",
            f"SELECT * FROM {view} v WHERE v::text <<< ''",
            f"SELECT 1 FROM {view} v GROUP BY v::text HAVING peep(v::text)",
            f"SELECT * FROM {view} v, LATERAL (SELECT peep(v::text) OFFSET 0) p",
            f"EXPLAIN ANALYZE SELECT * FROM {view} v WHERE peep(v::text) AND 1 / length(v::text) >= 0",
        ):
            session.execute(statement)
    for statement in (
        "UPDATE member_job SET job_description = 'x' WHERE peep(job_command) RETURNING peep(job_command)",
        "DELETE FROM member_job WHERE peep(job_command) AND false",
        "SELECT run_job(job_id) FROM member_job WHERE peep(job_command)",
    ):
        session.execute(statement)
    assert any("SELECT 1" in line for line in seen)
    assert not [line for line in seen if "secret" in line]
    for view in ("pg_stats", "pg_stats_ext"):
        query = f"SELECT count(*) AS n FROM {view} WHERE schemaname = %s AND tablename IN ('job', 'job_log')"
        arena.scheduler.execute("ANALYZE")
        assert arena.execute(arena.mallory, query, SCHEMA)[0].n == 0


def test_a_view_of_somebody_else(arena: Arena) -> None:
    """Its owner's rights on what it shows; but whose jobs that are, and who may define some, depends on who looks."""
    mallory, outsider = arena.sessions[arena.mallory], arena.sessions[arena.outsider]
    lures = {
        name: f"CREATE VIEW lure_{name} AS SELECT * FROM {name}; GRANT ALL ON lure_{name} TO PUBLIC"
        for name in ("my_job", "member_job", "my_job_definition", "member_job_log", "job_request")
    }
    for lure in lures.values():
        mallory.execute(lure)
    mallory.execute(
        """CREATE VIEW lure AS SELECT 1 AS n; GRANT ALL ON lure TO PUBLIC;
           CREATE RULE r AS ON INSERT TO lure DO INSTEAD INSERT INTO my_job (job_command) VALUES ('SELECT 1')"""
    )
    before = arena.everything()
    victim = arena.scheduler.connect_as(arena.victim)
    for statement in (
        "SELECT FROM lure_my_job", "SELECT FROM lure_member_job", "SELECT FROM lure_member_job_log",
        "INSERT INTO lure_my_job (job_command) VALUES ('SELECT 1')", "INSERT INTO lure VALUES (1)",
        "INSERT INTO lure_my_job_definition (job_command) VALUES ('SELECT 1')",
        "UPDATE lure_member_job SET job_command = 'SELECT 2'", "DELETE FROM lure_member_job",
        f"INSERT INTO lure_job_request (kind, job_id) VALUES ('run', {arena.mine})",
    ):  # fmt: skip
        assert outcome(outsider, sql.SQL(statement)) == "42501", statement
    assert arena.everything() == before
    assert [row.job_id for row in victim.execute("SELECT job_id FROM lure_member_job")] == [arena.secret]
    for view in lures:
        mallory.execute(f"DROP VIEW lure_{view}")
    mallory.execute("DROP VIEW lure")


def test_the_history_names_whose_rights_were_used(arena: Arena) -> None:
    """Not who is made to call a function, nor whom the session names."""
    mallory, scheduler = arena.sessions[arena.mallory], arena.scheduler
    changes = {
        "create": "PERFORM insert_job('SELECT 1', current_catalog, job_name := 'lure')",
        "change": "UPDATE my_job SET job_description = 'x' WHERE job_name = 'lure'",
        "delete": "DELETE FROM my_job WHERE job_name = 'lure'",
    }
    lie = f"PERFORM set_config('elephant_worker.changed_by', '{arena.victim}', false)"
    for rights in ("definer", "invoker"):
        for action, change in changes.items():
            mallory.execute(
                f"""CREATE FUNCTION public.{rights}_{action}() RETURNS integer LANGUAGE plpgsql SECURITY {rights}
                    SET search_path = "{SCHEMA}" AS $$BEGIN {lie}; {change}; RETURN 1; END$$;
                    CREATE VIEW public.{rights}_{action}_view AS SELECT public.{rights}_{action}() AS n;
                    GRANT SELECT ON public.{rights}_{action}_view TO PUBLIC""".encode()
            )
    said = """SELECT action, changed_by, session_role FROM member_job_change
              WHERE job_id > {} ORDER BY job_id, version"""
    try:
        for reader in (arena.victim, USER):
            session = scheduler.connect() if reader == USER else scheduler.connect_as(reader)
            with session:
                for rights, changed_by in (("definer", arena.mallory), ("invoker", reader)):
                    last = sql.Literal(scheduler.value("SELECT max(job_id) FROM member_job_change"))
                    for action in changes:
                        session.execute(f"SELECT n FROM public.{rights}_{action}_view".encode())
                    rows = scheduler.execute(said, last).fetchall()
                    assert rows == [(action, changed_by, reader) for action in changes]
    finally:
        for rights in ("definer", "invoker"):
            for action in changes:
                mallory.execute(
                    f"DROP VIEW public.{rights}_{action}_view; DROP FUNCTION public.{rights}_{action}()".encode()
                )


def test_what_is_deleted_from_the_table_is_not_noted_by_whom_the_session_names(arena: Arena) -> None:
    """Through no view, by who may write all data."""
    scheduler, role = arena.scheduler, arena.scheduler.role("writer")
    scheduler.execute("GRANT pg_write_all_data, pg_read_all_data TO {}", sql.Identifier(role))
    session = scheduler.connect_as(role)
    job = session.execute("SELECT job_id FROM insert_job('SELECT 1', current_catalog)").fetchone().job_id
    session.execute("SELECT set_config('elephant_worker.changed_by', %s, false)", (arena.victim,))
    session.execute("DELETE FROM job WHERE job_id = %s", (job,))
    said = "SELECT changed_by FROM job_change WHERE job_id = %s AND action = 'delete'"
    assert scheduler.value(said, job) == role


NAMINGS = (
    "SELECT run_job({name})", "SELECT cancel_job({name})", "SELECT delete_job({name})", "SELECT try_job({name})",
    "SELECT update_job({name}, enabled => false)", "SELECT define_job({name}, 'SELECT 1', rolname => {victim})",
    "SELECT insert_job('SELECT 1', current_catalog, run_after => {name})",
    "SELECT update_job({mine}, job_name => {name}, rolname => {victim})",
    "UPDATE my_job SET job_name = {name}, rolname = {victim}",
    """INSERT INTO member_job_definition (job_command, job_name, rolname) VALUES ('SELECT 1', {name}, {victim})
       ON CONFLICT (rolname, (job_name)) DO UPDATE SET job_command = 'SELECT 2'""",
    """INSERT INTO member_job_definition (job_command, job_name, rolname) VALUES ('SELECT 1', {name}, {victim})
       ON CONFLICT DO NOTHING""",
    """SELECT apply_jobs(jsonb_build_array(jsonb_build_object(
           'job_name', {name}, 'job_command', 'SELECT 1', 'rolname', {victim})))""",
)  # fmt: skip


def test_a_name_that_others_have_taken_is_as_unknown_as_any(arena: Arena) -> None:
    session = arena.sessions[arena.mallory]
    arena.scheduler.execute("UPDATE member_job SET job_name = 'taken' WHERE job_id = {}", sql.Literal(arena.secret))
    for naming in NAMINGS:
        said = []
        for name in ("taken", "free"):
            with pytest.raises(psycopg.Error) as refused:
                session.execute(
                    sql.SQL(naming).format(name=sql.Literal(name), mine=arena.mine, victim=sql.Literal(arena.victim))
                )
            diag = refused.value.diag
            said.append(f"{diag.message_primary} {diag.message_detail} {diag.message_hint}".replace(name, "…"))
        assert said[0] == said[1], naming
    arena.scheduler.execute("UPDATE member_job SET job_name = NULL WHERE job_id = {}", sql.Literal(arena.secret))


MISUSE = {
    "worker_pid": ["SELECT worker_pid() FROM generate_series(1, 3)"],
    "worker_activity": ["SELECT * FROM worker_activity()"],
    "report_definition": ["SELECT report_definition()"],
    "report_commit": ["SELECT report_commit()"],
    "delete_shown_job": ["SELECT delete_shown_job()"],
    "refuse_cycle": ["SELECT refuse_cycle()"],
    "record_change": ["SELECT record_change()"],
    "check_server": ["SELECT check_server()"],
    "check_name_is_free": ["SELECT check_name_is_free()"],
    "remember_target": ["SELECT remember_target()"],
    "check_job_quota": ["SELECT check_job_quota()"],
    "is_armed": ["SELECT is_armed()"],
    "worker_condition": ["SELECT * FROM worker_condition()"],
    "client_sessions": ["SELECT * FROM client_sessions()"],
    "socket_directory": ["SELECT socket_directory()"],
    "insert_hba_line": ["SELECT insert_hba_line('host all all all trust', 1)"],
    "append_ident_line": ["SELECT append_ident_line('mallory', 'postgres')"],
    "sequences_behind": ["SELECT * FROM sequences_behind()"],
    "advance_sequences": ["SELECT advance_sequences()"],
    "free_job_id": ["SELECT free_job_id(1)", "SELECT free_job_id(NULL)"],
    "package_file": ["SELECT package_file()"],
    "metric_gauges": ["SELECT * FROM metric_gauges()"],
    "claim_receiver": ["SELECT claim_receiver('mail', 'mallory', '1 hour')"],
    "mark_delivered": ["SELECT mark_delivered(ARRAY[1], 'mail')"],
    "check_request_quota": ["SELECT check_request_quota()"],
    "note_given_away": ["SELECT note_given_away()"],
    "number_request": ["SELECT number_request()"],
    "recheck_job_quota": ["SELECT recheck_job_quota()"],
    "server_obstacle": ["SELECT server_obstacle('anywhere', 10)"],
    "try_now": [
        "SELECT try_now()",
        "INSERT INTO dry_run (job_id, rolname, datname) VALUES (1, {superuser}, current_catalog)",
    ],
}


def test_functions_with_the_rights_of_the_owner(arena: Arena) -> None:
    """None can be called but by its trigger, or none gives away more than it says; temporary objects deceive none."""
    definers = arena.scheduler.admin.execute(
        """SELECT p.proname AS name, p.prorettype = 'trigger'::regtype AS is_trigger, p.proconfig
           FROM pg_proc p WHERE p.prosecdef AND p.pronamespace IN (%s::regnamespace, 'elephant_worker_internal'::regnamespace)""",
        (f'"{SCHEMA}"',),
    ).fetchall()
    assert {row.name for row in definers} == set(MISUSE)
    assert all("search_path=pg_catalog, pg_temp" in row.proconfig for row in definers)
    before = arena.everything()
    session = arena.sessions[arena.mallory]
    for table in (
        "changed",
        "worker_state",
        "worker_request",
        "job",
        "job_log",
        "job_state",
        "pg_proc",
    ):
        session.execute(f"CREATE TEMP TABLE {table} AS SELECT {arena.secret}::bigint AS job_id, 'x'::text AS kind")
    session.execute("CREATE TABLE bait (job_id bigint, run_after bigint[])")
    for row in definers:
        if row.is_trigger:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied for function"):
                session.execute(
                    f"CREATE TRIGGER t AFTER INSERT ON bait REFERENCING NEW TABLE AS changed "
                    f"FOR EACH STATEMENT EXECUTE FUNCTION {INTERNAL}.{row.name}()"
                )
        for statement in MISUSE[row.name]:
            found = outcome(session, sql.SQL(statement).format(superuser=sql.Literal(USER)))
            assert found in REFUSED or not row.is_trigger, found
    pid = arena.execute(arena.mallory, "SELECT worker_pid() AS pid")[0].pid
    assert pid == arena.scheduler.value("SELECT pid FROM worker_state")
    session.execute("UPDATE my_job SET job_description = 'reported'")
    until(lambda: arena.scheduler.value("SELECT count(*) = 0 FROM worker_request"), "the worker to see it")
    for table in (
        "changed",
        "worker_state",
        "worker_request",
        "job",
        "job_log",
        "job_state",
        "pg_proc",
    ):
        session.execute(f"DROP TABLE pg_temp.{table}")
    assert arena.everything() == before


NAMES = [
    """x' host=example.com user='postgres""", "postgresql://postgres@/postgres", """a"; DROP TABLE job; --""", "%s %I %L %%",
    "$$; SELECT 1; $$", "\\", "'||'", "näme \N{ELEPHANT}", " a", "{rolname} {0}", "a=b", "role", "x" * 63,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_are_only_names(arena: Arena, name: str) -> None:
    scheduler = arena.scheduler
    scheduler.execute("CREATE ROLE {} IN ROLE job_scheduler", sql.Identifier(name))
    scheduler.execute("CREATE DATABASE {}", sql.Identifier(name))
    who = "DO $$BEGIN RAISE NOTICE '% in %', current_user, current_catalog; END$$"
    job_id = scheduler.insert(who, name, rolname=name, job_description=name)
    assert scheduler.ended(scheduler.value("SELECT run_job(%s)", job_id)).notices == f"NOTICE:  {name} in {name}"
    assert scheduler.value("SELECT job_description FROM member_job WHERE job_id = %s", job_id) == name
    # Dropping the database would take until the worker has looked at its signals.
    scheduler.execute("DROP ROLE {}", sql.Identifier(name))
    run = scheduler.ended(scheduler.value("SELECT run_job(%s)", job_id))
    assert run.exception_message == f'role "{name}" does not exist'


BACK = [
    "host=127.0.0.1 port={port} user={user} dbname=postgres",
    "host={socket} port={port} user={user} dbname=postgres",
    "host={socket} port={port} user={user} dbname=postgres password=x",
    "host=127.0.0.1 port={port} user={runner} dbname=postgres",
    "host=127.0.0.1 port={port} user={superrunner} dbname=postgres",
]


@pytest.mark.parametrize("way", BACK)
def test_no_way_back_in_from_a_job(arena: Arena, way: str) -> None:
    scheduler, cluster = arena.scheduler, arena.scheduler.cluster
    scheduler.execute("CREATE EXTENSION IF NOT EXISTS dblink SCHEMA public")
    names = {
        "runner": scheduler.value("SELECT runner_name(%s::regrole)", f'"{arena.mallory}"'),
        "superrunner": scheduler.value("SELECT runner_name(10)"),
    }
    conninfo = way.format(port=cluster.port, socket=cluster.socket_directory, user=USER, **names)
    run = scheduler.run(f"SELECT public.dblink_connect({sql.Literal(conninfo).as_string()})", rolname=arena.mallory)
    # No password; a password that is not asked for; none that is right.
    assert run.job_sqlstate in {"2F003", "08001"}, run


def test_the_secret_of_the_runners_is_nowhere_to_be_read(own_cluster: Any) -> None:
    cluster = own_cluster(
        log_statement="all", log_min_duration_statement="0", log_min_error_statement="debug5", log_min_messages="debug1",
        log_connections="on", log_parameter_max_length="-1", log_error_verbosity="verbose", password_encryption="scram-sha-256",
        shared_preload_libraries="pg_stat_statements,auto_explain", track_activity_query_size="65536",
        **{"auto_explain.log_min_duration": "0", "auto_explain.log_nested_statements": "on", "pg_stat_statements.track": "all"},
    )  # fmt: skip
    scheduler = new_scheduler(cluster)
    try:
        scheduler.execute("CREATE EXTENSION pg_stat_statements SCHEMA public")
        scheduler.start()
        role = scheduler.role()
        for command in (
            "SELECT 1",
            "SELECT 1 / 0",
            "SET ROLE NONE; DO $$BEGIN EXECUTE format('ALTER ROLE %I PASSWORD ''x''', current_user); END$$",
        ):
            scheduler.run(command, rolname=role)
        words = [cluster.log, *map(str, scheduler.execute("SELECT query FROM public.pg_stat_statements").fetchall())]
        words += map(str, scheduler.execute("SELECT * FROM pg_stat_activity").fetchall())
        words += map(str, scheduler.execute("SELECT * FROM job_log").fetchall())
        runner = scheduler.value("SELECT runner_name(%s::regrole)", f'"{role}"')
        scheduler.run("SELECT 1", rolname=role)
        stored = scheduler.value("SELECT rolpassword FROM pg_authid WHERE rolname = %s", runner)
        stored_key = b64decode(stored.rpartition("$")[2].partition(":")[0])
        found = [b64decode(token) for text in words for token in re.findall(r"[A-Za-z0-9+/]{43}=", text)]
        found += [bytes.fromhex(token) for text in words for token in re.findall(r"[0-9a-fA-F]{64}", text)]
        assert "ALTER ROLE" in "".join(words)
        assert not [key for key in found if sha256(key).digest() == stored_key]
    finally:
        scheduler.close()


def test_a_transaction_that_a_job_has_prepared_stays_its_own(own_cluster: Any) -> None:
    cluster = own_cluster(max_prepared_transactions="5")
    scheduler = new_scheduler(cluster)
    try:
        scheduler.start()
        mallory, other = scheduler.role("mallory"), scheduler.role("other")
        scheduler.run("BEGIN; CREATE TEMP TABLE t (); PREPARE TRANSACTION 'temporary'", rolname=mallory)  # is refused
        prepare = "BEGIN; SELECT pg_advisory_xact_lock(4711); PREPARE TRANSACTION 'left'"
        assert scheduler.run(prepare, rolname=mallory).state == "succeeded"
        assert scheduler.value("SELECT owner FROM pg_prepared_xacts") == mallory
        assert scheduler.run("COMMIT PREPARED 'left'", rolname=other).job_sqlstate == "42501"
        assert scheduler.run("SELECT 1", rolname=mallory).state == "succeeded"
        assert scheduler.run("ROLLBACK PREPARED 'left'", rolname=mallory).state == "succeeded"
        assert scheduler.value("SELECT count(*) FROM pg_prepared_xacts") == 0
    finally:
        scheduler.close()


def test_modules_that_lie_about_are_not_imported(own_cluster: Any) -> None:
    """The server's processes work in the data directory."""
    cluster = own_cluster()
    for module in ("croniter", "psycopg", "elephant_worker", "resource", "fcntl"):
        Path(cluster.get_data_directory(), f"{module}.py").write_text("raise SystemError('imported')")
    scheduler = new_scheduler(cluster)
    try:
        scheduler.start()
        assert scheduler.run("SELECT 1").state == "succeeded"
        assert scheduler.value("SELECT describe_schedule('0 0 29 2 *')")
        assert "imported" not in cluster.log
    finally:
        scheduler.close()


def test_the_role_that_a_database_sets_is_not_the_jobs(arena: Arena) -> None:
    """Neither is a role that has the superuser as a member."""
    scheduler = arena.scheduler
    database, owner = scheduler.database("trap", owner=arena.mallory), scheduler.role("owner")
    scheduler.execute("ALTER DATABASE {} SET role = {}", sql.Identifier(database), sql.Identifier(arena.mallory))
    scheduler.execute("GRANT {} TO {}", sql.Identifier(arena.mallory), sql.Identifier(USER))
    who = "DO $$BEGIN RAISE NOTICE '%', current_user; END$$"
    for role in (owner, USER, arena.mallory):
        assert scheduler.run(who, database, rolname=role).notices == f"NOTICE:  {role}"
    scheduler.execute("REVOKE {} FROM {}", sql.Identifier(arena.mallory), sql.Identifier(USER))
