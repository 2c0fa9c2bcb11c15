"""Starts the worker inside the server: a statement in a session that nobody listens to any more."""

from __future__ import annotations

import os
import pwd
import time
from typing import Any

from ..connection.client import Client
from ..connection.login import Login
from ..connection.own_session import OwnSession
from ..connection.passfile import find_password
from ..connection.transport import Lost
from ..database.spi import INTERNAL, in_schemas
from ..errors import UserError
from ..system import postmaster
from .logins import own_address

# How long a worker may take to begin its work.
START_TIMEOUT = 10.0  # seconds
# How long start_worker() waits for the end of a worker that was told to stop: cancel_grace and this, at most
# LONGEST_LEAVE.
LEAVE_TIMEOUT = 5.0  # seconds
LONGEST_LEAVE = 60.0  # seconds
LOOK_EVERY = 0.01  # seconds
# What a session is to have of the settings that not every version of PostgreSQL knows.
NEWER_SETTINGS = {"transaction_timeout": "0", "restrict_nonsystem_relation_kind": ""}

# What run_worker() says where there are a worker and a spare.
IN_USE = "55006"  # object_in_use

CANCEL_GRACE = "SELECT date_part('epoch', s.cancel_grace) AS grace FROM @extschema@.worker_setting s"

# What the sessions call themselves at first (as elephant_worker_patroni does), and once they are the worker, one whose
# transactions fail (a SQLSTATE follows), one that starts nothing since it stood still, its spare, or wait for a worker
# to leave that was told to stop.
STARTING_NAME = "elephant_worker starting"
WORKER_NAME = "elephant_worker"
FAILING_NAME = "elephant_worker failing"
STOOD_STILL_NAME = "elephant_worker stood still"
SPARE_NAME = "elephant_worker spare"
SUCCESSOR_NAME = "elephant_worker successor"


def start(plpy: Any, schema: str, attended: bool, how: str) -> dict[str, Any]:
    """The function `host_worker`."""
    try:
        pid, waits = _start(plpy, schema, attended, how)
    except UserError as user_error:
        return {"pid": None, "waits": None, "user_error": user_error.as_row()}
    except plpy.SPIError as error:
        return {"pid": None, "waits": None, "user_error": UserError.of(error).as_row()}
    return {"pid": pid, "waits": waits, "user_error": None}


class Launch(Client):
    """Sends the statement, and lets go."""

    def __init__(self, login: Login, statement: str) -> None:
        self._statement = statement
        super().__init__(login)

    def begin(self) -> None:
        self.query(self._statement)
        self.close()


def launch(plpy: Any, schema: str) -> Client | None:
    """Start another worker, or the spare of this one, without waiting for it; what is to be watched until
    it is started. Raises UserError."""
    background = _background(plpy)
    if background:
        _launch_in_background(plpy, _call(schema, "pg_background", attended=False), **background)
        return None
    return Launch(_login(_session(plpy)), _call(schema, "session", attended=False))


def _call(schema: str, host: str, attended: bool) -> str:
    return f"CALL {schema}.run_worker('{host}', {attended})"


def _start(plpy: Any, schema: str, attended: bool, how: str) -> tuple[int, bool]:
    """The process of the new worker, and whether it waits for another one to leave."""
    background = _background(plpy)
    statement = _call(schema, "pg_background" if background else "session", attended)
    if how == "again":
        statement = _after_stop(plpy, statement)
    elif how == "committed":
        statement = _after_commit(plpy, statement)
    if background:
        pid = _launch_in_background(plpy, statement, **background)
        _await_listing(plpy, pid)
        return _await_worker(plpy, schema, pid, None) if how != "committed" else (pid, False)
    return _detached(plpy, schema, statement, how != "committed")


def _after_stop(plpy: Any, call: str) -> str:
    """The present worker is told to stop in a transaction of its own, since it sees only what is committed."""
    (row,) = plpy.execute("SELECT current_user::text AS caller")
    stop = f"PERFORM {INTERNAL}.tell_worker_to_stop({plpy.quote_literal(row['caller'])});"
    return f"DO {plpy.quote_literal(f'BEGIN {stop} COMMIT; {call}; END')}"


def _after_commit(plpy: Any, call: str) -> str:
    (row,) = plpy.execute("SELECT pg_current_xact_id()::text AS id")
    wait = f"WHILE pg_xact_status('{row['id']}') = 'in progress' LOOP PERFORM pg_sleep(0.02); COMMIT; END LOOP;"
    start = f"IF pg_xact_status('{row['id']}') = 'committed' THEN {call};"
    # Otherwise it has nobody to answer to, and the server would take that for a fault.
    leave = "ELSE PERFORM set_config('log_min_messages', 'panic', false); END IF;"
    return f"DO {plpy.quote_literal(f'BEGIN {wait} {start} {leave} END')}"


def _background(plpy: Any) -> dict[str, str] | None:
    """The functions of pg_background, where it is installed."""
    rows = plpy.execute(
        """SELECT format('SELECT * FROM %I.pg_background_launch($1) AS pid', n.nspname) AS launch,
               format('SELECT %I.pg_background_detach', n.nspname) AS detach
           FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_background'"""
    )
    return rows[0] if len(rows) else None


def _rows(plpy: Any, statement: str, types: list[str], values: list[Any]) -> Any:
    return plpy.execute(plpy.prepare(statement, types), values)


def _detached(plpy: Any, schema: str, statement: str, wait: bool) -> tuple[int, bool]:
    """Open a session to this server, send the statement, and close this end of it.

    A backend notices that its client has gone when it writes to it, and the worker never does.
    """
    session = own_session(plpy)
    try:
        session.query(statement)
        return _await_worker(plpy, schema, session.backend_pid, session) if wait else (session.backend_pid, False)
    except Lost as lost:
        raise _no_session(_session(plpy), lost) from None
    finally:
        session.close()


def own_session(plpy: Any, name: str = STARTING_NAME, settings: str = "") -> OwnSession:
    """A session in this database, as the server's own user; what it is to call itself, and what it is to have set
    besides. Raises UserError (08001)."""
    parameters = _session(plpy)
    parameters.update(application_name=name, options=f"{parameters['options']} {settings}")
    try:
        return OwnSession(_login(parameters), START_TIMEOUT)
    except Lost as lost:
        raise _no_session(parameters, lost) from None


def _login(parameters: dict[str, str]) -> Login:
    return Login({**parameters, "password": find_password(parameters)}, to_postmaster=True)


def own_login(plpy: Any) -> dict[str, object]:
    """The function `own_login`."""
    try:
        password = find_password(_session(plpy))
    except UserError:
        password = ""  # it listens nowhere
    return {
        "rolname": _superuser(plpy),
        "system_user_name": _system_user(),
        "has_password": bool(password),
        "program_directory": postmaster.program_directory(),
    }


def _no_session(parameters: dict[str, str], lost: Lost) -> UserError:
    user = parameters["user"]
    if "hostaddr" in parameters:
        way = (
            f"from {parameters['hostaddr']} by a password, which .pgpass of the server's own user must have; or give "
            "the server a socket (unix_socket_directories)"
        )
    else:
        way = "over the local socket as the server's own user (peer, as it is by default)"
    return UserError(
        "the worker could not be given a session",
        str(lost),
        f'A connection must be free, and pg_hba.conf must let the role "{user}" in {way}; or call run_worker() in a '
        "session of yours, or install pg_background.",
        "08001",
    )


def _session(plpy: Any) -> dict[str, str]:
    """How to open a session in this database, as the server's own user."""
    plan = plpy.prepare(
        """SELECT convert_to(current_database()::text, getdatabaseencoding()) AS dbname,
               ARRAY(SELECT n FROM unnest($1) n WHERE current_setting(n, true) IS NOT NULL) AS known""",
        ["text[]"],
    )
    (row,) = plpy.execute(plan, [list(NEWER_SETTINGS)])
    return {
        **own_address(prefer_path=True),
        "dbname": row["dbname"].decode(errors="surrogateescape"),
        "user": _superuser(plpy),
        "application_name": STARTING_NAME,
        "client_encoding": "UTF8",
        # Whatever the server, the database and the role are set to; moments are read in sessions of any DateStyle.
        "options": "-c role=none -c search_path=pg_catalog,pg_temp -c client_min_messages=error "
        "-c statement_timeout=0 -c idle_session_timeout=0 -c client_connection_check_interval=0 "
        "-c datestyle=ISO -c intervalstyle=postgres -c standard_conforming_strings=on "
        "-c exit_on_error=off -c session_replication_role=origin -c default_transaction_read_only=off "
        "-c default_transaction_deferrable=off -c default_transaction_isolation=read\\ committed "
        "-c local_preload_libraries=" + "".join(f" -c {name}={NEWER_SETTINGS[name]}" for name in row["known"]),
    }


def _system_user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def _superuser(plpy: Any) -> str:
    """The role that the operating system's user of the server may be: its namesake, else the extension's owner."""
    query = """SELECT r.rolname FROM pg_roles r
        LEFT JOIN pg_extension e ON e.extowner = r.oid AND e.extname = 'elephant_worker'
        WHERE r.rolname = $1 AND r.rolsuper AND r.rolcanlogin OR e.oid IS NOT NULL
        ORDER BY r.rolname = $1 AND r.rolsuper AND r.rolcanlogin DESC LIMIT 1"""
    (row,) = _rows(plpy, query, ["name"], [_system_user()])
    rolname: str = row["rolname"]
    return rolname


def _launch_in_background(plpy: Any, statement: str, launch: str, detach: str) -> int:
    """Have pg_background run the statement; a worker that nobody is attached to runs on by itself.

    Since its version 2.0 a background worker is named by a cookie beside its process id.
    """
    try:
        (worker,) = _rows(plpy, launch, ["text"], [statement])
        plpy.execute(f"{detach}({', '.join(str(part) for part in worker.values())})")
    except plpy.SPIError as error:
        raise UserError(
            "pg_background did not start the worker",
            str(error),
            "max_worker_processes may be too small; without pg_background the worker runs in a session.",
            "58000",
        ) from None
    pid: int = worker["pid"]
    return pid


def _await_listing(plpy: Any, pid: int) -> None:
    """Wait until the server lists a background worker, which until then looks like one that has ended."""
    began = time.monotonic()
    while _name_of(plpy, pid) is None and _is_alive(pid) and time.monotonic() - began < START_TIMEOUT:
        postmaster.exit_if_dead()
        time.sleep(LOOK_EVERY)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _name_of(plpy: Any, pid: int) -> str | None:
    """What a session calls itself; None where the server lists no such process."""
    plpy.execute("SELECT pg_stat_clear_snapshot()")
    rows = _rows(plpy, "SELECT a.application_name AS name FROM pg_stat_get_activity($1) a", ["int4"], [pid])
    return rows[0]["name"] if len(rows) else None


def _await_worker(plpy: Any, schema: str, pid: int, session: OwnSession | None) -> tuple[int, bool]:
    """Wait until the worker has begun: it then changes its application_name. Returns its process id, and whether
    it still waits for another one to leave."""
    began, patience = time.monotonic(), START_TIMEOUT
    while time.monotonic() - began < patience:
        name = _name_of(plpy, pid)
        if name in (WORKER_NAME, SPARE_NAME):
            return pid, False
        if name == SUCCESSOR_NAME and patience == START_TIMEOUT:
            patience = _leave_timeout(plpy, schema)
        if session is not None:
            session.step()
            if session.ended:
                # It has let go of this end; or somebody else was quicker: that one is the worker, or will be.
                if session.error.get("C", IN_USE) != IN_USE:
                    raise _did_not_begin(f"Its session (process {pid}) has ended: {session.error['M']}.")
                session = None
                continue
        if name is None:
            # Somebody else may have started another one, which takes the place of this.
            (row,) = plpy.execute(
                f"SELECT {INTERNAL}.serving_worker_pid() AS serving, {INTERNAL}.has_successor() AS waits"
            )
            if row["serving"] is not None:
                return row["serving"], False
            if not row["waits"]:
                raise _did_not_begin(f"Its session (process {pid}) has ended.")
        # This is the session of whoever calls, which PostgreSQL ends with the postmaster only while it waits itself.
        postmaster.exit_if_dead()
        if session is not None:
            session.pause(LOOK_EVERY)
        else:
            time.sleep(LOOK_EVERY)
    if name == SUCCESSOR_NAME:
        return pid, True
    raise _did_not_begin(f"Its session (process {pid}) was not ready after {patience:g} seconds.")


def _did_not_begin(detail: str) -> UserError:
    return UserError("the worker did not begin its work", detail, "The server's log says why.", "58000")


def _leave_timeout(plpy: Any, schema: str) -> float:
    """How long a worker that was told to stop may take to end its runs, in seconds."""
    (row,) = plpy.execute(in_schemas(CANCEL_GRACE, schema))
    return min(float(row["grace"]) + LEAVE_TIMEOUT, LONGEST_LEAVE)
