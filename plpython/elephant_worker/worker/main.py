"""The procedure run_worker(): a session becomes the worker, or its spare until the worker ends."""

from __future__ import annotations

from typing import Any

from ..database import server, worker_state
from ..database.spi import Spi
from ..errors import UserError
from ..system import client_socket
from ..system.clock import Clock
from ..system.postmaster import exit_if_dead
from .launch import SPARE_NAME, SUCCESSOR_NAME
from .loop import Worker
from .spare import Spare, past_locks

# The statements of the loop read a few rows of large tables, whatever the statistics say. Nothing is sent to the
# client, which has gone, and no timeout stops the loop. (That of statements counts from their beginning.)
SESSION = {
    "search_path": "pg_catalog, pg_temp",
    "client_min_messages": "error",
    "client_connection_check_interval": "0",
    "transaction_timeout": "0",
    "statement_timeout": "0",
    "idle_session_timeout": "0",
    "lock_timeout": "1s",
    # If it and DROP EXTENSION wait for each other, it is the worker that finds out and gives way.
    "deadlock_timeout": "100ms",
    "idle_in_transaction_session_timeout": "0",
    "exit_on_error": "off",
    "session_replication_role": "origin",  # triggers tell it of changes
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "restrict_nonsystem_relation_kind": "",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_sort": "off",
    "enable_incremental_sort": "off",
    "jit": "off",
    "gin_fuzzy_search_limit": "0",  # all jobs that run after another are looked for
    "track_activities": "on",  # worker_status shows when it last looked around
    # The statements that make and renew runners have their secrets in them, and are new ones each time.
    "pg_stat_statements.track_utility": "off",
    "citus.enable_ddl_propagation": "off",  # runners are needed on this node only
    "log_min_error_statement": "panic",  # which would repeat CALL run_worker() each time
    "timezone": "UTC",
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "standard_conforming_strings": "on",
    "default_transaction_deferrable": "off",
}

# How long a promotion may take, and how often this is looked at.
PROMOTION_TIMEOUT = 60.0  # seconds
PROMOTION_POLL_INTERVAL = 0.02  # seconds

IN_A_TRANSACTION = UserError(
    "run_worker() cannot be executed in a transaction block",
    "It ends its transactions itself.",
    "Call it by itself, neither between BEGIN and COMMIT nor in a function.",
    "25001",
)


def _would_be_cut_short(timeout: str) -> UserError:
    """What has been counting since the statement began cannot be turned off by the statement."""
    return UserError(
        "run_worker() cannot be executed under statement_timeout",
        f"It is {timeout}, after which the worker would end.",
        "Turn it off for the session first: SET statement_timeout = 0;",
        "55000",
    )


def run(plpy: Any, schema: str, host: str, attended: bool) -> dict[str, Any]:
    """The procedure `run_worker_loop`: returns when the worker has ended, or why it cannot be the worker.

    Unattended, it becomes the spare if there is a worker, and nothing if there should be none; within the server, on a
    standby, it waits for the promotion first.
    """
    spi, clock = Spi(plpy, schema), Clock()
    try:
        before = {**spi.set_session(SESSION), "application_name": ""}
    except spi.exceptions.InvalidTransactionTermination:
        return {"user_error": IN_A_TRANSACTION.as_row()}
    except spi.Error as error:
        spi.rollback()
        return {"user_error": UserError.of(error).as_row()}
    if before["statement_timeout"] != "0":
        spi.set_session(before)
        return {"user_error": _would_be_cut_short(before["statement_timeout"]).as_row()}
    extension = server.extension(spi)
    if host == "session" and not attended:
        client_socket.replace()  # nobody waits for an answer, also if this becomes neither worker nor spare
    try:
        if host != "foreground" and not attended and not _is_promoted(spi, clock):
            return {"user_error": None}
        worker = worker_state.worker_pid(spi)
        if host == "foreground" and not worker_state.is_leaving(spi):
            worker = None  # a second one is refused
        spi.commit()
        spare = Spare(spi, clock)
        if worker is None or _be_spare(spi, spare, worker, host, attended):
            if worker is None:
                _register(spi, host, attended)
            else:  # only a person starts another worker after one has been stopped
                past_locks(spi, lambda: _register(spi, host, attended=False))
            past_locks(spi, lambda: Worker(spi, clock, host, spare.stalled_at)).work(follows=worker)
    except UserError as user_error:
        spi.rollback()
        return {"user_error": user_error.as_row() if attended else None}
    except spi.Error as error:
        spi.rollback()
        return {"user_error": UserError.of(error).as_row()}
    finally:
        spi.set_session(before)  # the session goes on, if somebody has called the procedure by hand
        if host != "foreground" and server.extension(spi) != extension:
            # Nothing can be returned by a procedure that is gone, also in a restore: PostgreSQL would write that into
            # its log.
            spi.set_session({"log_min_messages": "fatal"})
    return {"user_error": None}


def _is_promoted(spi: Spi, clock: Clock) -> bool:
    """Wait on a standby for the end of its promotion; returns whether that has come.

    What a worker needs has been loaded meanwhile. No snapshot is held, for which what is still to be replayed would
    have to wait.
    """
    began = clock.steady()
    while server.is_standby(spi):
        if not worker_state.is_armed(spi) or clock.steady() - began > PROMOTION_TIMEOUT:
            return False
        spi.commit()
        clock.sleep(PROMOTION_POLL_INTERVAL)
        exit_if_dead()
    spi.commit()  # a transaction that has begun on a standby stays read-only
    return True


def _register(spi: Spi, host: str, attended: bool) -> None:
    """Become the worker. Raises UserError (55006) if there is one, and (55000) if there should be none."""
    other = worker_state.register(spi, host, attended)
    if other is not None:
        raise UserError(
            "a worker is running already",
            f"Its process id is {other}.",
            f"SELECT {spi.schema}.stop_worker(); ends it.",
            "55006",
        )
    if not worker_state.is_registered(spi):
        raise UserError(
            "the worker has been stopped",
            "Nobody has started it again since, or nobody has in this cluster.",
            f"SELECT {spi.schema}.start_worker(); does.",
            "55000",
        )


def _be_spare(spi: Spi, spare: Spare, worker: int, host: str, attended: bool) -> bool:
    """Be the spare, or the successor of a worker that was told to stop; returns whether to be the worker now."""

    def announce(successor: bool) -> None:
        spi.set_session({"application_name": SUCCESSOR_NAME if successor else SPARE_NAME})
        if host == "session":
            client_socket.replace()

    try:
        return spare.wait(worker, attended, announce)
    except spi.Error:
        spi.rollback()
        if server.is_installed(spi):
            raise
        return False
