"""What ORMs and query builders send: all columns, DEFAULT and NULL for those that are not given, ON CONFLICT."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import sqlalchemy
from psycopg import sql
from sqlalchemy.dialects.postgresql import insert as insert_or_update
from sqlalchemy.orm import Session, registry

from harness.scheduler import SCHEMA, Scheduler
from harness.waiting import until

VIEWS = ["my_job", "member_job", "my_job_definition", "member_job_definition"]
DEFINITIONS = VIEWS[2:]


@pytest.fixture
def app(scheduler: Scheduler) -> psycopg.Connection[Any]:
    return scheduler.connect_as(scheduler.role())


def columns(app: psycopg.Connection[Any], view: str) -> list[str]:
    return [column.name for column in app.execute(f"SELECT * FROM {view} LIMIT 0".encode()).description or ()]


# --- ON CONFLICT ------------------------------------------------------------------------------


@pytest.mark.parametrize("view", VIEWS)
def test_insert_or_update(app: psycopg.Connection[Any], view: str) -> None:
    # As Knex writes it for .onConflict([…]).merge().
    merge = f"""insert into "{view}" ("datname", "job_command", "job_name", "rolname", "schedule")
                values (%s, %s, %s, %s, %s) on conflict ("rolname", "job_name") do update
                set "datname" = excluded."datname", "job_command" = excluded."job_command",
                    "job_name" = excluded."job_name", "rolname" = excluded."rolname", "schedule" = excluded."schedule"
                returning job_id, job_command, schedule""".encode()
    role, dbname = app.info.user, app.info.dbname
    first = app.execute(merge, (dbname, "SELECT 1", "nightly", role, "@daily")).fetchone()
    second = app.execute(merge, (dbname, "SELECT 2", "nightly", role, "@hourly")).fetchone()
    assert first is not None
    assert second == (first[0], "SELECT 2", "@hourly")
    assert app.execute("SELECT count(*) FROM member_job").fetchone() == (1,)
    # What is refused elsewhere is refused here.
    for bad, error in ((("nowhere", "SELECT 1", "nightly", role, None), psycopg.errors.InvalidCatalogName),
                       ((dbname, "SELECT 1", "nightly", "pg_monitor", None), psycopg.errors.InsufficientPrivilege),
                       ((dbname, " ", "nightly", role, None), psycopg.errors.InvalidParameterValue)):  # fmt: skip
        with pytest.raises(error):
            app.execute(merge, bad)
    # As Django writes it for bulk_create(…, ignore_conflicts=True); also twice in a statement.
    ignore = f"""INSERT INTO "{view}" ("datname", "job_command", "job_name", "rolname")
                 VALUES (%s, %s, %s, %s), (%s, %s, %s, %s) ON CONFLICT DO NOTHING""".encode()
    for expected in (1, 0):
        done = app.execute(ignore, [dbname, "SELECT 3", "other", role] * 2)
        assert done.rowcount == expected
    with pytest.raises(psycopg.errors.UniqueViolation):
        app.execute(f"INSERT INTO {view} (job_command, job_name) VALUES ('SELECT 1', 'other')".encode())
    assert app.execute("SELECT job_command FROM my_job ORDER BY job_id").fetchall() == [("SELECT 2",), ("SELECT 3",)]


def test_two_sessions_insert_or_update_one_job(scheduler: Scheduler, app: psycopg.Connection[Any]) -> None:
    other = scheduler.connect_as(app.info.user)
    merge = """INSERT INTO my_job (job_command, job_name) VALUES (%s, 'one') ON CONFLICT (rolname, job_name)
               DO UPDATE SET job_command = excluded.job_command RETURNING job_id"""
    with app.transaction():
        app.execute(merge, ("SELECT 1",))
        waiter = threading.Thread(target=other.execute, args=(merge, ("SELECT 2",)))
        waiter.start()
        until(
            lambda: scheduler.value(
                "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s", other.info.backend_pid
            ),
            "the second session to wait",
        )
    waiter.join()
    assert app.execute("SELECT job_command FROM my_job").fetchall() == [("SELECT 2",)]


def test_a_conflict_shows_and_changes_nothing_of_others(scheduler: Scheduler, app: psycopg.Connection[Any]) -> None:
    team, stranger = scheduler.role("team"), scheduler.role("stranger")
    scheduler.execute("GRANT {} TO {}", sql.Identifier(team), sql.Identifier(app.info.user))
    for role in (team, stranger):
        scheduler.connect_as(role).execute("SELECT insert_job('SELECT ''secret''', current_catalog, job_name => 'x')")
    before = scheduler.execute("SELECT * FROM job").fetchall()
    take = """INSERT INTO {view} AS j (job_command, job_name, rolname) VALUES ('SELECT 1', 'x', %s)
              ON CONFLICT {action} RETURNING job_command"""
    append = "(rolname, job_name) DO UPDATE SET job_command = j.job_command || excluded.job_command"
    for view in VIEWS:
        for action in ("(rolname, job_name) DO NOTHING", "DO NOTHING", append):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="may not define jobs for role"):
                app.execute(take.format(view=view, action=action).encode(), (stranger,))
    # Through my_job not those of a role that one is a member of either. Minor versions of PostgreSQL differ in which of
    # its checks is the first.
    refused = (psycopg.errors.ObjectNotInPrerequisiteState, psycopg.errors.WithCheckOptionViolation)
    for view in ("my_job", "my_job_definition"):
        with pytest.raises(refused, match=r"not visible through view|violates check option"):
            app.execute(take.format(view=view, action=append).encode(), (team,))
    assert scheduler.execute("SELECT * FROM job").fetchall() == before


# --- what cannot be set, and what is not given ------------------------------------------------


@pytest.mark.parametrize("view", DEFINITIONS)
@pytest.mark.parametrize("rows", [1, 2])
def test_all_columns_as_default(app: psycopg.Connection[Any], view: str, rows: int) -> None:
    """As Drizzle writes it: each column that is not given as DEFAULT."""
    names = columns(app, view)
    values = "(" + ", ".join("'SELECT 1'" if name == "job_command" else "default" for name in names) + ")"
    query = f"insert into {view} ({', '.join(names)}) values {', '.join([values] * rows)} returning *"
    created = app.execute(query.encode()).fetchall()
    assert [(row.job_id,) for row in created] == app.execute("SELECT job_id FROM my_job ORDER BY job_id").fetchall()
    plain = app.execute("SELECT job_id FROM insert_job('SELECT 1', current_catalog)").fetchone()
    (expected,) = app.execute(f"SELECT * FROM {view} WHERE job_id = %s".encode(), plain).fetchall()
    for row in created:
        assert row[1:] == expected[1:]


@pytest.mark.parametrize("view", DEFINITIONS)
def test_all_columns_as_null_and_unchanged(app: psycopg.Connection[Any], view: str) -> None:
    """As Django writes it for a model without defaults: what is not given as NULL, and all columns in an update."""
    names = [name for name in columns(app, view) if name != "job_id"]
    given = {"job_command": "SELECT 1", "datname": app.info.dbname, "rolname": app.info.user}
    insert = f"INSERT INTO {view} ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))}) RETURNING *"
    (row,) = app.execute(insert.encode(), [given.get(name) for name in names]).fetchall()
    assert (row.enabled, row.job_timeout, row.run_when) == (True, timedelta(hours=6), "on_success")
    update = f"UPDATE {view} SET {', '.join(name + ' = ' + name for name in names)} WHERE job_id = %s"
    assert app.execute(update.encode(), (row.job_id,)).rowcount == 1
    assert app.execute(f"SELECT * FROM {view}".encode()).fetchall() == [row]
    assert app.execute(f"DELETE FROM {view} WHERE job_id = %s".encode(), (row.job_id,)).rowcount == 1


@pytest.mark.parametrize("view", DEFINITIONS)
def test_nobody_chooses_the_number_of_a_job(app: psycopg.Connection[Any], view: str) -> None:
    chosen = f"INSERT INTO {view} (job_id, job_command) {{}} VALUES (9223372036854775807, 'SELECT 1') RETURNING job_id"
    with pytest.raises(psycopg.errors.GeneratedAlways):
        app.execute(chosen.format("").encode())
    last = app.execute("SELECT job_id FROM insert_job('SELECT 1', current_catalog)").fetchone()
    assert last is not None
    override = chosen.format("OVERRIDING SYSTEM VALUE").encode()
    assert app.execute(override).fetchone() == (last[0] + 1,)
    with pytest.raises(psycopg.Error):
        app.execute(f"UPDATE {view} SET job_id = 7".encode())
    # A row may define others while it is put together.
    row = app.execute(
        f"""INSERT INTO {view} (job_command, run_after)
            VALUES ('SELECT 1', ARRAY[(SELECT job_id FROM insert_job('SELECT 2', current_catalog))])
            RETURNING job_id, run_after""".encode()
    ).fetchone()
    assert row is not None
    assert row.job_id > row.run_after[0]
    assert app.execute("SELECT count(DISTINCT job_id) FROM my_job").fetchone() == (4,)


@pytest.mark.parametrize("view", DEFINITIONS)
def test_sqlalchemy_maps_what_it_finds(scheduler: Scheduler, view: str) -> None:
    role = scheduler.role()
    url = sqlalchemy.URL.create("postgresql+psycopg", role, role, "127.0.0.1", scheduler.cluster.port, scheduler.dbname)
    engine = sqlalchemy.create_engine(url)
    try:
        key = sqlalchemy.Column("job_id", sqlalchemy.BigInteger, primary_key=True)
        table = sqlalchemy.Table(view, sqlalchemy.MetaData(schema=SCHEMA), key, autoload_with=engine)

        class Job:
            pass

        registry().map_imperatively(Job, table)
        with Session(engine) as session:
            job: Any = Job()
            job.job_command, job.schedule, job.job_name = "SELECT 1", "@daily", "nightly"
            job.job_timeout, job.settings = timedelta(minutes=1), {"work_mem": "64MB"}
            other: Any = Job()
            other.job_command = "SELECT 2"
            session.add_all([job, other])
            session.commit()
            assert (job.enabled, job.timezone, job.rolname) == (True, "UTC", role)
            job.enabled = False
            session.delete(other)
            session.commit()
            session.execute(
                insert_or_update(table)
                .values(job_command="SELECT 3", job_name="nightly")
                .on_conflict_do_update(index_elements=["rolname", "job_name"], set_={"job_command": "SELECT 3"})
            )
            session.commit()
            assert (job.job_command, job.enabled) == ("SELECT 3", False)
            assert session.query(Job).count() == 1
    finally:
        engine.dispose()
