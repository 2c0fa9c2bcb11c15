"""try_job(): a command is executed by the worker and rolled back, and whoever asked waits for how it went.

The worker sees only what is committed, and the transaction that asks cannot commit; so the request goes
through a session of its own to the same server. Whether it may be asked for has been checked before.
"""

from __future__ import annotations

from typing import Any

from ..connection.libpq import Connection, ExecStatus, OperationalError
from ..errors import UserError
from .launch import own_session

# Who asks may hold locks that the command wants, which no deadlock check sees.
LOCK_TIMEOUT = '{"lock_timeout": "10s"}'
# Seconds between looks for the answer: at first, and at the most.
LOOK_AFTER = (0.005, 0.25)

SUBMIT = """WITH made AS (
        INSERT INTO @extschema@.once_job
            (datname, rolname, job_command, job_timeout, settings, parameters, defined_by, server, schedule_set_at)
        VALUES ($1, $2, $3, $4::interval, $5::jsonb || coalesce($6, '{}')::jsonb, $7::jsonb, $8, $9, clock_timestamp())
        RETURNING job_id)
    INSERT INTO @extschema@.worker_request (kind, cause, job_id, requested_by)
    SELECT 'run', 'trial', m.job_id, $8 FROM made m RETURNING request_id"""
WITHDRAW = "INSERT INTO @extschema@.worker_request (kind, jl_id) VALUES ('cancel run', $1)"
LOOK = """SELECT state, job_sqlstate, exception_message, exception_detail, exception_hint, exception_context,
        row_count, notices, job_started, job_finished
    FROM @extschema@.job_log WHERE jl_id = $1 AND state <> 'running'"""


def try_now(plpy: Any, schema: str, row: dict[str, Any]) -> None:
    """The trigger `try_now`: complete the row with how the command went; without a state, why it was not tried."""
    try:
        row.update(_tried(plpy, schema, row))
    except UserError as user_error:
        row["job_sqlstate"], row["exception_message"] = user_error.sqlstate, user_error.message
        row["exception_detail"], row["exception_hint"] = user_error.detail, user_error.hint


def _tried(plpy: Any, schema: str, row: dict[str, Any]) -> dict[str, Any]:
    _look_for_worker(plpy, schema)
    session = own_session(plpy, application_name="elephant_worker trial")
    try:
        values = [row[name] for name in ("datname", "rolname", "job_command", "job_timeout")]
        values += [LOCK_TIMEOUT, row["settings"], row["parameters"], row["defined_by"], row["server"]]
        run = _rows(session, SUBMIT.replace("@extschema@", schema), values)[0]["request_id"]
        try:
            return _answer(plpy, schema, session, run)
        except BaseException:
            _rows(session, WITHDRAW.replace("@extschema@", schema), [run])
            raise
    except OperationalError as error:
        raise UserError(
            "the session for the trial has been lost", str(error).strip(), "The server's log may say more.", "08006"
        ) from None
    finally:
        session.finish()


def _answer(plpy: Any, schema: str, session: Connection, run: str | None) -> dict[str, Any]:
    pause, last = LOOK_AFTER
    while True:
        for found in _rows(session, LOOK.replace("@extschema@", schema), [run]):
            return found
        # In the server's own way, so that it can be cancelled.
        plpy.execute(f"SELECT pg_sleep({pause})")
        pause = min(pause * 1.5, last)
        if pause == last:
            _look_for_worker(plpy, schema)


def _look_for_worker(plpy: Any, schema: str) -> None:
    plpy.execute("SELECT pg_stat_clear_snapshot()")
    state = plpy.execute(
        f"""SELECT {schema}.worker_pid() AS pid, s.paused_since IS NOT NULL AS paused
            FROM {schema}.worker_setting s"""  # noqa: S608 - the schema of the extension, which PostgreSQL has quoted
    )[0]
    if state["pid"] is None:
        raise UserError(
            "no worker runs", "It is the worker that tries a job.", "SELECT start_worker(); starts it.", "55000"
        )
    if state["paused"]:
        raise UserError(
            "the scheduler is paused", "It starts nothing.", "SELECT resume_jobs(); ends the pause.", "55000"
        )


def _rows(session: Connection, statement: str, values: list[Any]) -> list[dict[str, str | None]]:
    result = session.exec_params(
        statement.encode(), [None if value is None else str(value).encode() for value in values]
    )
    if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        raise OperationalError(result.get_error_message())
    names = [(result.fname(column) or b"").decode() for column in range(result.nfields)]
    rows = [[result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples)]
    return [dict(zip(names, [None if cell is None else cell.decode() for cell in row])) for row in rows]
