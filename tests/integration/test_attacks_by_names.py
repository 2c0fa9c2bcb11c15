"""Roles and databases that take the names of others: by being created anew, renamed, or made beforehand."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import USER, Cluster
from harness.remedies import alternatives, mend
from harness.scheduler import INTERNAL, SCHEMA, Scheduler, new_scheduler
from harness.settings import settable
from harness.waiting import until
from tests.fake_server import fake_server


def state(scheduler: Scheduler, job_id: int) -> Any:
    return scheduler.execute("SELECT * FROM all_job WHERE job_id = {}", sql.Literal(job_id)).fetchone()


def create_anew(scheduler: Scheduler, name: str, options: str = "LOGIN") -> None:
    scheduler.execute("DROP OWNED BY {}", sql.Identifier(name))
    scheduler.execute("DROP ROLE {}", sql.Identifier(name))
    scheduler.execute("CREATE ROLE {} PASSWORD {} " + options, sql.Identifier(name), sql.Literal(name))
    scheduler.execute("GRANT job_scheduler TO {}", sql.Identifier(name))


def test_a_role_that_is_created_anew_inherits_nothing(scheduler: Scheduler) -> None:
    role = scheduler.role("victim")
    with scheduler.connect_as(role) as session:
        session.execute("SELECT insert_job('SELECT 1', current_catalog, '1 second', job_name := 'old')")
    job_id = scheduler.value("SELECT job_id FROM all_job")
    scheduler.start()
    until(lambda: scheduler.log(job_id), "a run")
    create_anew(scheduler, role)
    until(lambda: "is not the role that it was" in (state(scheduler, job_id).quarantined_reason or ""), "quarantine")
    session = scheduler.connect_as(role)
    for view in ("my_job", "member_job", "visible_job", "my_job_log", "member_job_log", "job_stats", "job_overview",
                 "recent_runs", "waiting_run"):  # fmt: skip
        assert session.execute(f"SELECT FROM {view}").fetchall() == [], view
    for statement in (
        f"SELECT run_job({job_id})",
        f"SELECT delete_job({job_id})",
        f"SELECT update_job({job_id}, job_command := 'SELECT 2')",
        "SELECT insert_job('SELECT 1', current_catalog)",
        "SELECT run_once('SELECT 1')",
        "SELECT confirm_role(current_user)",
    ):
        with pytest.raises(psycopg.Error) as raised:
            session.execute(statement)
        assert raised.value.sqlstate in {"P0002", "55000", "42501"}
    assert session.execute("UPDATE member_job SET defined_by = current_user").rowcount == 0
    (row,) = [
        row for row in scheduler.log(job_id) if row.exception_message == state(scheduler, job_id).quarantined_reason
    ]
    assert (row.job_sqlstate, row.state) == ("55000", "failed")
    assert f"""SELECT "{SCHEMA}".confirm_role('{role}');""" in row.exception_hint

    scheduler.value("SELECT confirm_role(%s)", role)
    until(lambda: scheduler.log(job_id)[-1].state == "succeeded", "the job to run")
    assert state(scheduler, job_id).quarantined_reason is None
    assert session.execute("SELECT job_name FROM my_job").fetchall() == [("old",)]
    session.execute("SELECT insert_job('SELECT 1', current_catalog)")
    with pytest.raises(psycopg.errors.UndefinedObject):
        scheduler.value("SELECT confirm_role('nobody at all')")


def test_roles_that_swap_their_names(scheduler: Scheduler) -> None:
    roles = [scheduler.role("one"), scheduler.role("two")]
    jobs = []
    for role in roles:
        with scheduler.connect_as(role) as session:
            row = session.execute("SELECT job_id FROM insert_job('SELECT 1', current_catalog, '1 second')").fetchone()
            assert row is not None
            jobs.append(row.job_id)
    one, two = map(sql.Identifier, roles)
    scheduler.execute("ALTER ROLE {} RENAME TO swapped", one)
    scheduler.execute("ALTER ROLE {} RENAME TO {}", two, one)
    scheduler.execute("ALTER ROLE swapped RENAME TO {}", two)
    scheduler.start()
    for job_id in jobs:
        until(lambda job_id=job_id: state(scheduler, job_id).quarantined_reason, "quarantine")
    assert {run.state for run in scheduler.log()} == {"failed"}
    scheduler.execute("ALTER ROLE {} RENAME TO swapped", one)
    scheduler.execute("ALTER ROLE {} RENAME TO {}", two, one)
    scheduler.execute("ALTER ROLE swapped RENAME TO {}", two)
    for job_id in jobs:
        until(lambda job_id=job_id: scheduler.log(job_id)[-1].state == "succeeded", "the job to run again")


def test_a_definer_that_is_created_anew_answers_for_nothing(scheduler: Scheduler) -> None:
    team, definer = scheduler.role("team"), scheduler.role("definer")
    scheduler.execute("GRANT {} TO {}", sql.Identifier(team), sql.Identifier(definer))
    with scheduler.connect_as(definer) as session:
        session.execute("SELECT insert_job('SELECT 1', current_catalog, '1 second', %s)", (team,))
    job_id = scheduler.value("SELECT job_id FROM all_job")
    create_anew(scheduler, definer)
    scheduler.execute("GRANT {} TO {}", sql.Identifier(team), sql.Identifier(definer))
    scheduler.start()
    until(lambda: "is not the role that defined" in (state(scheduler, job_id).quarantined_reason or ""), "quarantine")
    with scheduler.connect_as(team) as session:
        session.execute("UPDATE member_job SET defined_by = current_user")
    until(lambda: scheduler.log(job_id)[-1].state == "succeeded", "the job to run")


TRAP = """CREATE FUNCTION public.spring() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN INSERT INTO public.sprung SELECT current_user; RETURN NEW; END$$"""


def test_a_database_that_is_created_anew_is_another(scheduler: Scheduler) -> None:
    """Who creates it under the old name would be the superuser whose job goes on in it."""
    mallory, database = scheduler.role("mallory", "LOGIN CREATEDB"), scheduler.database("shop")
    job_id = scheduler.insert(
        "DO $$BEGIN PERFORM 1 / (count(*) - 1) FROM public.orders; END$$", database, schedule="1 second", max_retries=3,
        retry_delay="0.1", on_failure_command="INSERT INTO public.orders DEFAULT VALUES"
    )  # fmt: skip
    other = scheduler.insert("SELECT 1", schedule="1 second")
    with scheduler.cluster.connect(database) as admin:
        admin.execute("CREATE TABLE public.orders (n integer)")
    scheduler.start()
    until(lambda: scheduler.log(job_id), "a run")
    scheduler.execute("DROP DATABASE {} WITH (FORCE)", sql.Identifier(database))
    session = scheduler.connect_as(mallory)
    session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    with scheduler.cluster.connect_as(mallory, database) as owner:
        owner.execute("CREATE TABLE public.orders (n integer); CREATE TABLE public.sprung (who name)")
        owner.execute("GRANT ALL ON public.sprung TO PUBLIC")
        owner.execute(TRAP)
        owner.execute(
            "CREATE TRIGGER spring BEFORE INSERT ON public.orders FOR EACH ROW EXECUTE FUNCTION public.spring()"
        )
        until(
            lambda: "is not the database that it was" in (state(scheduler, job_id).quarantined_reason or ""),
            "quarantine",
        )
        scheduler.value("SELECT run_job(%s)", job_id)
        before = len(scheduler.log(other))
        until(lambda: len(scheduler.log(other)) > before + 2, "the other job to go on")
        until(lambda: scheduler.value("SELECT count(*) = 0 FROM worker_request"), "all that is to follow")
        assert owner.execute("SELECT FROM public.sprung").fetchall() == []
        with pytest.raises(psycopg.Error):
            session.execute("UPDATE all_job SET defined_by = current_user")
        assert session.execute("UPDATE member_job SET defined_by = current_user").rowcount == 0
        # A change of something else is no answer to the question.
        scheduler.execute("UPDATE member_job SET job_description = 'x', job_command = 'SELECT 1' WHERE job_id = {}",
                          sql.Literal(job_id))  # fmt: skip
        run = scheduler.ended(scheduler.value("SELECT run_job(%s)", job_id))
        assert run.job_sqlstate == "55000"
        scheduler.execute("UPDATE member_job SET defined_by = current_user WHERE job_id = {}", sql.Literal(job_id))
        until(lambda: scheduler.log(job_id)[-1].state == "succeeded", "the job to run")
        assert state(scheduler, job_id).quarantined_reason is None
    # Its own jobs in its own database need nobody's word.
    with scheduler.connect_as(mallory) as own:
        run_id = own.execute("SELECT run_once('SELECT 1', %s)", (database,)).fetchone()
    assert run_id is not None
    assert scheduler.ended(run_id[0]).state == "succeeded"


def test_a_database_that_is_created_anew_with_the_same_oid(scheduler: Scheduler) -> None:
    """Which whoever creates it chooses, from PostgreSQL 15 on; before that it is given to somebody else."""
    mallory, keeper, database = (
        scheduler.role("mallory", "LOGIN CREATEDB"),
        scheduler.role("keeper"),
        scheduler.database(),
    )
    names = {"name": sql.Identifier(database), "mallory": sql.Identifier(mallory), "keeper": sql.Identifier(keeper)}
    job_id = scheduler.insert("SELECT 1 / 0", database, on_failure_command="SELECT 1")
    own = scheduler.insert("SELECT 1", database, rolname=keeper)
    scheduler.start()
    (oid,) = scheduler.execute("SELECT oid FROM pg_database WHERE datname = {}", sql.Literal(database)).fetchone() or (
        0,
    )
    # Whom the owner may act as runs there as before, and a superuser is no stranger.
    scheduler.admin.execute(sql.SQL("ALTER DATABASE {name} OWNER TO {keeper}").format(**names))
    assert scheduler.ended(scheduler.value("SELECT run_job(%s)", own)).state == "succeeded"
    scheduler.admin.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**names))
    if scheduler.admin.info.server_version >= 150000:
        statement = sql.SQL("CREATE DATABASE {name} OID = {oid}").format(oid=sql.Literal(oid), **names)
        scheduler.connect_as(mallory).execute(statement)
        assert scheduler.value("SELECT oid FROM pg_database WHERE datname = %s", database) == oid
        scheduler.execute("UPDATE member_job SET job_description = 'x'")  # is no answer to the question
        for job in (job_id, own):
            run = scheduler.ended(scheduler.value("SELECT run_job(%s)", job))
            assert (run.job_sqlstate, run.job_started) == ("55000", None)
            assert "another owner" in run.exception_message
        session = scheduler.connect_as(mallory)
        assert session.execute("UPDATE member_job SET defined_by = current_user").rowcount == 0
    else:
        scheduler.admin.execute(sql.SQL("CREATE DATABASE {name} OWNER {mallory}").format(**names))
    scheduler.execute("UPDATE member_job SET defined_by = current_user")
    assert scheduler.ended(scheduler.value("SELECT run_job(%s)", job_id)).job_sqlstate == "22012"
    failure = "SELECT true FROM member_job_log WHERE cause = 'failure' AND state = 'succeeded' AND rolname = %s"
    until(lambda: scheduler.value(failure, USER), "the command after the failure")


def test_a_foreign_server_that_is_created_anew_is_another(scheduler: Scheduler) -> None:
    """Who creates it under the old name, and says as whom others log in there, would be told their commands."""
    scheduler.execute("CREATE EXTENSION postgres_fdw SCHEMA public")
    mallory, victim = scheduler.role("mallory"), scheduler.role("victim")
    scheduler.execute("GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO {}", sql.Identifier(mallory))
    names = {"victim": sql.Identifier(victim), "options": sql.SQL("(user 'x', password 'x')")}
    make = "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{port}')"
    grant = sql.SQL("GRANT USAGE ON FOREIGN SERVER far TO {victim}").format(**names)
    mapping = sql.SQL("CREATE USER MAPPING FOR {victim} SERVER far OPTIONS {options}").format(**names)
    for statement in (make.format(port=1), grant, mapping):
        scheduler.admin.execute(statement)
    job = scheduler.insert(
        "SELECT 'secret'", "shop", rolname=victim, server="far", on_failure_command="SELECT 'secret'"
    )
    scheduler.start()
    assert scheduler.ended(scheduler.value("SELECT run_job(%s)", job)).job_sqlstate == "08001"
    scheduler.execute("DROP SERVER far CASCADE")
    with fake_server(lambda dialogue: dialogue.wait()) as server, scheduler.connect_as(mallory) as session:
        for statement in (make.format(port=server.port), grant, mapping):
            session.execute(statement)
        run = scheduler.ended(scheduler.value("SELECT run_job(%s)", job))
        assert (run.job_sqlstate, run.job_started) == ("55000", None)
        assert "is not the foreign server that it was" in run.exception_message
        assert server.told == []
        scheduler.execute("ALTER SERVER far OPTIONS (SET port '1')")
    scheduler.connect_as(victim).execute("UPDATE my_job SET defined_by = current_user")
    assert scheduler.ended(scheduler.value("SELECT run_job(%s)", job)).job_sqlstate == "08001"


def test_foreign_servers_that_swap_their_names(scheduler: Scheduler) -> None:
    scheduler.execute("CREATE EXTENSION postgres_fdw SCHEMA public")
    mallory, victim = scheduler.role("mallory"), scheduler.role("victim")
    scheduler.execute("GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO {}", sql.Identifier(mallory))
    session = scheduler.connect_as(mallory)
    with fake_server(lambda dialogue: dialogue.wait()) as server:
        for name, port in (("one", 1), ("other", server.port)):
            session.execute(
                f"CREATE SERVER {name} FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{port}')"
            )
            session.execute(sql.SQL(
                "GRANT USAGE ON FOREIGN SERVER {name} TO {victim};"
                "CREATE USER MAPPING FOR {victim} SERVER {name} OPTIONS (user 'x', password 'x')"
            ).format(name=sql.Identifier(name), victim=sql.Identifier(victim)))  # fmt: skip
        job = scheduler.insert("SELECT 'secret'", "shop", rolname=victim, server="one")
        scheduler.start()
        with session.transaction():
            session.execute("ALTER SERVER one RENAME TO away; ALTER SERVER other RENAME TO one")
            session.execute("ALTER SERVER away RENAME TO other")
        run = scheduler.ended(scheduler.value("SELECT run_job(%s)", job))
        assert (run.job_sqlstate, server.told) == ("55000", [])
        session.execute("ALTER SERVER one RENAME TO away; ALTER SERVER other RENAME TO one")
        assert scheduler.ended(scheduler.value("SELECT run_job(%s)", job)).job_sqlstate == "08001"


def test_a_database_that_is_renamed_and_back_is_the_same(scheduler: Scheduler) -> None:
    database, other = scheduler.database("shop"), scheduler.database("another")
    job_id = scheduler.insert("SELECT 1", database)
    scheduler.start()
    name, temporary = sql.Identifier(database), sql.Identifier("out of the way")
    scheduler.execute("ALTER DATABASE {} RENAME TO {}", name, temporary)
    scheduler.execute("ALTER DATABASE {} RENAME TO {}", sql.Identifier(other), name)
    assert scheduler.ended(scheduler.value("SELECT run_job(%s)", job_id)).job_sqlstate == "55000"
    scheduler.execute("ALTER DATABASE {} RENAME TO {}", name, sql.Identifier(other))
    scheduler.execute("ALTER DATABASE {} RENAME TO {}", temporary, name)
    assert scheduler.ended(scheduler.value("SELECT run_job(%s)", job_id)).state == "succeeded"


def test_a_restore_takes_the_names_for_what_they_mean_there(
    scheduler: Scheduler, own_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    """In another cluster all oids are others; the dump has names. What is not there yet is confirmed once it is."""
    there, missing, database, late = (
        scheduler.role("there"), scheduler.role("missing"), scheduler.database("there"), scheduler.database("late")
    )  # fmt: skip
    for role, target in ((there, database), (missing, database), (there, late)):
        scheduler.insert("SELECT 1", target, rolname=role)
    scheduler.execute("SELECT nextval('worker_inbox_request_id_seq') FROM generate_series(1, 9)")
    dump = tmp_path / "dump"
    scheduler.cluster.command("pg_dump", "--format=custom", f"--file={dump}", scheduler.dbname)
    cluster = own_cluster()
    with cluster.connect() as admin:
        for number in range(30):
            admin.execute(f"CREATE ROLE unrelated_{number}")
        admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(there)))
        for name in (scheduler.dbname, database):
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    cluster.command("pg_restore", "--exit-on-error", f"--dbname={scheduler.dbname}", str(dump))
    restored = Scheduler(cluster, scheduler.dbname)
    with cluster.connect() as admin:
        admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(missing)))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(late)))
    restored.start()
    jobs = [row.job_id for row in restored.execute("SELECT job_id FROM member_job ORDER BY job_id").fetchall()]

    def run() -> list[str]:
        runs = [restored.ended(restored.value("SELECT run_job(%s)", job_id)) for job_id in jobs]
        return [run.job_sqlstate or run.state for run in runs]

    assert run() == ["00000", "55000", "55000"]
    restored.value("SELECT confirm_role(%s)", missing)
    restored.execute("UPDATE member_job SET defined_by = current_user")
    assert run() == ["00000"] * 3
    restored.stop()
    restored.admin.close()


# --- before CREATE EXTENSION -----------------------------------------------------------------


@pytest.fixture
def fresh(own_cluster: Callable[..., Cluster]) -> Iterator[Any]:
    """A superuser in a database without the extension, on a server that has never had it."""
    cluster = own_cluster()
    with cluster.connect() as admin:
        admin.execute('DROP DATABASE "elephant template"')
        for name in ("job_view_owner", "job_monitor", "job_scheduler"):
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
        admin.execute("CREATE EXTENSION plpython3u; CREATE SCHEMA scheduler")
        admin.execute("CREATE ROLE mallory LOGIN CREATEROLE PASSWORD 'mallory'")
        yield cluster, admin


CREATE = "CREATE EXTENSION elephant_worker SCHEMA scheduler"
# By whoever may create roles: the helper, who administers what it has created, is gone afterwards.
LEAVE_BEHIND = """CREATE ROLE helper CREATEROLE; GRANT helper TO mallory; SET ROLE helper;
    CREATE ROLE {role}; GRANT {role} TO helper; SET ROLE {role};
    CREATE FUNCTION public.bait() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS
        $$BEGIN RETURN (SELECT string_agg(job_command, '') FROM scheduler.all_job); END$$;
    SET ROLE helper; REVOKE {role} FROM helper; RESET ROLE; DROP OWNED BY helper; DROP ROLE helper"""


@pytest.mark.parametrize("role", ["job_scheduler", "job_monitor"])
def test_a_role_made_beforehand_is_not_adopted(fresh: Any, role: str) -> None:
    cluster, admin = fresh
    with cluster.connect_as("mallory") as mallory:
        mallory.execute(f"CREATE ROLE {role}; CREATE ROLE accomplice")
        mallory.execute(f"GRANT {role} TO accomplice WITH ADMIN OPTION")
        if mallory.info.server_version < 160000:  # later on whoever creates a role has that option
            mallory.execute(f"GRANT {role} TO mallory WITH ADMIN OPTION")
        with pytest.raises(psycopg.errors.DuplicateObject) as raised:
            admin.execute(CREATE)
        diag = raised.value.diag
        assert '"mallory" by' in (diag.message_detail or "")
        assert '"accomplice" by' in (diag.message_detail or "")
        # The first remedy.
        admin.execute((diag.message_hint or "").partition("database has elephant_worker: ")[2].partition(";")[0])
        # What it owns would act with the rights that it is given now.
        admin.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
        mallory.execute(LEAVE_BEHIND.format(role=role))
        with pytest.raises(psycopg.errors.DuplicateObject, match=r"owns function public.bait\(\)") as raised:
            admin.execute(CREATE)
        admin.execute((raised.value.diag.message_hint or "").partition("in this database: ")[2])
        admin.execute(CREATE)
        with pytest.raises(psycopg.errors.UndefinedFunction):
            mallory.execute("SELECT public.bait()")
        admin.execute("CREATE DATABASE other")
        admin.execute("CREATE ROLE lead LOGIN PASSWORD 'lead'; CREATE ROLE developer")
        # What superusers have given stays, also through others.
        admin.execute(f"GRANT {role} TO lead WITH ADMIN OPTION; GRANT {role} TO mallory")
    with cluster.connect_as("lead") as lead:
        lead.execute(f"GRANT {role} TO developer")
    with cluster.connect("other") as other:
        other.execute("CREATE EXTENSION plpython3u; CREATE SCHEMA scheduler")
        other.execute(CREATE)


LEFT = {
    "a function": "CREATE FUNCTION scheduler.abbreviate(name, integer) RETURNS text LANGUAGE sql AS 'SELECT 1'",
    "a table": "CREATE TABLE scheduler.job_of_mine ()",
    "a type": "CREATE TYPE scheduler.mood AS ENUM ('bad')",
    "an operator": "CREATE OPERATOR scheduler.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)",
    "a domain": "CREATE DOMAIN scheduler.number AS integer",
    "a collation": "CREATE COLLATION scheduler.mine (locale = 'C')",
    "a text search configuration": "CREATE TEXT SEARCH CONFIGURATION scheduler.mine (COPY = pg_catalog.simple)",
}


@pytest.mark.parametrize("name", LEFT)
def test_a_schema_in_which_others_have_left_something(fresh: Any, name: str) -> None:
    cluster, admin = fresh
    admin.execute("CREATE FUNCTION scheduler.mine() RETURNS text LANGUAGE sql AS 'SELECT 1'")  # a superuser's
    admin.execute("GRANT CREATE ON SCHEMA scheduler TO mallory; GRANT USAGE ON SCHEMA scheduler TO mallory")
    with cluster.connect_as("mallory") as mallory:
        mallory.execute(LEFT[name])
    admin.execute("REVOKE CREATE ON SCHEMA scheduler FROM mallory")
    with pytest.raises(psycopg.errors.InvalidSchemaDefinition, match='of role "mallory"') as raised:
        admin.execute(CREATE)
    assert (raised.value.diag.message_hint or "").startswith("Use a schema of its own")
    admin.execute("DROP OWNED BY mallory")
    admin.execute(CREATE)


@pytest.mark.parametrize("schema", ["scheduler", "public"])
def test_a_schema_that_somebody_owns(fresh: Any, schema: str) -> None:
    """The right to create something there is the owner's to take and to give back; so it is with public."""
    cluster, admin = fresh
    create = f"CREATE EXTENSION elephant_worker SCHEMA {schema}"
    if schema == "public":
        admin.execute("ALTER DATABASE postgres OWNER TO mallory")
    else:
        admin.execute("ALTER SCHEMA scheduler OWNER TO mallory")
    owner = "pg_database_owner" if schema == "public" else "mallory"
    impostor = f"""CREATE FUNCTION {schema}.run_job(integer) RETURNS bigint LANGUAGE plpgsql
        AS $$BEGIN ALTER ROLE mallory SUPERUSER; RETURN 7; END$$"""
    with cluster.connect_as("mallory") as mallory:
        mallory.execute(f"REVOKE CREATE ON SCHEMA {schema} FROM {owner}")
        with pytest.raises(psycopg.errors.InvalidSchemaDefinition, match='role "mallory" owns') as raised:
            admin.execute(create)
        assert (raised.value.diag.message_hint or "").startswith("Use a schema of its own")
        # Whoever is given it later is found by check_setup(), whose remedies leave them nothing.
        admin.execute(f"ALTER SCHEMA {schema} OWNER TO CURRENT_USER; {create}")
        checked = (
            f"SELECT state, found, remedy FROM {schema}.check_setup() WHERE check_name = 'schema' AND state = 'error'"
        )
        assert admin.execute(checked).fetchall() == []
        admin.execute(f"ALTER SCHEMA {schema} OWNER TO {owner}; GRANT CREATE ON SCHEMA {schema} TO {owner}, PUBLIC")
        mallory.execute(impostor)
        found = admin.execute(checked).fetchall()
        assert ['role "mallory" owns' in row[1] for row in found] == [True, False, False]
        for row in found:
            admin.execute(row[2])
        # What has been left there is found too. It is not dropped by whoever pastes all remedies.
        (row,) = admin.execute(checked).fetchall()
        assert row == found[2]
        admin.execute(alternatives(row[2])["if nobody needs it"])
        assert admin.execute(checked).fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            mallory.execute(impostor)


def test_a_database_that_is_dumped_and_restored_with_its_roles(fresh: Any, tmp_path: Path) -> None:
    """What has been granted in the first cluster does not keep the extension out of the second."""
    cluster, admin = fresh
    admin.execute(CREATE)
    admin.execute("CREATE ROLE lead LOGIN; CREATE ROLE app LOGIN")
    admin.execute(
        "GRANT job_scheduler TO lead WITH ADMIN OPTION; SET ROLE lead; GRANT job_scheduler TO app; RESET ROLE"
    )
    (tmp_path / "roles").write_text(cluster.command("pg_dumpall", "--roles-only").stdout)
    cluster.command("pg_dump", f"--file={tmp_path / 'dump'}", "postgres")
    admin.execute("DROP EXTENSION elephant_worker; DROP SCHEMA scheduler; DROP EXTENSION plpython3u")
    for role in ("app", "lead", "job_scheduler", "job_monitor", "job_view_owner", "mallory"):
        admin.execute(f"DROP ROLE {role}")
    cluster.command("psql", "-X", "-d", "postgres", f"--file={tmp_path / 'roles'}")
    cluster.command("psql", "-X", "-v", "ON_ERROR_STOP=1", "-d", "postgres", f"--file={tmp_path / 'dump'}")
    assert admin.execute("SELECT pg_has_role('app', 'job_scheduler', 'MEMBER')").fetchone()[0]


# --- functions of the extension's names, of whoever may create some in its schema later -----------

OTHER_TYPES = {
    "text": ["name", "character varying", "character"],
    "name": ["text", "character varying"],
    "bigint": ["integer", "numeric"],
    "integer": ["smallint", "bigint"],
    "double precision": ["numeric", "real"],
    "oid": ["bigint", "regclass"],
    "timestamp with time zone": ["timestamp without time zone", "date"],
    "boolean": ["text"],
    "jsonb": ["json", "text"],
    "interval": ["text", "time without time zone"],
    "text[]": ["name[]", "character varying[]"],
    "name[]": ["text[]"],
    "bigint[]": ["integer[]"],
}


def overloads(scheduler: Scheduler) -> list[sql.Composed]:
    """Functions like the extension's, with arguments of types that could suit a careless call better."""
    rows = scheduler.execute(
        """SELECT p.pronamespace::regnamespace::text AS schema, p.proname, p.prokind,
            ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) t) AS types
           FROM pg_proc p WHERE p.pronamespace IN ({}::regnamespace, {}::regnamespace, 'cron'::regnamespace)
               AND p.prorettype <> 'trigger'::regtype""",
        sql.Literal(f'"{SCHEMA}"'),
        sql.Literal(INTERNAL),
    ).fetchall()
    known = {(row.schema, row.proname, tuple(row.types)) for row in rows}
    wanted = set()
    for row in rows:
        for position, known_type in enumerate(row.types):
            for other in OTHER_TYPES.get(known_type, ()):
                wanted.add((row.schema, row.proname, (*row.types[:position], other, *row.types[position + 1 :])))
        for known_type, others in OTHER_TYPES.items():
            wanted |= {
                (row.schema, row.proname, tuple(other if name == known_type else name for name in row.types))
                for other in others
            }
    return [
        sql.SQL("CREATE FUNCTION {}.{}({}) RETURNS integer LANGUAGE plpgsql AS {}").format(
            sql.SQL(schema),
            sql.Identifier(name),
            sql.SQL(", ".join(types)),
            sql.Literal("BEGIN RAISE EXCEPTION 'trapped'; END"),
        )
        for schema, name, types in sorted(wanted - known)
        if types
    ]


DOCUMENT = (
    """'[{"job_name": "third", "job_command": "SELECT 3", "schedule": "@daily", "run_after": ["second"]}]'::jsonb"""
)
PGAGENT = """'{"pga_job": [{"jobid": 1, "jobname": "a"}], "pga_schedule": [], "pga_exception": [],
    "pga_jobstep": [{"jstid": 1, "jstjobid": 1, "jstkind": "s", "jstcode": "SELECT 1", "jstname": "s"}]}'::jsonb"""
CHAIN = """'{"chain": [{"chain_id": 1, "chain_name": "c", "run_at": "@every 1 hour", "live": true}],
    "task": [{"task_id": 1, "chain_id": 1, "command": "SELECT 1"}], "parameter": []}'::jsonb"""
CALLS = (
    "SELECT define_job('fourth'::text, 'SELECT 1'::text, current_database(), '@daily'::text::job_schedule)",
    "SELECT update_job('fourth'::text, job_description => 'x'::text)",
    *(f"SELECT * FROM apply_jobs(jobs => {DOCUMENT}, dry_run => {dry_run}::boolean)" for dry_run in ("true", "false")),
    "SELECT export_jobs(format => 'json'::text)", "SELECT export_jobs(format => 'sql'::text)",
    "SELECT * FROM import_crontab('0 4 * * * psql -c \"SELECT 1\"'::text, dry_run => true::boolean)",
    """SELECT * FROM import_pg_cron(jobs => '[{"jobid": 1, "schedule": "0 0 * * 1", "command": "SELECT 1"}]'::jsonb)""",
    f"SELECT * FROM import_pgagent(jobs => {PGAGENT})",
    f"SELECT * FROM import_pg_timetable(chains => {CHAIN})",
    "SELECT report_data('1 day'::interval), report_html('1 day'::interval)",
    "CALL wait_for_run(run_once('SELECT 1'::text, current_database()), '1 minute'::interval)",
    "SELECT cron.schedule('fifth'::text, '@daily'::text, 'SELECT 1'::text)",
    "SELECT cron.schedule('@daily'::text, 'SELECT 1'::text)", "SELECT cron.unschedule('fifth'::text)",
    "SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname IS NULL",
    "SELECT * FROM cron.job_run_details",
    "SELECT delete_job(name) FROM unnest('{third,fourth}'::text[]) name",
)  # fmt: skip
ADMINISTRATION = (
    "SELECT pause_jobs(), resume_jobs(), confirm_copy(), confirm_role(current_user)",
    "SELECT mark_delivered(ARRAY[1]::bigint[], 'mail'::text)",
    "SELECT claim_receiver('mail'::text, 'x'::text, '1 second'::interval)",
)


def test_functions_of_the_same_names_are_not_called(scheduler: Scheduler) -> None:
    before = len(scheduler.cluster.log)
    mallory, role = scheduler.role("mallory"), scheduler.role("app")
    first = scheduler.insert("SELECT 1", rolname=role, job_name="first", schedule="@hourly")
    scheduler.execute("CREATE EXTENSION elephant_worker_cron")
    for schema in (SCHEMA, INTERNAL, "cron"):
        scheduler.execute("GRANT CREATE ON SCHEMA {} TO {}", sql.Identifier(schema), sql.Identifier(mallory))
    scheduler.execute("GRANT USAGE ON SCHEMA {} TO {}", sql.Identifier(SCHEMA), sql.Identifier(mallory))
    session = scheduler.connect_as(mallory)
    created = 0
    for statement in overloads(scheduler):
        session.execute(statement)
        created += 1
    assert created > 400
    pid = scheduler.value("SELECT start_worker(false)")
    assert pid
    for view in scheduler.execute(
        "SELECT c.relname FROM pg_class c WHERE c.relkind = 'v'"
        " AND c.relnamespace IN ({}::regnamespace, {}::regnamespace)",
        sql.Literal(f'"{SCHEMA}"'),
        sql.Literal(INTERNAL),
    ).fetchall():
        scheduler.execute("SELECT * FROM {}", sql.Identifier(view.relname))
    for found in scheduler.execute("SELECT * FROM check_setup()").fetchall():
        assert "trapped" not in f"{found.found} {found.remedy}"
    for call in ADMINISTRATION:
        scheduler.execute(call.encode())
    app = scheduler.connect_as(role)
    for connection in (scheduler.admin, app):
        second = connection.execute(
            """INSERT INTO member_job
                   (job_command, datname, job_name, settings, parameters, run_after, timezone, schedule)
               VALUES ('SELECT $1', current_catalog, 'second', '{"work_mem": "1MB"}', '[1]', ARRAY[%s], 'UTC', '@daily')
               RETURNING job_id""",
            (first,),
        ).fetchone()
        assert second is not None
        connection.execute(
            "UPDATE member_job SET schedule = '1 hour', enabled = true WHERE job_id = %s", (second.job_id,)
        )
        run = connection.execute("SELECT run_job('second'::text)").fetchone()
        assert run is not None
        assert scheduler.ended(run[0]).state == "succeeded"
        connection.execute("SELECT * FROM upcoming_runs('1 day'::interval)")
        connection.execute("SELECT * FROM next_runs('@daily'::text, 'UTC'::text, now(), 5, 'cron'::text)")
        connection.execute("SELECT describe_schedule('@daily'::text, 'UTC'::text, 'cron'::text)")
        connection.execute("SELECT try_job(%s::bigint)", (first,))
        for call in CALLS:
            connection.execute(call)
        connection.execute("SELECT cancel_job('second'::text)")
        connection.execute("SELECT delete_job('second'::text)")
    assert "trapped" not in scheduler.cluster.log[before:]


OPERATORS = """
    DO $do$
    DECLARE
        o record;
    BEGIN
        FOR o IN
            SELECT p.oid, p.oprname AS name, p.oprleft::regtype AS one, p.oprright::regtype AS other,
                   p.oprresult::regtype AS result
            FROM pg_operator p
            WHERE p.oprkind = 'b' AND p.oprnamespace = 'pg_catalog'::regnamespace
              AND p.oprname = ANY ('{=,<>,<,>,<=,>=,||,+,-,*,/,~,!~,~~,!~~,->,->>,@>}')
              AND p.oprleft::regtype::text = ANY ('{text,name,integer,bigint,timestamp with time zone,interval,boolean,'
                  'text[],bigint[],jsonb,oid,double precision,anyarray,record,"\\"char\\""}')
        LOOP
            EXECUTE format('CREATE FUNCTION trap.f%s(a %s, b %s) RETURNS %s LANGUAGE plpgsql '
                           'AS $f$BEGIN RAISE EXCEPTION ''trapped''; END$f$', o.oid, o.one, o.other, o.result);
            EXECUTE format('CREATE OPERATOR trap.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = trap.f%s)',
                           o.name, o.one, o.other, o.oid);
        END LOOP;
    END
    $do$"""
QUALIFIED = (
    "SELECT {s}.define_job('x', 'SELECT 1')", "SELECT {s}.update_job('x', schedule => '@daily')",
    "SELECT {s}.run_job('x'), {s}.run_once('SELECT 1')", "SELECT {s}.cancel_job('x')", "SELECT {s}.try_job('x')",
    "SELECT {s}.upcoming_runs('1 day'), {s}.next_runs('@daily'), {s}.describe_schedule('@daily'), {s}.recent_runs(5)",
    "SELECT {s}.export_jobs(), {s}.apply_jobs('[]'), {s}.report_data()",
    "SELECT {s}.import_crontab('@daily psql -c \"SELECT 1\"\n')",
    "SELECT {s}.pause_jobs(), {s}.resume_jobs(), {s}.confirm_copy(), {s}.confirm_role(current_user)",
    "UPDATE {s}.member_job SET job_description = 'x', schedule = '@hourly'", "DELETE FROM {s}.member_job",
    "UPDATE {s}.worker_setting SET max_running_jobs = 30", "SELECT {s}.start_worker()",
)  # fmt: skip


def test_operators_of_the_same_names_are_not_called(scheduler: Scheduler) -> None:
    """Which whoever owns the database can put before those of PostgreSQL."""
    mallory = scheduler.role("mallory")
    scheduler.execute(
        "CREATE SCHEMA trap AUTHORIZATION {}; GRANT USAGE ON SCHEMA trap TO PUBLIC", sql.Identifier(mallory)
    )
    scheduler.connect_as(mallory).execute(OPERATORS)
    scheduler.start()
    run = scheduler.value("SELECT run_once('SELECT 1')")
    with scheduler.connect() as session:
        session.execute(f'SET jit = off; SET search_path = trap, pg_catalog, {INTERNAL}, "{SCHEMA}"')
        with pytest.raises(psycopg.errors.RaiseException, match="trapped"):
            session.execute("SELECT 1 + 1")
        session.execute(f'CALL "{SCHEMA}".wait_for_run({run})')
        for call in QUALIFIED:
            session.execute(call.replace("{s}", f'"{SCHEMA}"').encode())
        assert "trapped" not in str(session.execute(f'SELECT * FROM "{SCHEMA}".check_setup()').fetchall())
        for view in ("job_overview", "problem", "worker_status", "my_job", "metric"):
            session.execute(f'SELECT * FROM "{SCHEMA}".{view}'.encode())


# --- runners ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("owns", ["nothing", "a function"])
def test_who_takes_the_name_of_a_runner_gains_nothing_by_the_remedy(scheduler: Scheduler, owns: str) -> None:
    """Its jobs are refused, check_setup() says so, and what it says gives the impostor no right."""
    mallory = scheduler.role("mallory", "LOGIN CREATEROLE")
    runner = scheduler.value("SELECT runner_name(10)")
    session = scheduler.connect_as(mallory)
    session.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'known'; GRANT {} TO {}").format(
        *map(sql.Identifier, (runner, runner, mallory))))  # fmt: skip
    if owns == "a function":
        scheduler.execute("GRANT CREATE ON SCHEMA public TO {}", sql.Identifier(runner))
        with scheduler.cluster.connect_as(runner, scheduler.dbname, "known") as impostor:
            impostor.execute("CREATE FUNCTION public.lure() RETURNS text LANGUAGE sql SECURITY DEFINER "
                             "AS 'SELECT current_user::text'")  # fmt: skip
        session.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(f"not_{runner}")))  # where it would step aside
    scheduler.start()
    run = scheduler.run("SELECT 1")
    if owns == "nothing":  # a worker that begins drops what it finds of its runners' names
        assert run.state == "succeeded", run
        assert not scheduler.value("SELECT pg_has_role(%s, %s, 'MEMBER')", mallory, runner)
        return
    assert (run.state, run.job_sqlstate) == ("failed", "0P000"), run
    assert run.exception_hint == f"Drop it, the worker makes it again: DROP ROLE {runner};"
    findings = "SELECT * FROM check_setup() WHERE check_name = 'runners' AND state = 'error'"
    (row,) = scheduler.execute(findings).fetchall()
    assert f'"{runner}"' in row.found
    assert "GRANT" not in row.remedy
    assert "OWNED" not in row.remedy
    mend(scheduler, row.remedy)
    assert scheduler.run("SELECT 1").state == "succeeded"
    assert scheduler.execute(findings).fetchall() == []
    gained = "SELECT count(*) FROM pg_roles r WHERE r.rolname = %s AND pg_has_role(r.oid, 10::oid, 'MEMBER')"
    assert scheduler.value(gained, mallory) == 0
    if owns == "a function":
        assert scheduler.value("SELECT public.lure()") == f"not_{runner}_1"
        scheduler.execute("DROP OWNED BY {}", sql.Identifier(f"not_{runner}_1"))
        scheduler.execute("DROP ROLE {}, {}", *map(sql.Identifier, (f"not_{runner}", f"not_{runner}_1")))


def test_thousands_of_names_of_runners(own_cluster: Callable[..., Cluster]) -> None:
    """Who may create roles can have many there; each that is dropped is one more lock, of which there are few."""
    scheduler = new_scheduler(own_cluster(max_locks_per_transaction="10", max_connections="40"))
    try:
        mallory = scheduler.connect_as(scheduler.role("mallory", "LOGIN CREATEROLE"))
        prefix = scheduler.value("SELECT runner_name(0)").removesuffix("0")
        create = """DO $$BEGIN
            FOR i IN 1..4000 LOOP
                EXECUTE format('CREATE ROLE %I', {} || 4200000000 + i);
                IF i % 50 = 0 THEN COMMIT; END IF;
            END LOOP;
        END$$"""
        there = "SELECT count(*) FROM pg_roles WHERE starts_with(rolname, %s) AND length(rolname) = length(%s) + 10"
        for finish in (scheduler.stop, scheduler.kill):
            scheduler.start()
            mallory.execute(sql.SQL(create).format(sql.Literal(prefix)))
            assert scheduler.value(there, prefix, prefix) == 4000
            finish()
            scheduler.start()
            assert scheduler.run("SELECT 1").state == "succeeded"
            assert scheduler.value(there, prefix, prefix) == 0
        assert "out of shared memory" not in scheduler.cluster.log
    finally:
        scheduler.close()


def test_a_member_of_pg_signal_backend_can_end_runs_and_not_the_worker(scheduler: Scheduler) -> None:
    """Also a superuser's: the runner is no superuser itself. The log says what happened, and all goes on."""
    mallory = scheduler.role("mallory", scheduler=False)
    scheduler.execute("GRANT pg_signal_backend TO {}", sql.Identifier(mallory))
    session = scheduler.connect_as(mallory)
    worker = scheduler.start()
    job_id = scheduler.insert("SELECT pg_sleep(60)")
    run = scheduler.value("SELECT run_job(%s)", job_id)
    pid = until(lambda: scheduler.value(
        "SELECT pid FROM pg_stat_activity WHERE usename = runner_name(10) AND query LIKE '%%pg_sleep(60)%%'"
    ), "the run")  # fmt: skip
    for victim in (worker, scheduler.value("SELECT spare_pid FROM worker_state")):
        if victim is not None:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute("SELECT pg_terminate_backend(%s)", (victim,))
    assert session.execute("SELECT pg_terminate_backend(%s)", (pid,)).fetchone() == (True,)
    ended = scheduler.ended(run)
    assert (ended.state, ended.job_sqlstate) == ("failed", "57P01")
    assert scheduler.run("SELECT 1").state == "succeeded"


def test_commands_of_others_are_not_seen_in_the_statistics(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster(shared_preload_libraries="pg_stat_statements")
    scheduler = new_scheduler(cluster)
    try:
        scheduler.execute("CREATE EXTENSION pg_stat_statements SCHEMA public")
        victim, mallory = scheduler.role("victim"), scheduler.role("mallory")
        session = scheduler.connect_as(mallory)
        scheduler.start()
        job_id = scheduler.insert("SELECT 'a secret', pg_sleep(60)", rolname=victim)
        run = scheduler.value("SELECT run_job(%s)", job_id)
        until(lambda: scheduler.value("SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'SELECT ''a sec%'"))
        queries = "SELECT query FROM pg_stat_activity UNION ALL SELECT query FROM public.pg_stat_statements"
        assert "secret" not in str(session.execute(queries).fetchall())
        scheduler.value("SELECT cancel_run(%s)", run)
        scheduler.ended(run)
        assert "secret" not in str(session.execute(queries).fetchall())
    finally:
        scheduler.close()


@pytest.mark.parametrize("statement", ["DROP OWNED BY {}", "REASSIGN OWNED BY {} TO {}"])
def test_what_a_role_owns_are_not_its_jobs(scheduler: Scheduler, statement: str) -> None:
    role, heir = scheduler.role("leaver"), scheduler.role("heir")
    with scheduler.connect_as(role) as session:
        session.execute("SELECT insert_job('SELECT 1', current_catalog)")
    names = [sql.Identifier(role), sql.Identifier(heir)]
    scheduler.execute(statement, *names[: statement.count("{}")])
    job_id = scheduler.value("SELECT job_id FROM all_job WHERE rolname = %s", role)
    scheduler.start()
    run = scheduler.ended(scheduler.value("SELECT run_job(%s)", job_id))
    # DROP OWNED takes away privileges, but a membership is none.
    assert run.state == "succeeded"
    assert scheduler.connect_as(heir).execute("SELECT FROM member_job").fetchall() == []


def test_deep_json(scheduler: Scheduler) -> None:
    session = scheduler.connect_as(scheduler.role())
    other = scheduler.insert("SELECT 1")
    scheduler.start()
    insert = "SELECT job_id FROM insert_job('SELECT $1', current_catalog, parameters := (%s)::jsonb)"
    row = session.execute(insert, ("[" * 3000 + "]" * 3000,)).fetchone()
    assert row is not None
    assert scheduler.ended(scheduler.value("SELECT run_job(%s)", row.job_id)).state == "succeeded"
    with pytest.raises(psycopg.errors.StatementTooComplex):
        session.execute(insert, ("[" * 100000 + "]" * 100000,))
    assert scheduler.ended(scheduler.value("SELECT run_job(%s)", other)).state == "succeeded"


@pytest.mark.parametrize("conforming", ["on", "off"])
@pytest.mark.parametrize(
    "start", ["x\n", "x\r", "x'\t\n", 'x"\n', "\x1b[201~\n", "x\\\n", "é\n/* */ -- :x ", "*/ -- ' \""]
)
def test_a_name_does_not_get_out_of_a_remedy(scheduler: Scheduler, start: str, conforming: str) -> None:
    name = f"{start}ALTER ROLE m SUPERUSER;--"
    for setting in settable(scheduler.admin, [f"standard_conforming_strings = {conforming}"]):
        scheduler.execute(f"SET {setting}")
    described = "SELECT obstacle, (error).hint, remedy FROM describe_obstacles({0}, {0}, {0}, {0})"
    rows = scheduler.execute(described, sql.Literal(name)).fetchall()
    assert {"database", "role", "other role", "server", "member"} < {row.obstacle for row in rows}
    assert len(rows) > 10
    for row in rows:
        first, *others = row.remedy.split("\n")
        assert re.fullmatch(r"SELECT job_id, [^\x00-\x1f\x7f]*;", first)
        # It finds what it is meant to find: nothing, here.
        assert scheduler.execute(first).fetchall() == []
        assert all(re.fullmatch(r"-- [^\x00-\x1f\x7f]*;", line) for line in others)
        assert not re.search(r"[\x00-\x1f\x7f]", row.hint)
    for function, read in (("quote_literal_in_one_line", "SELECT {}"), ("quote_ident_in_one_line", "SELECT 1 AS {}")):
        quoted = scheduler.execute(f"SELECT {function}({{}})", sql.Literal(name)).fetchone()
        assert quoted is not None
        answer = scheduler.admin.execute(read.format(quoted[0]).encode())
        assert (answer.fetchone()[0] if "literal" in function else answer.description[0].name) == name  # type: ignore


def test_a_dropped_database_of_such_a_name(scheduler: Scheduler) -> None:
    mallory = scheduler.role("mallory", "LOGIN CREATEDB")
    session = scheduler.connect_as(mallory)
    name = "x\nCREATE ROLE pwned SUPERUSER;--"
    if session.info.server_version >= 190000:  # it is refused from the beginning
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return
    session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    session.execute("SELECT define_job('bait', 'SELECT 1', %s)", (name,))
    session.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
    remedy = scheduler.value("SELECT remedy FROM check_setup() WHERE check_name = 'jobs'")
    mend(scheduler, remedy)
    assert scheduler.value("SELECT enabled FROM member_job") is True
    remedy = alternatives(remedy)["to disable them"]
    mend(scheduler, remedy)
    assert scheduler.value("SELECT enabled FROM member_job") is False
    assert scheduler.value("SELECT count(*) FROM pg_roles WHERE rolname = 'pwned'") == 0


def test_nobody_chooses_the_version_of_a_job(scheduler: Scheduler) -> None:
    writer = scheduler.role("writer")
    scheduler.execute("GRANT pg_write_all_data, pg_read_all_data TO {}", sql.Identifier(writer))
    session = scheduler.connect_as(writer)
    session.execute("SELECT define_job('mine', 'SELECT 1')")
    before = scheduler.value("SELECT (version, database_oid)::text FROM job")
    session.execute("UPDATE job SET version = 2147483647, database_oid = 1")
    assert scheduler.value("SELECT (version, database_oid)::text FROM job") == before
    assert scheduler.execute("DELETE FROM member_job").rowcount == 1


@pytest.mark.parametrize("before", [1, None])
def test_a_line_of_pg_hba_conf_stays_one(scheduler: Scheduler, tmp_path: Path, before: int | None) -> None:
    """Whatever the name of the database is: the line is put there by root."""
    hba = scheduler.value("SHOW hba_file")
    copy = tmp_path / "pg_hba.conf"
    copy.write_text("local all all reject\n")
    line = r"""local "x\nhost all all all trust # \\n\t&'$(touch pwned)`touch pwned`" postgres peer"""
    remedy = scheduler.value("SELECT insert_hba_line(%s, %s)", line, before)
    command = remedy.splitlines()[0].removeprefix("sudo ").replace(hba, str(copy))
    subprocess.run(["sh", "-ec", command], cwd=tmp_path, check=True)
    lines = ["local all all reject", line] if before is None else [line, "local all all reject"]
    assert copy.read_text().splitlines() == lines
    assert sorted(file.name for file in tmp_path.iterdir()) == ["pg_hba.conf"]
