"""try_job(): a command is executed by the worker and rolled back, and whoever asked waits for how it went.

The worker sees only what is committed, and the transaction that asks cannot commit; so the request goes
through a session of its own to the same server. Whether it may be asked for has been checked before.
"""

from __future__ import annotations

import time
from typing import Any

from ..connection.own_session import OwnSession
from ..connection.transport import Lost
from ..database import server, worker_setting, worker_state
from ..database.spi import Spi, in_schemas
from ..errors import UserError
from ..jobs.run import Gate
from ..records import record
from .launch import own_session

# Who asks may hold locks that the command wants, or the session through which it is asked for; no deadlock check sees
# that.
LOCK_TIMEOUT = '{"lock_timeout": "10s"}'
OWN_LOCK_TIMEOUT = "-c lock_timeout=10s"
# Seconds between looks for the answer: at first, and at the most.
LOOK_AFTER = (0.005, 0.25)

# The session through which the trial is asked for, and that of its run. The first is the superuser's, so that the
# server would give it those that are reserved, too.
CONNECTIONS_FOR_TRIAL = 2  # connections
# What part of the connections such sessions may take, and what part of that those of one role.
TRIALS_SHARE = 0.25  # of the connections for ordinary roles
ROLE_SHARE = 0.5  # of the sessions for trials
# How long a trial waits for connections.
CONNECTION_TIMEOUT = 10.0  # seconds
CONNECTION_LOOK = 0.1  # seconds
# How long it waits for a database or role that lets nobody in.
GATE_TIMEOUT = 5.0  # seconds
SESSION_NAME = "elephant_worker trial"
# A lock that nothing else takes, on a table that nobody else may lock.
ONE_BY_ONE = "LOCK TABLE @internal@.job_quota IN SHARE UPDATE EXCLUSIVE MODE"

SUBMIT = """WITH made AS (
        INSERT INTO @extschema@.once_job
            (datname, rolname, job_command, job_timeout, settings, parameters, defined_by, server, schedule_set_at)
        VALUES ($1, $2, $3, $4::interval, $5::jsonb || coalesce($6, '{}')::jsonb, $7::jsonb, $8, $9, clock_timestamp())
        RETURNING job_id)
    INSERT INTO @extschema@.worker_request (kind, cause, job_id, requested_by)
    SELECT 'run', 'trial', m.job_id, $8 FROM made m RETURNING request_id"""
WITHDRAW = "INSERT INTO @extschema@.worker_request (kind, jl_id) VALUES ('cancel run', $1)"
ANSWER = (
    *("state", "job_sqlstate", "exception_message", "exception_detail", "exception_hint", "exception_context"),
    *("row_count", "notices", "job_started", "job_finished"),
)
LOOK = f"SELECT {', '.join(ANSWER)} FROM @extschema@.job_log WHERE jl_id = $1 AND state <> 'running'"  # noqa: S608 # names of columns
STARTED = "SELECT FROM @extschema@.job_log WHERE jl_id = $1"


def try_now(plpy: Any, schema: str, row: dict[str, Any]) -> None:
    """The trigger `try_now`: complete the row with how the command went; without a state, why it was not tried."""
    try:
        row.update(_tried(Spi(plpy, schema), row))
    except UserError as user_error:
        row["job_sqlstate"], row["exception_message"] = user_error.sqlstate, user_error.message
        row["exception_detail"], row["exception_hint"] = user_error.detail, user_error.hint
    except plpy.spiexceptions.QueryCanceled as error:  # PL/Python would put the name of its class before the message
        row["job_sqlstate"], row["exception_message"] = error.sqlstate, str(error)
        row["exception_detail"] = "The trial is cancelled, too."
        row["exception_hint"] = "It takes as long as the command, up to job_timeout; statement_timeout must be longer."


def _tried(spi: Spi, row: dict[str, Any]) -> dict[str, Any]:
    _look_for_worker(spi)
    session = _session(spi, row["defined_by"])
    try:
        values = [row[name] for name in ("datname", "rolname", "job_command", "job_timeout")]
        values += [LOCK_TIMEOUT, row["settings"], row["parameters"], row["defined_by"], row["server"]]
        ((run,),) = session.rows(in_schemas(SUBMIT, spi.schema), values)
        try:
            return _answer(spi, session, run, row)
        except BaseException:
            session.rows(in_schemas(WITHDRAW, spi.schema), [run])
            raise
    except Lost as lost:
        raise UserError(
            "the session for the trial has ended", str(lost), "The server's log may say more.", "08006"
        ) from None
    finally:
        session.close()


@record(frozen=True)
class _Connections:
    """Those that the server has for ordinary roles, how many of them are in use, and how many are left to others."""

    most: int
    used: int
    spare: int

    @property
    def free(self) -> int:
        """How many sessions the worker could open now."""
        return self.most - self.used - self.spare


def _session(spi: Spi, role: str) -> OwnSession:
    """The session for a trial of a role, as soon as that leaves enough connections to others. Raises UserError
    (53300)."""
    began = time.monotonic()
    own_name = f"{SESSION_NAME} {server.role_oid(spi, role)}"
    while True:
        session = None
        with spi.subtransaction(keep=False):
            # One session after the other, so that each is counted before the next one is opened; the lock ends
            # with the subtransaction.
            spi.plpy.execute(in_schemas(ONE_BY_ONE, spi.schema))
            if _has_room(spi, own_name):
                session = own_session(spi.plpy, own_name, OWN_LOCK_TIMEOUT)
        if session is not None:
            return session
        if time.monotonic() - began > CONNECTION_TIMEOUT:
            raise _no_connection(spi)
        spi.plpy.execute(f"SELECT pg_sleep({CONNECTION_LOOK})")


def _has_room(spi: Spi, own_name: str) -> bool:
    connections = _connections(spi)
    if connections.free < CONNECTIONS_FOR_TRIAL:
        return False
    most = max(2, int(connections.most * TRIALS_SHARE))
    names = server.sessions_of_superusers(spi, SESSION_NAME)
    return len(names) < most and names.count(own_name) < int(most * ROLE_SHARE)


def _connections(spi: Spi) -> _Connections:
    spi.plpy.execute("SELECT pg_stat_clear_snapshot()")
    return _Connections(
        server.read(spi).max_connections, server.connections(spi), worker_setting.read(spi).spare_connections
    )


def _no_connection(spi: Spi) -> UserError:
    connections = _connections(spi)
    return UserError(
        "no connection is free to try the job",
        f"For {CONNECTION_TIMEOUT:g} seconds too many of the server's {connections.most} connections for ordinary "
        f"roles were in use; {connections.spare} are left to others, and trials take a quarter of them at most, those "
        "of one role an eighth.",
        "Try again when sessions have ended. An administrator can raise max_connections.",
        "53300",
    )


def _gate_error(spi: Spi, row: dict[str, Any]) -> UserError | None:
    """Why no session can be opened for now where the command is to run, though the server has connections."""
    if row["server"] is not None:
        return None
    database, role = Gate("pg_database", row["datname"]), Gate("pg_authid", row["rolname"])
    if database in server.locked_databases(spi):
        return UserError(
            f'database "{row["datname"]}" lets nobody in for the moment',
            "Somebody drops, renames or copies it.",
            "Try again when that has ended.",
            "55006",
        )
    room = server.room(spi, of_roles=worker_setting.read(spi).connect_as == "role")
    for gate, kind in ((database, "database"), (role, "role")):
        if room.get(gate, 1) <= 0:
            return UserError(
                "no connection is free to try the job",
                f'As many sessions as the CONNECTION LIMIT of {kind} "{gate.name}" allows were there for '
                f"{GATE_TIMEOUT:g} seconds.",
                "Try again when some have ended. An administrator can raise the limit.",
                "53300",
            )
    return None


def _answer(spi: Spi, session: OwnSession, run: str | None, row: dict[str, Any]) -> dict[str, Any]:
    pause, last = LOOK_AFTER
    had_room = was_open = time.monotonic()
    while True:
        for found in session.rows(in_schemas(LOOK, spi.schema), [run]):
            return dict(zip(ANSWER, found))
        # In the server's own way, so that it can be cancelled.
        spi.plpy.execute(f"SELECT pg_sleep({pause})")
        pause = min(pause * 1.5, last)
        if pause == last:
            _look_for_worker(spi)
            has_started = bool(session.rows(in_schemas(STARTED, spi.schema), [run]))
            if has_started or _connections(spi).free > 0:
                had_room = time.monotonic()
            elif time.monotonic() - had_room > CONNECTION_TIMEOUT:
                raise _no_connection(spi)
            error = None if has_started else _gate_error(spi, row)
            if error is None:
                was_open = time.monotonic()
            elif time.monotonic() - was_open > GATE_TIMEOUT:
                raise error


def _look_for_worker(spi: Spi) -> None:
    spi.plpy.execute("SELECT pg_stat_clear_snapshot()")
    if worker_state.worker_pid(spi) is None:
        raise UserError(
            "no worker runs",
            "It is the worker that tries a job.",
            f"A superuser starts it: SELECT {spi.schema}.start_worker();",
            "55000",
        )
    if worker_setting.read(spi).paused:
        raise UserError(
            "the scheduler is paused",
            "It starts nothing.",
            f"A superuser ends the pause: SELECT {spi.schema}.resume_jobs();",
            "55000",
        )
