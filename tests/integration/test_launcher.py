"""The launchers of launcher/ and of the documents, run as cron, systemd and others would run them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from harness.cluster import ROOT, USER, Cluster
from harness.scheduler import SCHEMA, Scheduler, new_scheduler
from harness.waiting import until

# What cron takes as a command is cut off there (MAX_COMMAND), without a word.
LONGEST_COMMAND = 999
LONGEST_NAME = 63  # of a database

PATRONI = "elephant_worker_patroni"
REFUSAL = "ERROR:  start_worker() was not called: it is not of an extension elephant_worker of a superuser"
LAUNCHERS = ["cron", "printed", "systemd", "container", "second container", PATRONI]


def meant(text: str) -> str:
    """What names the schema of the documentation, for that of the tests."""
    return re.sub(r"\bscheduler\.", f'"{SCHEMA}".', text)


def as_cron(line: str) -> str:
    """The command of a line of a crontab: what follows the five fields and the user."""
    *fields, _, command = line.split(" ", 6)
    assert fields == ["*"] * 5
    # Where Debian has the programs and the socket.
    usual = re.sub("(?<=PATH:)[^;]*", "/usr/lib/postgresql/15/bin", command)
    usual = re.sub("(?<=PGHOST=)[^ ]*", "/var/run/postgresql", usual)
    assert len(usual.encode()) <= LONGEST_COMMAND - LONGEST_NAME
    assert "%" not in command.replace(r"\%", "")  # cron would end the command there
    return command.replace(r"\%", "%")


def cron_line() -> str:
    lines = (ROOT / "launcher/elephant_worker.cron").read_text().splitlines()
    (line,) = [line for line in lines if line and not line.startswith("#")]
    assert line.split(" ")[5] == "postgres"
    return line


def systemd_unit() -> tuple[list[list[str]], dict[str, str]]:
    """The commands of the unit, the second one executed where the first one succeeds, and its variables."""
    text = re.sub(r"\\\n *", " ", (ROOT / "launcher/elephant_worker@.service").read_text())
    lines = [
        line.replace("%i", "postgres").split("=", 1) for line in text.splitlines() if "=" in line and line[0] != "#"
    ]
    service = dict(map(tuple, lines))
    assert service["Type"] == "oneshot"
    variables = dict(shlex.split(value)[0].split("=", 1) for name, value in lines if name == "Environment")
    assert (variables["PGHOST"], variables["PGPORT"]) == ("/var/run/postgresql", "5432")
    variables["ELEPHANT_WORKER_SCHEMA"] = SCHEMA

    def put_in(word: str) -> str:
        return re.sub(r"\$(\$|\{(\w+)\})", lambda found: variables[found[2]] if found[2] else "$", word)

    commands = [shlex.split(service[name]) for name in ("ExecCondition", "ExecStart")]
    return [[put_in(word) for word in command] for command in commands], variables


def container_scripts() -> tuple[str, str]:
    """What the start script of docs/containers.md does every ten seconds, and the image's health check."""
    document = (ROOT / "docs/containers.md").read_text()
    (setting, turn) = re.findall(r"\n#!/bin/sh\ncd /\n(.*\n)while sleep 10; do\n(.*)\ndone &\n", document, re.DOTALL)[0]
    (health,) = re.findall(r"^HEALTHCHECK .* CMD (.*)$", document, re.MULTILINE)
    return meant(setting + turn), meant(health)


def second_container() -> str:
    """What the loop of docs/testing.md does every five seconds."""
    document = (ROOT / "docs/testing.md").read_text()
    (setting, turn) = re.findall(r"\n(export PGOPTIONS=.*\n)while sleep 5; do\n(.*)\ndone\n", document, re.DOTALL)[0]
    return meant(setting + turn).replace(" -h db ", " ")


def command_of(launcher: str, scheduler: Scheduler, printed: str) -> tuple[list[str], dict[str, str]]:
    """How the launcher is executed for the database, and in which environment."""
    cluster = scheduler.cluster
    environment = {
        "PATH": f"{cluster.installation.bindir}:{os.environ['PATH']}",
        "PGHOST": cluster.socket_directory,
        "PGPORT": str(cluster.port),
        "PGDATABASE": scheduler.dbname,
        "POSTGRES_DB": scheduler.dbname,
    }
    server = f"PGHOST={cluster.socket_directory} PGPORT={cluster.port}"
    if launcher == PATRONI:
        place = (cluster.socket_directory, str(cluster.port), scheduler.dbname, SCHEMA)
        program = str(cluster.installation.bindir / PATRONI)
        return [program, *place, "on_role_change", "primary", "batman"], environment
    if launcher == "systemd":
        commands, variables = systemd_unit()
        return ["/bin/sh", "-c", " && ".join(map(shlex.join, commands))], {**variables, **environment}
    script = {
        "cron": meant(as_cron(cron_line())).replace("PGHOST=/var/run/postgresql PGPORT=5432", server),
        "printed": as_cron(printed) if printed else "",
        "container": container_scripts()[0],
        "health check": container_scripts()[1],
        "second container": second_container(),
    }[launcher]
    script = script.replace("-d postgres", f"-d '{scheduler.dbname}'").replace("-U postgres", f"-U {USER}")
    return ["/bin/sh", "-c", script], environment


def execute(launcher: str, scheduler: Scheduler, printed: str = "", **more: str) -> tuple[int, str]:
    command, environment = command_of(launcher, scheduler, printed)
    done = subprocess.run(
        command, env={**environment, **more}, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.mark.parametrize("launcher", ["cron", "systemd"])
def test_launcher(scheduler: Scheduler, launcher: str) -> None:
    assert execute(launcher, scheduler) == (0, "")
    assert scheduler.value("SELECT running FROM worker_status") is False
    pid = scheduler.start()
    assert execute(launcher, scheduler) == (0, "")
    assert scheduler.value("SELECT pid FROM worker_status") == pid
    scheduler.kill()
    assert execute(launcher, scheduler) == (0, "")
    assert scheduler.value("SELECT running FROM worker_status") is True
    scheduler.stop()
    assert execute(launcher, scheduler) == (0, "")
    assert scheduler.value("SELECT running FROM worker_status") is False
    # No word while the server is down.
    command, environment = command_of(launcher, scheduler, "")
    command = [word.replace(f"PGPORT={scheduler.cluster.port}", "PGPORT=1") for word in command]
    done = subprocess.run(command, env={**environment, "PGPORT": "1"}, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (2, "")


def test_the_launchers_are_one(scheduler: Scheduler) -> None:
    """They bring the same settings along, and say the same."""
    options, statements = set(), set()
    for launcher in LAUNCHERS[:-1]:
        command, environment = command_of(launcher, scheduler, scheduler.value("SELECT launcher_line()"))
        # Its psql shows what it is given, and answers for pg_isready.
        show = (
            'psql() { printf "%s\\n" "$PGOPTIONS"; for word; do :; done; printf "%s" "$word"; }; pg_isready() { :; }\n'
        )
        script = show + re.sub("/usr/bin/|>/dev/null", "", command[-1])
        done = subprocess.run(["/bin/sh", "-c", script], env=environment, capture_output=True, text=True, check=True)
        option, statement = done.stdout.split("\n", 1)
        options.add(option)
        statements.add(" ".join(statement.split()))
    assert len(statements) == 1
    (option,) = options
    program = (ROOT / "launcher" / PATRONI).read_text()
    done = subprocess.run(
        ["/bin/sh", "-c", "\n".join([*re.findall("^options=.*$", program, re.MULTILINE), 'printf %s "$options"'])],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == option


@pytest.mark.parametrize("launcher", ["cron", "printed", "systemd"])
def test_a_lock_does_not_keep_launchers_waiting(scheduler: Scheduler, launcher: str) -> None:
    """Those of the minutes before would take all connections, those that are reserved for superusers too."""
    command, environment = command_of(launcher, scheduler, scheduler.value("SELECT launcher_line()"))
    given = [*command, *environment.values()]
    assert sum(text.count("-c lock_timeout=30s ") for text in given) == 1
    command = [word.replace("lock_timeout=30s", "lock_timeout=1s") for word in command]
    environment = {name: text.replace("lock_timeout=30s", "lock_timeout=1s") for name, text in environment.items()}
    role = scheduler.role(scheduler=False)
    reader, changer = scheduler.connect_as(role), scheduler.connect_as(role)
    reader.execute("BEGIN; PREPARE named AS SELECT FROM pg_depend")
    changer.pgconn.send_query(b"CREATE RULE mine AS ON INSERT TO pg_depend DO NOTHING")
    waiting = "SELECT count(*) = 1 FROM pg_lock_status() l WHERE l.pid = %s AND NOT l.granted"
    until(lambda: scheduler.value(waiting, changer.info.backend_pid), "it to wait")
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr.split("\n")[0]) == (1, "ERROR:  canceling statement due to lock timeout")
    reader.execute("ROLLBACK")


def test_settings_of_the_database_do_not_reach_a_launcher(own_cluster: Callable[..., Cluster]) -> None:
    """Its owner's choice, and what is there in the place of what the server has: a real worker starts all the same."""
    scheduler = new_scheduler(own_cluster())
    scheduler.start()
    printed = scheduler.value("SELECT launcher_line()")
    hinder(scheduler)
    with pytest.raises(psycopg.OperationalError, match="nowhere"):
        scheduler.cluster.connect_as("creator", scheduler.dbname)
    for launcher in LAUNCHERS:
        scheduler.kill()
        assert execute(launcher, scheduler, printed) == (0, ""), launcher
        assert scheduler.value("SELECT running FROM worker_status") is True, launcher
        # It has looked around at least once.
        until(lambda: scheduler.value("SELECT last_tick FROM worker_status"), "the worker's tick")
    assert execute("health check", scheduler) == (0, "")
    scheduler.execute("SELECT pause_jobs()")
    assert execute("health check", scheduler) == (1, "ERROR:  no worker runs, or it starts nothing\n")
    scheduler.stop()
    assert execute("health check", scheduler) == (1, "ERROR:  no worker runs, or it starts nothing\n")
    scheduler.admin.close()


def hinder(scheduler: Scheduler) -> None:
    """Makes the database creator's, who sets what its owner may, and has other things of the names looked for."""
    database = sql.Identifier(scheduler.dbname)
    if not scheduler.value("SELECT count(*) FROM pg_roles WHERE rolname = 'creator'"):
        scheduler.execute("CREATE ROLE creator LOGIN CREATEDB PASSWORD 'creator'")
    scheduler.execute("ALTER DATABASE {} OWNER TO creator", database)
    with scheduler.cluster.connect_as("creator", scheduler.dbname) as creator:
        creator.execute(
            """CREATE SCHEMA before;
               CREATE SEQUENCE before.ran;
               CREATE FUNCTION before.run() RETURNS bigint LANGUAGE sql AS $$SELECT nextval('before.ran')$$;
               CREATE FUNCTION before.to_regprocedure(text) RETURNS regprocedure
                   LANGUAGE sql IMMUTABLE AS 'SELECT before.run(); SELECT NULL::regprocedure';
               CREATE FUNCTION before.same(oid, oid) RETURNS boolean
                   LANGUAGE sql IMMUTABLE AS 'SELECT before.run() > 0';
               CREATE OPERATOR before.= (leftarg = oid, rightarg = oid, function = before.same);
               CREATE VIEW before.pg_depend AS SELECT before.run(), d.* FROM pg_catalog.pg_depend d;
               CREATE VIEW before.pg_extension AS SELECT before.run(), e.* FROM pg_catalog.pg_extension e;
               CREATE VIEW before.pg_roles AS SELECT before.run(), r.* FROM pg_catalog.pg_roles r;"""
        )
        for setting in (
            "role = creator",
            "session_authorization = creator",
            "search_path = before, pg_catalog",
            "statement_timeout = 1",
            "lock_timeout = 1",
            "idle_session_timeout = 1",
            "default_transaction_isolation = serializable",
            "default_transaction_read_only = on",
            "exit_on_error = on",
            "local_preload_libraries = nowhere",
        ):
            creator.execute(sql.SQL("ALTER DATABASE {} SET " + setting).format(database))  # type: ignore[arg-type]


# What somebody has in the place of the extension. That it was called stays, though what called it may fail.
IMPOSTOR = sql.SQL(
    """CREATE SCHEMA {0};
       CREATE SEQUENCE {0}.ran;
       CREATE FUNCTION {0}.run() RETURNS bigint LANGUAGE sql AS $$SELECT nextval(to_regclass({1})::oid::regclass)$$;
       CREATE FUNCTION {0}.start_worker(unattended boolean DEFAULT false) RETURNS integer
           LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM {0}.run(); RETURN 1; END';
       CREATE PROCEDURE {0}.run_worker(host text, attended boolean)
           LANGUAGE plpgsql AS 'BEGIN PERFORM {0}.run(); END';
       CREATE VIEW {0}.worker_status AS SELECT {0}.run() > 0 AS running, NULL::text AS reason;"""
).format(sql.Identifier(SCHEMA), sql.Literal(f'"{SCHEMA}".ran'))


def test_a_database_of_somebody_else_under_the_name(own_cluster: Callable[..., Cluster]) -> None:
    """Its owner has renamed the control database while no worker ran, and has other routines in one of that name."""
    cluster = own_cluster()
    scheduler = new_scheduler(cluster)
    printed = scheduler.value("SELECT launcher_line()")
    scheduler.execute("CREATE ROLE creator LOGIN CREATEDB PASSWORD 'creator'")
    scheduler.execute("ALTER DATABASE {} OWNER TO creator", sql.Identifier(scheduler.dbname))
    scheduler.admin.close()
    name = sql.Identifier(scheduler.dbname)
    with cluster.connect_as("creator") as creator:
        creator.execute(sql.SQL("ALTER DATABASE {} RENAME TO aside").format(name))
        creator.execute(sql.SQL("CREATE DATABASE {}").format(name))
    with cluster.connect_as("creator", scheduler.dbname) as creator:
        creator.execute(IMPOSTOR)
        creator.execute(sql.SQL("SELECT {0}.start_worker(true), {0}.run()").format(sql.Identifier(SCHEMA)))
    scheduler.admin = cluster.connect(scheduler.dbname)
    ran = f"""SELECT array_agg(last_value) FROM (SELECT last_value FROM "{SCHEMA}".ran {{}}) r"""
    assert scheduler.value(ran.format("")) == [2]  # by themselves
    for settings in (False, True):
        if settings:
            hinder(scheduler)
        for launcher in [*LAUNCHERS, "health check"]:
            status, said = execute(launcher, scheduler, printed)
            thing = "worker_status was not read" if launcher == "health check" else "start_worker() was not called"
            reason = REFUSAL.replace("start_worker() was not called", thing)
            assert (status, said.count("\n")) == (3 if launcher == PATRONI else 1, 1), (launcher, said)
            assert said.endswith(f"{reason}\n"), launcher
            assert scheduler.value(ran.format("")) == [2], launcher
    assert scheduler.value("SELECT is_called FROM before.ran") is False
    scheduler.admin.close()


def test_an_extension_of_who_is_no_superuser(scheduler: Scheduler) -> None:
    scheduler.start()
    scheduler.stop()
    printed, owner = scheduler.value("SELECT launcher_line()"), scheduler.role("owner")
    own = "UPDATE pg_catalog.pg_extension SET extowner = {}::regrole WHERE extname = 'elephant_worker'"
    # The spare, which is not waited for, would follow the worker if it saw that.
    left = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'elephant_worker%'"
    until(lambda: scheduler.value(left) == 0, "the spare to leave")
    scheduler.execute("SELECT arm_worker()")
    scheduler.execute(own, sql.Literal(sql.Identifier(owner).as_string(scheduler.admin)))
    try:
        for launcher in [*LAUNCHERS, "health check"]:
            status, said = execute(launcher, scheduler, printed)
            assert (status, said.count("\n")) == (3 if launcher == PATRONI else 1, 1), (launcher, said)
            assert "it is not of an extension elephant_worker of a superuser" in said, launcher
    finally:
        scheduler.execute(own, sql.Literal(USER))
    assert scheduler.value("SELECT running FROM worker_status") is False
    assert execute("printed", scheduler, printed) == (0, "")
    assert scheduler.value("SELECT running FROM worker_status") is True


def test_the_callback_of_patroni(scheduler: Scheduler, tmp_path: Path) -> None:
    """It starts the worker on a primary, whatever is in the environment of Patroni, and does nothing on a standby."""
    cluster = scheduler.cluster
    # A directory of somebody's, whose programs are not to be found, nor the files.
    for name in ("psql", ".psqlrc"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 3\n")
        (tmp_path / name).chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PGHOST": "nowhere.invalid",
        "PGOPTIONS": "-c default_transaction_read_only=on",
        "PGUSER": "nobody",
    }
    scheduler.execute("ALTER DATABASE {} SET statement_timeout = 1", sql.Identifier(scheduler.dbname))

    def call(role: str, place: str = cluster.socket_directory, schema: str = SCHEMA) -> tuple[int, str]:
        done = subprocess.run(
            [
                cluster.installation.bindir / "elephant_worker_patroni",
                *(place, str(cluster.port), scheduler.dbname, schema),
                *("on_role_change", role, "batman"),
            ],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.stdout == ""
        return done.returncode, done.stderr

    running = "SELECT running FROM worker_status"
    scheduler.execute("SELECT arm_worker()")
    assert call("replica") == (0, "")
    assert scheduler.value(running) is False
    assert call("primary") == (0, "")
    assert scheduler.value(running) is True
    assert call("master") == (0, "")
    scheduler.stop()
    assert call("primary") == (0, "")
    assert scheduler.value(running) is False
    # Nothing that it is told is taken for SQL, or for the name of a machine.
    status, said = call("primary", schema='x"; SELECT 1/0; --')
    assert status == 3
    assert said.endswith(f"{REFUSAL}\n")
    status, said = call("primary", place="localhost")
    assert (status, "must be an absolute path" in said) == (2, True)
