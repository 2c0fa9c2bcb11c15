"""A session of a job's role, in which commands run one after another.

Nothing here waits: each step is taken when the socket is ready for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum

from .clock import Clock
from .libpq import (
    ConnStatus,
    DiagnosticField,
    Escaping,
    ExecStatus,
    Login,
    OperationalError,
    PGconn,
    PollingStatus,
    Result,
    TransactionStatus,
)
from .memory import Ceiling, unread
from .run import Cost, Outcome, Place, Run

NOTICE_BYTES = 8192
# How many results are taken in one step: a command that returns millions of rows must not keep
# the others waiting.
RESULTS_PER_STEP = 500
# A session that has returned a row of more bytes than this is not kept.
BULKY = 1024 * 1024
# The server sends 8 kB at once where it has more: less than this cannot begin a large row.
SMALL = 4096
CONNECTION_HINT = (
    "The server's log may say more. Rows of more than 16 MB cannot be received; nobody reads what a run returns."
)

RESET = b"DISCARD ALL"
# role: a session that was handed back may have changed it; elsewhere it stays. The rest is for the command to read.
# Everything is qualified and no operator is used: the search_path is the role's or the database's,
# whose owner need not be who the run is for.
SETUP = b"""SELECT pg_catalog.set_config('role', coalesce($1, pg_catalog.current_setting('role')), false),
    pg_catalog.set_config('application_name', pg_catalog.concat('elephant_worker job ', $2::pg_catalog.int8), false),
    pg_catalog.set_config('elephant_worker.job_id', pg_catalog.concat($2), false),
    pg_catalog.set_config('elephant_worker.run_id', $3, false),
    pg_catalog.set_config(
        'elephant_worker.scheduled_at', pg_catalog.concat(pg_catalog.to_timestamp($4::pg_catalog.float8)), false),
    pg_catalog.set_config('elephant_worker.attempt', $5, false)"""
# After the role, so that they are set with its rights.
SETTINGS = b""",
    (SELECT pg_catalog.count(pg_catalog.set_config(s.key, s.value, false))
     FROM pg_catalog.jsonb_each_text($6::pg_catalog.jsonb) s)"""

# How a command is tried that may be several statements.
TRIAL = b"""DECLARE
    number pg_catalog.int8;
BEGIN
    EXECUTE %s;
    GET DIAGNOSTICS number = ROW_COUNT;
    SET CONSTRAINTS ALL IMMEDIATE;
    PERFORM pg_catalog.set_config('elephant_worker.row_count', number::pg_catalog.text, false);
END"""
TRIED_ROWS = b"SELECT pg_catalog.current_setting('elephant_worker.row_count')"
# What is said of commands that want to begin or end transactions, or to be in none.
NOT_IN_A_TRIAL = {"0A000", "25001", "2D000"}


# Of a server that lets in without a password who must have one: reason, SQLSTATE, hint.
UNASKED = (
    "the server did not ask for the password",
    "2F003",
    "Its pg_hba.conf must ask this user for one, or a superuser set password_required = false in the mapping.",
)


class State(Enum):
    CONNECTING = "connecting"
    IDLE = "idle"
    USED = "used"
    PREPARING = "preparing"
    READY = "ready"
    RUNNING = "running"
    RESETTING = "resetting"
    CLOSED = "closed"


# In these states the server has answered all that was sent.
NOTHING_TO_COME = (State.IDLE, State.USED, State.READY, State.CLOSED)


class Wait(Enum):
    """What a session waits for."""

    READ = "read"
    WRITE = "write"
    BOTH = "both"
    NOTHING = "nothing"


class Session:
    """One connection; `started` and `ended` are called when its run starts and ends, `measure` before and after."""

    def __init__(
        self,
        place: Place,
        login: Login,
        clock: Clock,
        started: Callable[[Run], None],
        ended: Callable[[Run, Outcome], None],
        measure: Callable[[int], Cost | None],
        ceiling: Ceiling,
    ) -> None:
        self.place = place
        self.state = State.CONNECTING
        self.run: Run | None = None
        self.wait = Wait.WRITE
        self.more = False
        self.opened = clock.steady()
        self._clock = clock
        self._login = login
        self._used = False
        self._in_pipeline = False
        self._was_reset = False
        self._started = started
        self._ended = ended
        self._measure = measure
        self._ceiling = ceiling
        # How many bytes have come since the last result, and whether one was so large that libpq
        # keeps much memory for the next one.
        self._arrived = 0
        self._bulky = False
        self._before: Cost | None = None
        self._error: Result | None = None
        self._done: Result | None = None
        self._lost = ""
        self._tried_rows: int | None = None
        self._notices = bytearray()
        self._connection = PGconn.connect_start(login.conninfo.encode())
        # Once it is connected it stays the same.
        self._socket: int | None = None
        if self._connection.status == ConnStatus.BAD:
            self._lost = self._connection.get_error_message()

    @property
    def socket(self) -> int:
        return self._connection.socket if self._socket is None else self._socket

    @property
    def address(self) -> dict[str, str]:
        """Where it is connected to, of the addresses that there may be; parameters of libpq."""
        connection = self._connection
        parts = {"host": connection.host, "hostaddr": connection.hostaddr, "port": connection.port}
        return {name: value.decode() for name, value in parts.items()}

    @property
    def backend_pid(self) -> int:
        return self._connection.backend_pid

    def start(self, run: Run) -> None:
        """Give the session its next run, for which it makes itself ready; what may start by then, starts."""
        self.run = run
        if self._lost:
            self._lose(self._lost)
        elif self.state in (State.IDLE, State.USED):
            self._prepare()

    def begin(self) -> None:
        """Send the command of a run for which the session is ready."""
        try:
            self._begin_command()
        except OperationalError as error:
            self._lose(str(error))

    def reset(self) -> None:
        """Make a used session as good as a new one."""
        try:
            self._reset()
        except OperationalError as error:
            self._lose(str(error))

    def step(self) -> None:
        """Do what can be done without waiting."""
        self.more = False
        try:
            if self.state is State.CONNECTING:
                self._connect()
            else:
                self._receive()
        except OperationalError as error:
            self._lose(str(error))

    def close(self) -> None:
        self.state = State.CLOSED
        self.wait = Wait.NOTHING
        self._connection.finish()

    # --- steps ------------------------------------------------------------------------------

    def _connect(self) -> None:
        status = self._connection.connect_poll()
        if status == PollingStatus.READING:
            self.wait = Wait.READ
        elif status == PollingStatus.WRITING:
            self.wait = Wait.WRITE
        elif status == PollingStatus.OK and not self._login.accepts(self._connection):
            self._lose(*UNASKED)
        elif status == PollingStatus.OK:
            self._connection.nonblocking = 1
            self._socket = self._connection.socket
            self._connection.notice_handler = self._notice
            self.state = State.IDLE
            self.wait = Wait.READ
            if self.run is not None:
                self._prepare()
        else:
            raise OperationalError(self._connection.get_error_message())

    def _prepare(self) -> None:
        """Send what goes before the command; to a used session in one go with what resets it."""
        run = self.run
        assert run is not None
        connection, used = self._connection, self.state is State.USED
        self.state = State.PREPARING
        self._clear()
        role = run.place.rolname if run.place.server is None else None
        setup, values = SETUP, [role, run.job_id, run.jl_id, f"{run.scheduled_at:.6f}", run.attempt]
        if run.settings is not None:
            setup, values = SETUP + SETTINGS, [*values, run.settings]
        try:
            if used:
                connection.enter_pipeline_mode()
                connection.send_query_params(RESET, None)
                self._in_pipeline, self._was_reset = True, False
            connection.send_query_params(setup, [None if value is None else str(value).encode() for value in values])
            if used:
                connection.pipeline_sync()
            self._flush()
        except OperationalError as error:
            self._lose(str(error))

    def _begin_command(self) -> None:
        outside = self._connection.transaction_status == TransactionStatus.IDLE
        if self.run is not None and self.run.is_trial and outside:
            self._clear()
            self._connection.send_query(b"BEGIN")
            self._flush()
        else:
            self._send_command()

    def _send_command(self) -> None:
        run = self.run
        assert run is not None
        self.state = State.RUNNING
        self._clear()
        self._before = self._measure(self.backend_pid)
        run.started = self._clock.now()
        run.started_steady = self._clock.steady()
        self._used = True
        if run.parameters is None:
            self._connection.send_query(self._tried(run.command) if run.is_trial else run.command.encode())
        else:
            values = [None if value is None else value.encode() for value in run.parameters]
            self._connection.send_query_params(run.command.encode(), values)
        self._connection.set_single_row_mode()
        self._flush()
        self._started(run)

    def _tried(self, command: str) -> bytes:
        """The command in a form in which it cannot end the transaction that it is tried in."""
        escaping = Escaping(self._connection)
        block = TRIAL.replace(b"%s", escaping.escape_literal(command.encode()))
        return b"DO " + escaping.escape_literal(block) + b"; " + TRIED_ROWS

    def _reset(self) -> None:
        self.state = State.RESETTING
        self._clear()
        self._connection.send_query(RESET)
        self._flush()

    def _flush(self) -> None:
        self.wait = Wait.BOTH if self._connection.flush() else Wait.READ

    def _receive(self) -> None:
        if self.state is State.RUNNING:
            self._arrived += unread(self.socket)
        if self._arrived > SMALL:
            with self._ceiling:
                self._take_in()
        else:
            self._take_in()

    def _take_in(self) -> None:
        connection = self._connection
        if self.wait is Wait.BOTH:
            self._flush()
        connection.consume_input()
        while connection.notifies():
            pass  # a command may LISTEN; nobody is there to be told
        for _ in range(RESULTS_PER_STEP):
            if self.state in NOTHING_TO_COME or connection.is_busy():
                return
            result = connection.get_result()
            self._bulky = self._bulky or self._arrived > BULKY
            self._arrived = 0
            if result is None:
                self._next_answer()
            elif result.status == ExecStatus.PIPELINE_SYNC:
                self._in_pipeline = False
                connection.exit_pipeline_mode()
                self._complete()
            else:
                self._result(result)
        self.more = True

    def _result(self, result: Result) -> None:
        status = result.status
        if status in (ExecStatus.SINGLE_TUPLE, ExecStatus.EMPTY_QUERY):
            if self.run is not None and self.run.is_trial and self.run.parameters is None:
                self._tried_rows = int(result.get_value(0, 0) or 0)
            return
        if status in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
            self._done = result
        elif status == ExecStatus.COPY_IN:
            self._connection.put_copy_end(b"a job has no input to copy from")
            self._flush()
        elif status == ExecStatus.COPY_OUT:
            self._discard_copy()
        elif self._error is None:
            self._error = result

    def _next_answer(self) -> None:
        """The server has answered one query."""
        if not self._in_pipeline:
            self._complete()
        elif self._error is not None and not self._was_reset:
            self.close()  # the run gets another session
        else:
            self._was_reset = True

    def _discard_copy(self) -> None:
        for _ in range(RESULTS_PER_STEP):
            size, _data = self._connection.get_copy_data(1)
            if size <= 0:
                return
        self.more = True

    def _complete(self) -> None:
        """The server has answered all of what was sent last."""
        if self._connection.status == ConnStatus.BAD:
            raise OperationalError(self._connection.get_error_message())
        if self.state is State.PREPARING:
            if self._error is not None:
                self._end(self._outcome())
            elif self.run is not None and self.run.not_before > self._clock.steady():
                self.state = State.READY
            else:
                self._begin_command()
        elif self.state is State.RUNNING:
            self._end(self._outcome())
        elif self._error is not None:  # it could not be reset
            self.close()
        else:
            self.state = State.IDLE
            if self.run is not None:
                self._prepare()

    def _end(self, outcome: Outcome) -> None:
        run = self.run
        assert run is not None
        self.run = None
        if self._before is not None and self.state is State.RUNNING:
            after = self._measure(self.backend_pid)
            run.cost = after.since(self._before) if after is not None else None
        clean = self._connection.transaction_status == TransactionStatus.IDLE
        if run.is_trial:
            clean = False  # its end is the session's
            if outcome.state == "succeeded":
                outcome = replace(outcome, command_tag=None, row_count=self._tried_rows or outcome.row_count)
        if not clean:
            self.close()
            if outcome.state == "succeeded" and not run.is_trial:
                outcome = Outcome(
                    "failed",
                    "25000",
                    message="the command left a transaction open, which has been rolled back",
                    detail="It began a transaction block and did not end it.",
                    hint="End it with COMMIT.",
                    notices=outcome.notices,
                )
        elif self._bulky:
            self.close()
        else:
            self.state = State.USED
        self._ended(run, outcome)

    def _lose(self, reason: str, sqlstate: str | None = None, hint: str = CONNECTION_HINT) -> None:
        """The connection is gone, or was never made."""
        if self.state in (State.PREPARING, State.RUNNING):
            self._last_words()
        run, outcome = self.run, self._outcome()
        connecting = self.state is not State.RUNNING
        waiting = self.state in (State.IDLE, State.USED, State.READY, State.RESETTING)
        not_begun = waiting or (self.state is State.PREPARING and self._used)
        self.close()
        if run is None or not_begun:
            return  # a run that it has not begun can have another session
        self.run = None
        if outcome.state == "succeeded":
            outcome = Outcome(
                "failed",
                sqlstate or ("08001" if connecting else "08006"),
                message=reason.strip(),
                detail=f"The session was for {run.place}.",
                hint=hint,
                notices=outcome.notices,
            )
        self._ended(run, outcome)

    def _last_words(self) -> None:
        """What the server said before the connection broke."""
        while self._error is None and (result := self._connection.get_result()) is not None:
            if result.error_field(DiagnosticField.SQLSTATE) is not None:
                self._error = result
            elif result.status == ExecStatus.FATAL_ERROR:
                return

    # --- what the server says ---------------------------------------------------------------

    def _clear(self) -> None:
        self._error = None
        self._done = None
        self._notices.clear()

    def _notice(self, result: Result) -> None:
        if self.state is not State.RUNNING:
            return
        room = NOTICE_BYTES - len(self._notices)
        if room > 0:
            self._notices += result.error_message[:room]

    def _own_hint(self, error: Result) -> str | None:
        sqlstate = _field(error, DiagnosticField.SQLSTATE)
        if sqlstate is None:
            return CONNECTION_HINT
        if self.run is not None and self.run.is_trial and sqlstate in NOT_IN_A_TRIAL:
            return "A trial is one transaction, in which not every command can be executed; run_job() runs it as it is."
        with_parameters = self.run is not None and self.run.parameters is not None
        return "A command with parameters is one statement." if with_parameters and sqlstate == "42601" else None

    def _outcome(self) -> Outcome:
        notices = self._notices.decode(errors="replace").rstrip() or None
        error = self._error
        if error is not None:
            return Outcome(
                "failed",
                _field(error, DiagnosticField.SQLSTATE) or "08006",
                message=_field(error, DiagnosticField.MESSAGE_PRIMARY) or error.get_error_message(),
                detail=_field(error, DiagnosticField.MESSAGE_DETAIL),
                hint=_field(error, DiagnosticField.MESSAGE_HINT) or self._own_hint(error),
                context=_field(error, DiagnosticField.CONTEXT),
                notices=notices,
            )
        done = self._done
        return Outcome(
            "succeeded",
            "00000",
            command_tag=(done.command_status or b"").decode() or None if done else None,
            row_count=done.command_tuples if done else None,
            notices=notices,
        )


def _field(result: Result, field: DiagnosticField) -> str | None:
    value = result.error_field(field)
    return value.decode(errors="replace") if value is not None else None
