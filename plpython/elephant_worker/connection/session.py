"""A session of a job's role, in which commands run one after another.

Nothing here waits: each step is taken when the socket is ready for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timezone
from enum import Enum

from ..jobs.run import Cost, Outcome, Run, RunState, Target
from ..system.clock import Clock
from ..system.scheduling_policy import set_batch_policy
from .connecting import Connected, Connecting, NoConnectionLeft, Wait
from .login import Login
from .socket_transport import SocketTransport
from .transport import Answer, Lost, Statement, Transport

CONNECTION_HINT = "The server's log may say more."
LOGIN_HINT = "The server's log may say more, and check_setup() how to let the sessions of runs in."
# If no connection is left, others may have taken what was free when a run was claimed, so it tries again for a while.
CONNECT_AGAIN_AFTER = 0.2  # seconds
CONNECT_AGAIN_FOR = 5.0  # seconds
# For errors to which PostgreSQL gives none, although who wrote the command for psql could not expect them.
HINTS = {
    "25001": "Such a statement must be the only one of its command; a job with run_after can do the rest.",
    "2D000": "COMMIT and ROLLBACK work if CALL or DO is the only statement of the command, but not in a function, nor "
    "in a procedure that is SECURITY DEFINER or has SET.",
    "22021": "Text must be in the encoding of the database, see SHOW server_encoding; convert_from() reads others.",
    "22P05": "The encoding named last does not have this character; see also SHOW server_encoding.",
    "42P01": "A run has the search_path of its role and database, not that of your session; temporary tables end with "
    "the run.",
    "42P02": "The values of $1, $2 and so on are the parameters of the job.",
    "57P01": "The session was terminated, by pg_terminate_backend() or because the server was shut down.",
}

RESET = Statement(b"DISCARD ALL", ())
# Where serializable, read only and deferrable transactions are the default, one begins with a wait for others that
# write: what is no part of the command does not, nor does a trial, whose caller may be one of them.
BEGIN_SETUP = Statement(b"BEGIN ISOLATION LEVEL READ COMMITTED", ())
BEGIN_TRIAL = Statement(b"BEGIN NOT DEFERRABLE", ())
# Without it the command would be in the transaction of what goes before it, where not everything can be executed.
COMMIT = Statement(b"COMMIT", ())
# A session that was handed back may have changed the role; elsewhere it stays. The rest is for the command to read.
# Everything is qualified and no operator is used: the search_path is the role's or the database's,
# whose owner need not be who the run is for.
SETUP = b"""SELECT pg_catalog.set_config('application_name', $1, false),
    pg_catalog.set_config('elephant_worker.job_id', $2, false),
    pg_catalog.set_config('elephant_worker.run_id', $3, false),
    pg_catalog.set_config('elephant_worker.scheduled_at', $4, false),
    pg_catalog.set_config('elephant_worker.attempt', $5, false)"""
ROLE = b""",
    pg_catalog.set_config('role', $%d, false)"""
# Names are the same bytes in all databases, also in those of another encoding.
ROLE_IN_BYTES = b""",
    pg_catalog.set_config(
        'role', pg_catalog.convert_from($%d::pg_catalog.bytea, pg_catalog.getdatabaseencoding()), false)"""
# In this encoding a database takes and returns any bytes, as UTF-8 or not.
ANY_BYTES = b"SQL_ASCII"
AS_IT_IS = b""",
    pg_catalog.set_config('client_encoding', $%d, false)"""
# After the role, so that they are set with its rights.
SETTINGS = b""",
    (SELECT pg_catalog.count(pg_catalog.set_config(s.key, s.value, false))
     FROM pg_catalog.jsonb_each_text($%d::pg_catalog.jsonb) s)"""

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
NOTHING_TO_COME = (State.IDLE, State.USED, State.READY)
# In these it is about to answer, and executes no command.
ANSWER_TO_COME = (State.CONNECTING, State.PREPARING, State.RESETTING)


class OnLost(Enum):
    """When the run of a session that is lost gets another session, because nothing of its command was executed."""

    ALWAYS = "nothing of it has been sent"
    IF_KEPT = "the session had waited, and may have been ended since"
    IF_KEPT_AND_UNREAD = "so, and the server has not read the command"
    NEVER = "the run fails"


ON_LOST = {
    State.CONNECTING: OnLost.NEVER,
    State.IDLE: OnLost.ALWAYS,
    State.USED: OnLost.ALWAYS,
    State.RESETTING: OnLost.ALWAYS,
    State.PREPARING: OnLost.IF_KEPT,
    State.READY: OnLost.ALWAYS,
    State.RUNNING: OnLost.IF_KEPT_AND_UNREAD,
    State.CLOSED: OnLost.NEVER,
}


class Session:
    """One connection; `started` and `ended` are called when its run starts and ends, `measure` before and after."""

    def __init__(
        self,
        target: Target,
        login: Login,
        clock: Clock,
        started: Callable[[Run], None],
        ended: Callable[[Run, Outcome], None],
        measure: Callable[[int], Cost | None],
    ) -> None:
        self.target = target
        self.state = State.CONNECTING
        self.run: Run | None = None
        self.is_dismissed = False
        self.wait = Wait.WRITE
        self.more = False
        self.opened = clock.steady()
        self._clock = clock
        self._login = login
        self._started = started
        self._ended = ended
        self._measure = measure
        # Whether it had waited for its run, or was ready for it.
        self._kept = False
        # Whether what it has been sent last begins with resetting it.
        self._resets = False
        self._before: Cost | None = None
        self._lost: Lost | None = None
        # When it tries again to be let in, by the steady clock; infinite: it does not.
        self.connects_again = math.inf
        self.backend_pid = 0
        self._connected: Connected | None = None
        self._wire: Transport
        self._connecting = Connecting(login, asks_process=not login.to_postmaster)
        try:
            self._connect()  # perhaps at once: a server on a socket may have answered before it is looked at
        except Lost as lost:
            self._lost = lost
            self.wait = Wait.NOTHING

    @property
    def socket(self) -> int:
        return self._connecting.socket if self._connected is None else self._connected.stream.fileno()

    @property
    def version(self) -> str:
        """Of which version its login was when it was opened."""
        return self._login.version

    @property
    def connects_here(self) -> bool:
        return self.state is State.CONNECTING and self.target.server is None

    def leave(self) -> bool:
        waits = self.target.server is None and self.state in ANSWER_TO_COME and self.wait is not Wait.NOTHING
        return waits and self.run is None

    @property
    def address(self) -> dict[str, str]:
        """Where it is connected to, of the addresses that there may be; parameters of libpq."""
        return {} if self._connected is None else self._connected.address

    def start(self, run: Run) -> None:
        """Give the session its next run, for which it makes itself ready; what may start by then, starts."""
        self.run = run
        self._kept = self.state is not State.CONNECTING
        if self._lost is not None:
            self._end_connecting(self._lost)
        elif self.state in (State.IDLE, State.USED):
            self._prepare()

    def begin(self) -> None:
        """Send the command of a run for which the session is ready."""
        self._kept = True
        self._send([], with_command=True)

    def reset(self) -> None:
        """Make a used session as good as a new one."""
        self.state = State.RESETTING
        self._send([RESET])

    def step(self) -> None:
        """Do what can be done without waiting."""
        try:
            if self.state is State.CONNECTING:
                self._connect()
            else:
                self._receive()
        except Lost as lost:
            self._end_connecting(lost)
        if self.is_dismissed:
            self.dismiss()

    def connect_again(self) -> None:
        """Connect once more, where there was no connection left."""
        self.connects_again, self._lost = math.inf, None
        self.wait = Wait.WRITE
        self._connecting = Connecting(self._login, asks_process=not self._login.to_postmaster)
        self.step()

    def dismiss(self) -> None:
        """Take no more runs, and close as soon as this server does not log that as the loss of a client."""
        self.is_dismissed = True
        if not self.leave():
            self.close()

    def close(self) -> None:
        is_awaited = self.state in NOTHING_TO_COME
        self.state = State.CLOSED
        self.wait = Wait.NOTHING
        self.connects_again = math.inf
        self._connecting.close()
        if self._connected is not None:
            self._connected.close(politely=is_awaited)

    # --- steps ------------------------------------------------------------------------------

    def _connect(self) -> None:
        connected = self._connecting.step()
        self.wait, self.more = self._connecting.wait, self._connecting.more
        if connected is None:
            return
        self._connected = connected
        self.backend_pid = connected.backend_pid
        if self._login.to_postmaster:
            set_batch_policy(self.backend_pid)
        self._wire = SocketTransport(connected.stream, connected.rest)
        self.state = State.IDLE
        self.wait, self.more = Wait.READ, connected.stream.has_more()
        if self.run is not None:
            self._prepare()

    def _end_connecting(self, lost: Lost) -> None:
        """The connection is gone, or was never made; try again if there only was none left for the run."""
        steady = self._clock.steady()
        is_full = isinstance(lost, NoConnectionLeft) and steady - self.opened < CONNECT_AGAIN_FOR
        if is_full and self.state is State.CONNECTING and self.target.server is None and self.run is not None:
            self._connecting.close()
            self.wait, self.more = Wait.NOTHING, False
            self.connects_again = steady + CONNECT_AGAIN_AFTER
        else:
            self._lose(lost)

    def _prepare(self) -> None:
        """Send what goes before the command, and with it the command, if its time has come; to a used session also
        what resets it."""
        run = self.run
        assert run is not None
        self._resets = self.state is State.USED
        preparation = [RESET] if self._resets else []
        preparation += [BEGIN_SETUP, self._setup(run), COMMIT]
        if run.is_dry_run:
            preparation.append(BEGIN_TRIAL)
        self.state = State.PREPARING
        self._send(preparation, with_command=run.not_before <= self._clock.steady())

    def _setup(self, run: Run) -> Statement:
        """What a command may read of its run, and what is set for it."""
        role, settings = self._login.role, run.settings
        text = SETUP
        values = [
            b"elephant_worker job %d" % run.job_id,
            b"%d" % run.job_id,
            b"%d" % run.jl_id,
            datetime.fromtimestamp(run.scheduled_at, timezone.utc).isoformat(" ").encode(),
            b"%d" % run.attempt,
        ]
        given = [
            (ROLE_IN_BYTES, b"\\x" + role.hex().encode()) if role is not None and not role.isascii() else (ROLE, role),
            (AS_IT_IS, ANY_BYTES if self._server_encoding == ANY_BYTES else None),
            (SETTINGS, None if settings is None else settings.encode()),
        ]
        for part, value in given:
            if value is not None:
                values.append(value)
                text += part % len(values)
        return Statement(text, values)

    @property
    def _server_encoding(self) -> bytes:
        assert self._connected is not None
        return self._connected.server_encoding

    def _send(self, preparation: list[Statement], with_command: bool = False) -> None:
        run = self.run if with_command else None
        try:
            command = None if run is None else self._command(run)
            reads = run is not None and run.is_dry_run and run.parameters is None
            self._wire.send(preparation, command, self._begins, read_value=reads)
            self.wait = Wait.BOTH if self._wire.sending else Wait.READ
        except Lost as lost:
            self._lose(lost)

    def _command(self, run: Run) -> Statement:
        text = run.command.encode()
        if run.parameters is not None:
            return Statement(text, [None if value is None else value.encode() for value in run.parameters])
        return Statement(self._tried(text) if run.is_dry_run else text)

    def _begins(self) -> None:
        """The command is sent."""
        run = self.run
        assert run is not None
        self.state = State.RUNNING
        self._before = self._measure(self.backend_pid)
        run.started = self._clock.now()
        run.started_steady = self._clock.steady()
        self._started(run)

    @staticmethod
    def _tried(command: bytes) -> bytes:
        """The command in a form in which it cannot end the transaction that it is tried in."""
        block = TRIAL.replace(b"%s", _literal(command))
        return b"DO " + _literal(block) + b"; " + TRIED_ROWS

    def _receive(self) -> None:
        wire = self._wire
        answered = wire.receive()
        self.more = wire.more
        self.wait = Wait.BOTH if wire.sending else Wait.READ
        if answered and self.state not in NOTHING_TO_COME:
            self._answered(wire.answer)

    def _answered(self, answer: Answer) -> None:
        """The server has answered all of what was sent last."""
        run = self.run
        if answer.error is not None and (run is None or self.state is State.RESETTING):
            self.close()
        elif self.state is State.RESETTING:
            self.state = State.IDLE
            if run is not None:
                self._prepare()
        elif answer.unprepared is not None:
            self._end_unprepared(answer)
        elif self.state is State.RUNNING:
            self._end(self._outcome())
        else:
            self.state = State.READY
            if run is not None and run.not_before <= self._clock.steady():
                self.begin()

    def _end_unprepared(self, answer: Answer) -> None:
        """Something that goes before the command has failed; the command has not been executed."""
        run, outcome = self.run, self._outcome()
        assert run is not None
        run.started = None
        self.close()
        at_fault = answer.is_fatal or (self._resets and answer.unprepared == 0)
        if self._gets_another(run, at_fault, answer):
            return
        self.run = None
        self._ended(run, outcome)

    def _end(self, outcome: Outcome) -> None:
        run, answer = self.run, self._wire.answer
        assert run is not None
        self.run = None
        if self._before is not None:
            after = self._measure(self.backend_pid)
            run.cost = after.since(self._before) if after is not None else None
        # A cancellation on another server comes on its own connection, and so may come late.
        late = run.stopping is not None and self.target.server is not None
        # It has answered, and waits: where a transaction is open, it would log that its client was lost without a word.
        self.state = State.USED
        if run.is_dry_run or self._wire.spent or late or not answer.idle:
            self.close()
        if run.is_dry_run and outcome.state is RunState.SUCCEEDED:
            rows = outcome.row_count if answer.value is None else _number(answer.value)
            outcome = outcome._replace(command_tag=None, row_count=rows)
        elif not answer.idle and outcome.state is RunState.SUCCEEDED:
            outcome = Outcome(
                RunState.FAILED,
                "25000",
                message="the command left a transaction open, which has been rolled back",
                detail="It began a transaction block and did not end it.",
                hint="End it with COMMIT.",
                notices=outcome.notices,
            )
        self._ended(run, outcome)

    def _lose(self, lost: Lost) -> None:
        """The connection is gone, or was never made."""
        run, state, answer = self.run, self.state, Answer()
        if run is None:
            self.close()
            return
        if state in (State.PREPARING, State.RUNNING):
            self._wire.last_words()
            answer = self._wire.answer
        if answer.unprepared is not None:
            self._end_unprepared(answer)
            return
        self.close()
        rule = ON_LOST[state]
        unread = rule is OnLost.IF_KEPT or (rule is OnLost.IF_KEPT_AND_UNREAD and lost.unread)
        if rule is OnLost.ALWAYS or self._gets_another(run, unread, answer):
            run.started = None
            return
        if answer.error is not None:
            outcome = self._outcome()
        else:
            is_login_here = state is State.CONNECTING and self.target.server is None
            outcome = Outcome(
                RunState.FAILED,
                lost.sqlstate or ("08006" if state is State.RUNNING else "08001"),
                message=str(lost).strip(),
                detail=f"The session was for {run.target}.",
                hint=lost.hint or (LOGIN_HINT if is_login_here else CONNECTION_HINT),
                notices=_notices(answer),
            )
        self.run = None
        self._ended(run, outcome)

    def _gets_another(self, run: Run, if_kept: bool, answer: Answer) -> bool:
        """Whether the pool gives the run another session for this one; `if_kept`: it does if this one had waited."""
        return ((self._kept and if_kept) or answer.is_from_idle) and run.stopping is None

    # --- what the server says ---------------------------------------------------------------

    def _own_hint(self, sqlstate: str) -> str | None:
        if self.run is not None and self.run.is_dry_run and sqlstate in NOT_IN_A_TRIAL:
            return "A trial is one transaction, in which not every command can be executed; run_job() runs it as it is."
        with_parameters = self.run is not None and self.run.parameters is not None
        if with_parameters and sqlstate == "42601":
            return "A command with parameters is one statement."
        # A run that the worker stops has a hint that says so.
        return None if self.run is None or self.run.stopping is not None else HINTS.get(sqlstate)

    def _outcome(self) -> Outcome:
        answer = self._wire.answer
        error, tag = answer.error, answer.tag or b""
        if error is not None:
            sqlstate = error.get("C", "")
            return Outcome(
                RunState.FAILED,
                sqlstate,
                message=error.get("M"),
                detail=error.get("D"),
                hint=error.get("H") or self._own_hint(sqlstate),
                context=error.get("W"),
                notices=_notices(answer),
            )
        return Outcome(
            RunState.SUCCEEDED,
            "00000",
            command_tag=tag.decode(errors="backslashreplace") or None,
            row_count=_number(tag.rpartition(b" ")[2]),
            notices=_notices(answer),
        )


def _literal(text: bytes) -> bytes:
    """A text constant, whatever standard_conforming_strings is.

    >>> _literal(b"it's \\\\")
    b"E'it''s \\\\\\\\'"
    """
    return b"E'" + text.replace(b"\\", b"\\\\").replace(b"'", b"''") + b"'"


def _number(text: bytes) -> int | None:
    """A number of rows, as far as it is one that a bigint can hold."""
    return int(text) if text.isdigit() and len(text) < 19 else None


def _notices(answer: Answer) -> str | None:
    return answer.notices.decode(errors="backslashreplace").rstrip() or None if answer.notices else None
