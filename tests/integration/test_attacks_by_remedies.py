"""What check_setup(), problem and hints tell an administrator to execute: names that others have chosen stay names."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import USER, Cluster
from harness.remedies import alternatives, mend
from harness.scheduler import INTERNAL, SCHEMA, Scheduler, new_scheduler

CANARY = "pwned"
NAMES = [
    "a'b",
    'a"b',
    "a\\",
    "a\\'b",
    "$(touch pwned)",
    "`touch pwned`",
    "a; touch pwned; #",
    "\\! touch pwned",
    "% touch pwned",
    "a\\nhost all all 0.0.0.0 0.0.0.0 trust\\n#",
    "/.*",
    '/a"\\',
    "all",
    "sameuser",
    "replication",
    "@/etc/passwd",
    "+postgres",
    "a,b",
    "-c",
    "#a",
    ":pwned :'pwned'",
    "host=127.0.0.1 port=1",
    "host=127.0.0.1 user='\\'",
    "postgresql://127.0.0.1:1/a",
    "x'); CREATE ROLE pwned; --",
    'x"; CREATE ROLE pwned; --',
    "$$; CREATE ROLE pwned; --",
    # Whose lines would be others.
    "a\nhost all all 0.0.0.0 0.0.0.0 trust",
    "a\ne touch pwned",
    "a\nEND\ntouch pwned\n",
    "a\n* * * * * root touch pwned",
    "a\r\n\\! touch pwned",
    "a\x1b[201~\rtouch pwned\r",
]


class Shell:
    """Executes it as an administrator does; sudo keeps what would go into /etc, and signals nobody."""

    def __init__(self, directory: Path, cluster: Cluster) -> None:
        self.cluster = cluster
        self.directory = directory
        sudo = directory / "sudo"
        sudo.write_text(
            '#!/bin/sh\ncase $1 in tee) shift; echo "$1" > tee.name; cat > tee;; kill) ;; *) exec "$@";; esac\n'
        )
        sudo.chmod(0o755)

    def __call__(self, command: str) -> str:
        environment = {
            **os.environ,
            "PATH": f"{self.directory}:{self.cluster.installation.bindir}:{os.environ['PATH']}",
        }
        done = subprocess.run(
            ["sh", "-c", command], env=environment, cwd=self.directory, capture_output=True, text=True
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def psql(self, dbname: str, statements: str) -> None:
        done = self.cluster.command(
            "psql", "-X", "-v", "ON_ERROR_STOP=1", "-v", "pwned=1", f"dbname='{_escaped(dbname)}'",
            input=statements, cwd=self.directory, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (statements, done.stdout, done.stderr)

    def is_clean(self) -> bool:
        """Whether nothing of a name was executed."""
        with self.cluster.connect() as admin:
            role: Any = admin.execute("SELECT count(*) FROM pg_roles WHERE rolname = %s", (CANARY,)).fetchone()
        return not (self.directory / CANARY).exists() and role[0] == 0


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace("'", "\\'")


def _rename(cluster: Cluster, before: str, name: str) -> bool:
    """Whether the server lets a database have the name; PostgreSQL 19 does not where it would end a line."""
    with cluster.connect() as admin:
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(before), sql.Identifier(name))
        if admin.info.server_version >= 190000 and re.search(r"[\r\n]", name):
            with pytest.raises(psycopg.errors.InvalidParameterValue):
                admin.execute(rename)
            return False
        admin.execute(rename)
        return True


def _remedy(admin: psycopg.Connection[Any], check: str) -> str:
    row: Any = admin.execute(f"SELECT * FROM {check}()").fetchone()
    assert row.state in ("error", "warning")
    return str(row.remedy)


def _meant(admin: psycopg.Connection[Any], pattern: str) -> list[str]:
    """The databases that an expression of pg_hba.conf fits."""
    rows = admin.execute("SELECT datname FROM pg_database WHERE datname ~ substr(%s, 2)", (pattern,))
    return [row.datname for row in rows]


def test_the_owner_of_a_database_writes_no_line_of_a_file(own_cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    cluster = own_cluster()
    scheduler = new_scheduler(cluster)
    taken = f"database_{scheduler.value('SELECT oid FROM pg_database WHERE datname = current_database()')}"
    scheduler.execute("CREATE DATABASE {}", sql.Identifier(taken))  # by the owner, who may
    scheduler.admin.close()
    shell, name = Shell(tmp_path, cluster), scheduler.dbname
    for next_name in NAMES:
        if not _rename(cluster, name, next_name):
            continue
        name = next_name
        with cluster.connect(f"{name}") as admin:
            admin.execute(sql.SQL("SET search_path = {}, {}").format(*map(sql.Identifier, (SCHEMA, INTERNAL))))
            hba: Any = admin.execute("SHOW hba_file").fetchone()
            # Looked at, and not read by the server.
            Path(hba[0]).write_text("local all all reject\nhost all all all scram-sha-256\n")
            remedies = _remedy(admin, "check_local_login"), _remedy(admin, "check_launcher")
        if any(ord(character) < 32 for character in name):
            # No line can have such a name: it is to be another one.
            assert len(set(remedies)) == 1
            shell.psql("postgres", remedies[0])
            name = f"{taken}_1"
        else:
            for remedy in remedies:
                shell(remedy)
            with cluster.connect(name) as admin:
                admin.execute(sql.SQL("SET search_path = {}, {}").format(*map(sql.Identifier, (SCHEMA, INTERNAL))))
                rules = admin.execute("SELECT * FROM pg_hba_file_rules").fetchall()
                assert [rule.error for rule in rules] == [None] * 3, name
                assert (rules[0].type, rules[0].user_name, rules[0].auth_method) == ("local", [USER], "peer")
                (database,) = rules[0].database
                assert database == name or (name.startswith("/") and _meant(admin, database) == [name]), name
                state: Any = admin.execute("SELECT state FROM check_local_login()").fetchone()
                assert state.state == "ok", name
            (line,) = (tmp_path / "tee").read_text().splitlines()
            assert line.startswith(f"* * * * * {USER} ")
            # What cron makes of it, executed: it asks for the name where it would start the worker.
            command, statement = line.split(" ", 6)[6].replace(r"\%", "%").removesuffix(" >/dev/null").split(" -c 'DO ")
            assert f'"{SCHEMA}".start_worker(unattended := true)' in statement
            assert shell(f"{command} -c 'SELECT current_database()'").rstrip("\n") == name
        assert shell.is_clean(), name


@pytest.mark.parametrize("is_obstacle", [False, True])
def test_a_run_gives_no_remedies(scheduler: Scheduler, is_obstacle: bool) -> None:
    """A job that has failed with just what is said of it later, and with a hint of its own."""
    mallory, gone = scheduler.role("mallory"), scheduler.database("gone")
    reason = f'database "{gone}" does not exist' if is_obstacle else "the worker could not claim a run: out of luck"
    scheduler.start()
    hint = f'ALTER ROLE "{mallory}" SUPERUSER;'
    command = f"DO $x$BEGIN RAISE EXCEPTION USING MESSAGE = '{reason}', HINT = '{hint}'; END$x$"
    job_id = scheduler.insert(command, gone, rolname=mallory)
    run = scheduler.ended(scheduler.value("SELECT run_job(%s)", job_id))
    assert (run.exception_message, run.exception_hint) == (reason, hint)
    scheduler.stop()
    scheduler.execute("UPDATE job_state SET quarantined_reason = {}, quarantined_since = now()", sql.Literal(reason))
    (row,) = scheduler.execute("SELECT * FROM problem WHERE problem = 'quarantined'").fetchall()
    assert row.what == reason
    assert "SUPERUSER" not in row.remedy
    assert row.remedy


# What the owner of a database can set for whoever connects to it: nothing that is said there is PostgreSQL's own.
TRAPS = """CREATE SCHEMA trap;
    CREATE FUNCTION trap.pg_describe_object(oid, oid, integer) RETURNS text LANGUAGE plpgsql AS
        $$BEGIN CREATE ROLE pwned; RETURN ''; END$$;
    CREATE FUNCTION trap.equals(oid, integer) RETURNS boolean LANGUAGE plpgsql AS
        $$BEGIN CREATE ROLE pwned; RETURN true; END$$;
    CREATE OPERATOR trap.= (LEFTARG = oid, RIGHTARG = integer, FUNCTION = trap.equals);
    GRANT ALL ON SCHEMA trap TO PUBLIC"""
LEFT = """SET ROLE NONE;
    CREATE FUNCTION trap.lure() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT current_user::text';
    CREATE TABLE trap.left_behind (); ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC"""


@pytest.mark.parametrize("choice", ["to give all that to the role of its jobs", "to drop it, with all data"])
def test_what_a_run_has_left_to_its_runner(scheduler: Scheduler, tmp_path: Path, choice: str) -> None:
    """It keeps the rights of the role, whoever loses them; check_setup() tells of it, in whatever database it is."""
    shell = Shell(tmp_path, scheduler.cluster)
    # PostgreSQL refuses line breaks in names since 19.
    line_break = "\n" if scheduler.admin.info.server_version < 190000 else " "
    team = scheduler.role(f'te"am: DROP ROLE x;{line_break}CREATE ROLE pwned;')
    mallory, elsewhere = scheduler.role("mallory"), scheduler.database(f"x{line_break}CREATE ROLE pwned; --")
    scheduler.execute("GRANT {} TO {}", sql.Identifier(team), sql.Identifier(mallory))
    scheduler.execute("ALTER DATABASE {} SET search_path = trap, pg_catalog", sql.Identifier(elsewhere))
    scheduler.start()
    for dbname in (scheduler.dbname, elsewhere):
        with scheduler.cluster.connect(dbname) as admin:
            admin.execute(TRAPS.encode())
    session = scheduler.connect_as(mallory)
    for dbname in (scheduler.dbname, elsewhere):
        run = session.execute("SELECT run_once(%s, %s, %s)", (LEFT, dbname, team)).fetchone()
        assert scheduler.ended(run[0]).state == "succeeded"
    scheduler.execute("REVOKE {} FROM {}", sql.Identifier(team), sql.Identifier(mallory))
    runner = scheduler.value("SELECT runner_name(oid) FROM pg_roles WHERE rolname = %s", team)
    lured = "SELECT trap.lure()"
    assert session.execute(lured).fetchone() == (runner,)
    rows = scheduler.execute("SELECT * FROM check_runners()").fetchall()
    assert [row.state for row in rows] == ["warning"] * 2
    for row in rows:
        dbname = scheduler.dbname if f'in database "{scheduler.dbname}"' in row.found else elsewhere
        assert f'role "{runner}" owns 3 objects in database "{dbname}"' in row.found
        assert row.found.endswith(f'those of role "{team}", whoever has lost them since')
        assert (row.remedy.count("\n") == 2) == (dbname == scheduler.dbname)
        shell.psql(dbname, row.remedy)  # shows it, and changes nothing
    assert scheduler.execute("SELECT * FROM check_runners()").fetchall() == rows
    for row in rows:
        remedy = alternatives(row.remedy)[choice]
        if f'in database "{scheduler.dbname}"' in row.found:
            mend(scheduler, remedy)
        else:
            shell.psql(elsewhere, remedy)
    assert scheduler.value("SELECT state FROM check_runners()") == "ok"
    if "drop" in choice:
        with pytest.raises(psycopg.errors.UndefinedFunction):
            session.execute(lured)
    else:  # as if the role had made it itself
        assert session.execute(lured).fetchone() == (team,)
    assert shell.is_clean()


def test_a_shared_object_of_a_runner(scheduler: Scheduler) -> None:
    team = scheduler.role("team")
    owned = scheduler.database("owned", owner=team)
    scheduler.start()
    assert scheduler.run("SELECT 1", rolname=team).state == "succeeded"
    runner = scheduler.value("SELECT runner_name(oid) FROM pg_roles WHERE rolname = %s", team)
    # As a superuser can, or a run of a role that may create subscriptions (PostgreSQL 16 and later).
    scheduler.execute("ALTER DATABASE {} OWNER TO {}", *map(sql.Identifier, (owned, runner)))
    (row,) = scheduler.execute("SELECT * FROM check_runners()").fetchall()
    assert row.found.partition(":")[0].endswith("owns 1 object")
    (remedy,) = alternatives(row.remedy).values()
    mend(scheduler, row.remedy)
    mend(scheduler, remedy)
    assert scheduler.value("SELECT state FROM check_runners()") == "ok"
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s"
    assert scheduler.value(owner, owned) == team
