"""connect_as = 'role': runs connect as the job's role itself, by what pg_hba.conf and conninfo allow."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from harness.cluster import USER, Cluster
from harness.remedies import alternatives
from harness.scheduler import new_scheduler


def test_over_the_socket_with_a_map(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster()
    data = Path(cluster.get_data_directory())
    hba = data / "pg_hba.conf"
    hba.write_text("local all all peer map=worker\n" + hba.read_text())
    (data / "pg_ident.conf").write_text(f"worker {USER} {USER}\nworker {USER} app\n")
    cluster.command("pg_ctl", "reload", "-D", str(data))
    scheduler = new_scheduler(cluster)
    scheduler.execute("CREATE ROLE app LOGIN")
    scheduler.execute("CREATE ROLE other LOGIN")
    scheduler.execute("UPDATE worker_setting SET connect_as = 'role'")
    scheduler.admin.execute(
        "UPDATE worker_setting SET conninfo = %s", (f"host='{cluster.socket_directory}' connect_timeout=5",)
    )
    # Runs wait for each other where the role may have one session only, and for whoever else has it.
    scheduler.execute("ALTER ROLE app CONNECTION LIMIT 1")
    scheduler.start()
    there = [scheduler.dbname, scheduler.dbname, "postgres"]
    jobs = [scheduler.insert("SELECT pg_sleep(0.3)", datname, rolname="app") for datname in there]
    as_app = {"host": cluster.socket_directory, "user": "app", "dbname": scheduler.dbname}
    with closing(psycopg.connect(port=cluster.port, **as_app)):
        runs = [scheduler.value("SELECT run_job(%s)", job) for job in jobs]
        assert scheduler.run("SELECT 1", rolname=USER).state == "succeeded"
        assert not [run for run in scheduler.log() if run.jl_id in runs]
    assert [scheduler.ended(run).state for run in runs] == ["succeeded"] * 3
    scheduler.execute("ALTER ROLE app CONNECTION LIMIT 0")
    run = scheduler.ended(scheduler.value("SELECT run_job(%s)", jobs[0]))
    assert (run.state, run.job_sqlstate, run.exception_message) == (
        "failed",
        "53300",
        'role "app" has CONNECTION LIMIT 0',
    )
    found = "SELECT * FROM check_jobs() WHERE state <> 'ok'"
    rows = scheduler.execute(found).fetchall()
    assert {row.found.partition(" cannot run: ")[2] for row in rows} == {run.exception_message}
    scheduler.execute(rows[0].remedy)
    scheduler.execute(alternatives(rows[0].remedy)["to let it connect"])
    assert scheduler.execute(found).fetchall() == []
    who = "DO $$BEGIN RAISE NOTICE '% %', session_user, current_user; END$$"
    assert scheduler.run(who, rolname="app").notices == "NOTICE:  app app"
    run = scheduler.run("RESET ROLE; SET ROLE NONE;" + who, rolname="app")
    assert run.notices == "NOTICE:  app app"
    run = scheduler.run(who, rolname="other")
    assert (run.state, run.job_sqlstate) == ("failed", "08001")
    assert 'Peer authentication failed for user "other"' in run.exception_message
    assert scheduler.value("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'elephant_worker%%'") == 0
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"worker_setting.conninfo cannot be read"):
        scheduler.execute("UPDATE worker_setting SET conninfo = {}", sql.Literal("host='unfinished"))
    scheduler.execute("UPDATE worker_setting SET conninfo = {}", sql.Literal("host=/nowhere"))
    run = scheduler.run(who, rolname="app")
    assert (run.state, run.job_sqlstate) == ("failed", "08001")
    assert 'connection to server on socket "/nowhere/.s.PGSQL.' in run.exception_message
    scheduler.stop()
    scheduler.admin.close()
