"""What attributes and predefined roles of PostgreSQL give to whoever has them, beside what elephant_worker grants."""

# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import USER
from harness.scheduler import INTERNAL, SCHEMA, Scheduler, new_scheduler

PREDEFINED = ("pg_signal_backend", "pg_maintain", "pg_read_all_data", "pg_write_all_data")
ATTRIBUTES = "CREATEDB REPLICATION BYPASSRLS"
TABLES = (
    *("job", "once_job", "job_log", "job_change", "job_state", "job_statistic", "pending_run", "finished_dependency"),
    *("alert", "alert_receiver", "metric_counter", "served_database", "known_role", "worker_setting", "worker_state"),
    "withdrawal",
)
# {job}, {run} and {alert} are the superuser's, {victims} is a job of the victim; both jobs belong to the part "theirs".
STATEMENTS = {
    "a job for the superuser": "SELECT define_job('x', 'SELECT 1', rolname => {superuser})",
    "another's job, defined": "SELECT define_job('theirs', 'SELECT 2', rolname => {victim})",
    "a document for the superuser": """SELECT apply_jobs(jsonb_build_array(jsonb_build_object(
        'job_name', 'theirs', 'job_command', 'SELECT 2', 'rolname', {superuser})))""",
    "a document for another": """SELECT apply_jobs(jsonb_build_array(jsonb_build_object(
        'job_name', 'theirs', 'job_command', 'SELECT 2', 'rolname', {victim})), part => 'theirs')""",
    "another's part, pruned": "SELECT apply_jobs('[]', part => 'theirs', prune => true)",
    "a job, below apply_jobs()": "SELECT create_defined_job(jsonb_build_object('job_command', 'SELECT 1', 'rolname', {superuser}))",
    "another's job, below apply_jobs()": "SELECT change_defined_job({victims}, '{{\"job_command\": \"SELECT 2\"}}')",
    "a document, below apply_jobs()": """SELECT apply_document(jsonb_build_array(jsonb_build_object(
        'job_name', 'theirs', 'job_command', 'SELECT 2', 'rolname', {victim})), NULL, false, false)""",
    "a crontab": """SELECT import_crontab('* * * * * psql -U ' || {superuser} || ' -c "SELECT 1"', dry_run => false)""",
    "a job, after another's": "SELECT define_job('x', 'SELECT 1', run_after => ARRAY[{job}])",
    "another's job, run": "SELECT run_job({job})",
    "another's job, tried": "SELECT try_job({victims})",
    "another's job, cancelled": "SELECT cancel_job({job})",
    "another's run, cancelled": "SELECT cancel_run({run})",
    "another's run, waited for": "CALL wait_for_run({run}, '1 second')",
    "another's job, deleted": "SELECT delete_job({victims})",
    "another's job, taken over": "UPDATE member_job SET defined_by = current_user",
    "another's job, taken": "UPDATE member_job_definition SET rolname = current_user",
    "all jobs, paused": "SELECT pause_jobs()",
    "the worker, stopped": "SELECT stop_worker()",
    "the worker, started": "SELECT start_worker()",
    "a copy, confirmed": "SELECT confirm_copy()",
    "a role, confirmed": "SELECT confirm_role({victim})",
    "a database, renamed in jobs": "SELECT rename_database()",
    "an alert, delivered": "SELECT mark_delivered(ARRAY[{alert}], 'mail')",
    "a receiver": "SELECT claim_receiver('mail', 'mallory', '1 hour')",
    "alerts, marked": "UPDATE all_alert SET delivered_at = now()",
    "alerts, in the table": "UPDATE alert SET delivered_at = now(), delivered_to = '{{mail}}'",
    "a receiver, in the table": "INSERT INTO alert_receiver SELECT * FROM alert_receiver",
    "the history": "UPDATE job_change SET changed_by = {victim}",
    "the history, deleted": "DELETE FROM job_change",
    "counters": "UPDATE metric_counter SET value = 0",
    "what a role was": "UPDATE known_role SET role_oid = 10",
    "what a role was, forgotten": "DELETE FROM known_role",
    "an index": "REINDEX TABLE job",
    "a trigger": "CREATE TRIGGER t BEFORE INSERT ON job FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "a rule": "CREATE RULE r AS ON DELETE TO my_job DO ALSO NOTHING",
    "a publication": "CREATE PUBLICATION p FOR TABLE job",
    "the owner of the views": "GRANT job_view_owner TO current_user",
    "the roles of the extension": "GRANT job_monitor TO current_user",
    "a schema of the same name": "ALTER SCHEMA elephant_worker_internal RENAME TO mine",
    "the extension": "ALTER EXTENSION elephant_worker UPDATE",
    "the extension, dropped": "DROP EXTENSION elephant_worker CASCADE",
}  # fmt: skip

# A statement that has one of these was no attack: syntax; no such column, function, table or parameter.
MISTAKES = {"42601", "42703", "42883", "42P01", "42704", "42804"}


class Stage:
    """Jobs of the superuser and of a victim; an owner of the database, and roles with the powers of PostgreSQL."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.victim = scheduler.role("victim")
        with scheduler.connect_as(self.victim) as session:
            row = session.execute("SELECT job_id FROM define_job('theirs', 'SELECT 1', part => 'theirs')").fetchone()
            assert row is not None
            self.victims: int = row.job_id
        self.job = scheduler.insert("SELECT 1/0", job_name="theirs", part="theirs")
        scheduler.start()
        self.run = scheduler.ended(scheduler.value("SELECT run_job(%s)", self.job)).jl_id
        self.alert: int = scheduler.value("SELECT alert_id FROM alert")
        scheduler.stop()
        # Before 16 it makes itself a member of any role, as PostgreSQL's documentation says.
        attributes = ATTRIBUTES + " CREATEROLE" * (scheduler.admin.info.server_version >= 160000)
        self.powers = [name for name in PREDEFINED if scheduler.value("SELECT to_regrole(%s) IS NOT NULL", name)]
        self.outsider = scheduler.role("powerful", f"LOGIN {attributes}", scheduler=False)
        self.insider = scheduler.role("powerful insider", f"LOGIN {attributes}")
        for role in (self.outsider, self.insider):
            for power in self.powers:
                scheduler.execute("GRANT {} TO {}", sql.Identifier(power), sql.Identifier(role))
        self.sessions = {role: scheduler.connect_as(role) for role in (self.outsider, self.insider)}

    def contents(self) -> list[Any]:
        """All that is not the insider's own."""
        found = [self.scheduler.execute(f"SELECT t.*, t.ctid FROM {table} t WHERE to_jsonb(t) ->> 'rolname' IS DISTINCT FROM {{}}",
                                        sql.Literal(self.insider)).fetchall() for table in TABLES]  # fmt: skip
        return [
            *found,
            self.scheduler.execute(
                "SELECT rolname, rolsuper FROM pg_roles WHERE pg_has_role(oid, 10::oid, 'MEMBER')"
            ).fetchall(),
        ]


@pytest.fixture(scope="module")
def stage(cluster: Any) -> Iterator[Stage]:
    scheduler = new_scheduler(cluster)
    stage = Stage(scheduler)
    yield stage
    scheduler.execute("ALTER DATABASE {} OWNER TO {}", sql.Identifier(scheduler.dbname), sql.Identifier(USER))
    scheduler.close()


@pytest.mark.parametrize("owns_the_database", [False, True])
def test_what_is_not_ones_own(stage: Stage, owns_the_database: bool) -> None:
    scheduler = stage.scheduler
    before = stage.contents()
    mistaken: dict[str, str] = {}
    for role, session in stage.sessions.items():
        if owns_the_database:
            scheduler.execute("ALTER DATABASE {} OWNER TO {}", sql.Identifier(scheduler.dbname), sql.Identifier(role))
        for name, statement in STATEMENTS.items():
            composed = sql.SQL(statement).format(
                job=stage.job, run=stage.run, alert=stage.alert, victims=stage.victims,
                superuser=sql.Literal(USER), victim=sql.Literal(stage.victim),
            )  # fmt: skip
            try:
                with session.transaction():
                    session.execute(composed)
            except psycopg.Error as error:
                if error.sqlstate in MISTAKES:
                    mistaken[name] = str(error)
            assert stage.contents() == before, (role, name)
    assert mistaken == {}


def test_nothing_is_granted_by_accident(stage: Stage) -> None:
    """Functions are called by whom elephant_worker lets call them; data is read and written by whom PostgreSQL lets."""
    scheduler = stage.scheduler
    scheduler.execute("ALTER DATABASE {} OWNER TO {}", sql.Identifier(scheduler.dbname), sql.Identifier(stage.outsider))
    callable_ = scheduler.execute(
        """SELECT p.oid::regprocedure::text FROM pg_proc p
           WHERE p.pronamespace IN ({}::regnamespace, {}::regnamespace) AND has_function_privilege({}, p.oid, 'EXECUTE')""",
        sql.Literal(f'"{SCHEMA}"'), sql.Literal(INTERNAL), sql.Literal(stage.outsider),
    ).fetchall()  # fmt: skip
    assert callable_ == []
    lesser = scheduler.role("lesser", f"LOGIN {ATTRIBUTES} CREATEROLE", scheduler=False)
    scheduler.execute("GRANT pg_signal_backend TO {}", sql.Identifier(lesser))
    scheduler.execute("ALTER DATABASE {} OWNER TO {}", sql.Identifier(scheduler.dbname), sql.Identifier(lesser))
    granted = scheduler.execute(
        """SELECT c.oid::regclass::text FROM pg_class c
           WHERE c.relnamespace IN ({}::regnamespace, {}::regnamespace) AND c.relkind IN ('r', 'v', 'S')
             AND (CASE WHEN c.relkind = 'S' THEN has_sequence_privilege({}, c.oid, 'USAGE,SELECT,UPDATE')
                       ELSE has_any_column_privilege({}, c.oid, 'SELECT,INSERT,UPDATE,REFERENCES')
                            OR has_table_privilege({}, c.oid, 'DELETE,TRUNCATE,TRIGGER') END)""",
        sql.Literal(f'"{SCHEMA}"'), sql.Literal(INTERNAL), *[sql.Literal(lesser)] * 3,
    ).fetchall()  # fmt: skip
    assert granted == []
