"""The sessions of the worker: which there are, what each waits for, and which takes a run."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from ..jobs.run import Cost, Gate, Names, Outcome, Run, RunState, Target, gates
from ..system.clock import STALL, TIMER_SLACK, Clock
from ..system.process_usage import reading
from ..system.scheduling_policy import yield_processor
from .connecting import Wait
from .login import Login
from .poller import Poller, Socket
from .session import Session, State

# For this long the steps that need no waiting are taken one after another, before what has ended is logged: the more
# runs a transaction logs, the less each of them costs.
GATHERING = 0.001  # seconds
# For this long sockets are served before the server is called in between. Whatever other servers send, no run starts
# later than by this and one step.
LONGEST_TURN = 0.02  # seconds
# How often a run gets another session for one that was lost before the command could be sent.
MOST_SESSIONS = 5  # sessions
# A used session is reset after this time, even if it may be given another run soon.
RESET_AFTER = 0.05  # seconds


class Pool:
    """Runs get an idle session of their target, or a new one."""

    def __init__(self, poller: Poller, clock: Clock, login: Callable[[Target], Login]) -> None:
        self._poller = poller
        # How long an idle session is kept, and how long a session is used.
        self.idle_timeout = 0.0  # seconds
        self.lifetime = 0.0  # seconds
        self.max_idle = 0  # sessions
        # How long after a stall no command is sent.
        self.pause_after_stall = 0.0  # seconds
        self._clock = clock
        # For which roles and in which databases of this server no session is kept.
        self._left_gates: frozenset[Gate] = frozenset()
        # Whether to measure what runs cost.
        self.track_usage = False
        # Whether runs wait for others to end.
        self.saturated = False
        self._login = login
        self._sessions: set[Session] = set()
        # The idle sessions and since when they are, the longest first; by target, the one used last at the end; and
        # how many there are of each role, database and server.
        self._idle: dict[Session, float] = {}
        self._free: dict[Target, list[Session]] = defaultdict(list)
        self._idle_count: Counter[Names] = Counter()
        self._active: dict[int, Session] = {}
        self._started: list[Run] = []
        self._restarted: list[Run] = []
        # Of active runs, how many sessions have been lost before the command could be sent.
        self._sessions_lost: Counter[int] = Counter()
        # The sockets for which there was no time in the last turn.
        self._left: list[Socket] = []
        self._ended: list[Run] = []

    # --- what there is ----------------------------------------------------------------------

    @property
    def active(self) -> int:
        """How many runs have a session and have not ended."""
        return len(self._active)

    @property
    def connecting(self) -> int:
        """How many sessions, those of the worker's own among them, are being opened on this server."""
        waiting = sum(session.connects_again < math.inf for session in self._active.values())
        return self._poller.connecting + waiting

    @property
    def connecting_elsewhere(self) -> int:
        """How many runs wait for a session on another server."""
        return sum(
            session.state is State.CONNECTING and session.target.server is not None for session in self._active.values()
        )

    def idle_sessions(self) -> Counter[Names]:
        """How many sessions wait for a run, by role, database and server."""
        return self._idle_count.copy()

    @property
    def keeps_sessions(self) -> bool:
        """Whether any session waits for a run."""
        return bool(self._idle)

    def idle_behind(self, gate: Gate) -> int:
        """How many sessions of a role, or in a database, of this server wait for a run."""
        return sum(count for names, count in self._idle_count.items() if gate in gates(names))

    def connecting_through(self, gate: Gate) -> int:
        """How many sessions of a role, or in a database, of this server are being opened."""
        return sum(session.connects_here and gate in gates(session.target.names) for session in self._sessions)

    def idle_by_target(self) -> dict[Target, int]:
        """How many sessions wait for a run."""
        return {target: len(sessions) for target, sessions in self._free.items()}

    def runs(self) -> Iterator[Run]:
        """The active runs."""
        return (session.run for session in self._active.values() if session.run is not None)

    def sessions(self) -> set[int]:
        """The processes of all sessions that are open."""
        return {session.backend_pid for session in self._sessions if session.state is not State.CONNECTING}

    def backend(self, run: Run) -> int | None:
        """The process that executes an active run, once its session is connected."""
        session = self._active.get(run.jl_id)
        return None if session is None or session.state is State.CONNECTING else session.backend_pid

    def address(self, run: Run) -> dict[str, str]:
        """Where the session of an active run is connected to."""
        return self._active[run.jl_id].address

    def needs_session(self, targets: list[Target]) -> list[Target]:
        """Those of the targets whose runs need a new session."""
        needed = []
        for target, count in Counter(targets).items():
            needed += [target] * (count - len(self._free.get(target, ())))
        return needed

    # --- runs -------------------------------------------------------------------------------

    def start(self, run: Run, fresh: bool = False) -> None:
        """Give the run a session, or a new one; what becomes of it, take_started() and take_ended() will tell."""
        free = self._free.get(run.target)
        if free and not fresh:
            session = free[-1]
            self._take_free(session)
        else:
            try:
                session = self._open(run.target)
            except Exception as error:
                self._end(run, _defect(error))
                return
        self._active[run.jl_id] = session
        self._do(session, lambda: session.start(run))

    def open(self, target: Target) -> None:
        """Have a session wait for a run. If it does not get connected, the run will say so."""
        with suppress(Exception):
            session = self._open(target)
            self._set_free(session)
            self._do(session, lambda: None)

    def _open(self, target: Target) -> Session:
        def measure(backend: int) -> Cost | None:
            return reading(backend) if self.track_usage and target.server is None else None

        session = Session(
            target,
            self._login(target),
            self._clock,
            self._started.append,
            self._run_ended,
            measure,
        )
        self._sessions.add(session)
        return session

    def _set_free(self, session: Session) -> None:
        self._idle[session] = self._clock.steady()
        self._free[session.target].append(session)
        self._idle_count[session.target.names] += 1

    def _take_free(self, session: Session) -> None:
        target = session.target
        del self._idle[session]
        self._free[target].remove(session)
        self._idle_count[target.names] -= 1
        if not self._free[target]:
            del self._free[target]
        if not self._idle_count[target.names]:
            del self._idle_count[target.names]

    def take_started(self) -> list[Run]:
        """The runs whose command has been sent since this was last asked."""
        return _emptied(self._started)

    def take_restarted(self) -> list[Run]:
        """The runs that have been given another session since this was last asked."""
        return _emptied(self._restarted)

    def take_ended(self) -> list[Run]:
        """The runs that have ended since this was last asked."""
        return _emptied(self._ended)

    def abandon(self, run: Run, outcome: Outcome, hangs: bool = False) -> None:
        """End a run whose session does not execute its command yet; `hangs`: and which may never do so."""
        session = self._active[run.jl_id]
        self._run_ended(run, outcome)
        self._close(session, hangs)

    def _run_ended(self, run: Run, outcome: Outcome) -> None:
        del self._active[run.jl_id]
        self._end(run, outcome)

    def _end(self, run: Run, outcome: Outcome) -> None:
        self._sessions_lost.pop(run.jl_id, None)
        run.end(outcome, self._clock.now())
        self._ended.append(run)

    # --- sessions ---------------------------------------------------------------------------

    def turn(self, seconds: float) -> None:
        """Wait at most this many seconds for something to do, and do it."""
        left, self._left = self._left, []
        until_begin = max(0.0, self._until_begin() - TIMER_SLACK)
        wait = 0.0 if left else min(seconds, until_begin, self._reset_used(), self._connect_again())
        waited = self._clock.steady()
        ready = self._poller.ready(wait)
        begun = self._clock.steady()
        if begun - waited >= wait + STALL:
            self.hold_until(begun + self.pause_after_stall)
        until = begun + min(GATHERING, self._until_begin())
        # Those for which there was no time go first.
        ready = left + [socket for socket in ready if socket not in left] if left else ready
        while ready:
            for number, socket in enumerate(ready):
                if socket.wait is Wait.NOTHING:
                    continue  # it has ended since
                if isinstance(socket, Session):
                    self._do(socket, socket.step)
                else:
                    socket.step()
                    self._poller.watch(socket)
                if self._clock.steady() - begun >= LONGEST_TURN:
                    self._left = ready[number + 1 :]
                    break
            ready = self._poller.ready(0.0) if self._clock.steady() < until else []
        self._begin()

    def _reset_used(self) -> float:
        """Reset the sessions that have been used, so that they keep nothing of their runs and are ready for the
        next. While runs wait for a session, they are given some time to be reset together with the beginning of
        one, which takes half as long. Returns the seconds that the others have."""
        steady = self._clock.steady()
        for session, since in list(self._idle.items()):
            if session.state is State.USED:
                if self.saturated and steady - since < RESET_AFTER:
                    return since + RESET_AFTER - steady
                self._do(session, session.reset)
        return math.inf

    def _connect_again(self) -> float:
        """Connect the sessions once more for which no connection was left. Returns the seconds that the others have."""
        steady = self._clock.steady()
        for session in [session for session in self._active.values() if session.connects_again <= steady]:
            self._let_in(session)
        return max(0.0, min((session.connects_again for session in self._active.values()), default=math.inf) - steady)

    def _let_in(self, session: Session) -> None:
        """Give the run of a session for which no connection was left one that is free by now, or give up another one
        for it."""
        run, target = session.run, session.target
        if run is not None and self._free.get(target):
            self._close(session)
            self.start(run)
            return
        self.close_free(1, target)
        self._do(session, session.connect_again)

    def _held(self) -> list[tuple[Session, Run]]:
        """The sessions that are ready for a run which is not to start yet, in the order in which they got it."""
        return [
            (session, session.run)
            for session in self._active.values()
            if session.state is State.READY and session.run is not None
        ]

    def _until_begin(self) -> float:
        """Seconds until the first of the held runs is to start."""
        return max(0.0, min((run.not_before for _, run in self._held()), default=math.inf) - self._clock.steady())

    def hold_until(self, moment: float) -> None:
        """Send at this moment what has not been sent yet, neither before nor later."""
        for run in self.runs():
            if run.started is None:
                run.not_before = moment

    def _begin(self) -> None:
        """Start those of the held runs whose moment has come, or comes so soon that a wait would miss it."""
        held = self._held()
        until_first = min((run.not_before for _, run in held), default=math.inf) - self._clock.steady()
        if 0.0 < until_first <= 2 * TIMER_SLACK:
            self._clock.spin(until_first)
        steady = self._clock.steady()
        due = [session for session, run in held if run.not_before <= steady]
        for session in due:
            self._do(session, session.begin)
        if due and not self.saturated:
            yield_processor()  # their processes do not take it from this one

    def _do(self, session: Session, step: Callable[[], None]) -> None:
        """Let a session take a step; a defect there ends its run and the session, not the worker."""
        try:
            step()
            self._poller.watch(session)
        except Exception as error:
            run, session.run = session.run, None
            session.close()
            self._poller.watch(session)
            if run is not None and run.jl_id in self._active:
                self._run_ended(run, _defect(error))
        self._after_step(session)

    def _after_step(self, session: Session) -> None:
        if session.state is State.CLOSED:
            self._remove(session)
            if session.run is not None:  # which it had not begun
                run, session.run = session.run, None
                self._sessions_lost[run.jl_id] += 1
                if self._sessions_lost[run.jl_id] >= MOST_SESSIONS:
                    self._run_ended(run, _lost_too_often(run))
                    return
                del self._active[run.jl_id]
                self._restarted.append(run)
                self.start(run, fresh=True)  # if one has ended, others may have, too
        elif session.run is None and session not in self._idle and not session.is_dismissed:
            if self._clock.steady() - session.opened >= self.lifetime or self._is_left(session):
                self._close(session)
            else:
                self._set_free(session)

    def _remove(self, session: Session) -> None:
        self._sessions.remove(session)
        if session in self._idle:
            self._take_free(session)

    def close_idle(self) -> float:
        """Close the free sessions that have been kept long enough, and the oldest where there are
        too many. Returns the seconds until the next one is due to be closed."""
        now = self._clock.steady()
        while self._idle:
            session, since = next(iter(self._idle.items()))
            if len(self._idle) <= self.max_idle and now - since < self.idle_timeout:
                return since + self.idle_timeout - now
            self._close(session)
        return math.inf

    def leave(self, closed: frozenset[Gate]) -> None:
        """Keep no session of these roles, or in these databases, of this server, only all others."""
        self._left_gates = closed
        for session in [session for session in self._idle if self._is_left(session)]:
            self._close(session)

    def _is_left(self, session: Session) -> bool:
        return bool(self._left_gates) and not self._left_gates.isdisjoint(gates(session.target.names))

    def close_free(self, count: int, wanted: Target | None = None) -> None:
        """Give up connections for others: those of the sessions that have waited longest for a run; first those of the
        role or the database of the wanted one, since these may have limits of their own."""
        here = [session for session in self._idle if session.target.server is None]
        if wanted is not None:
            here.sort(key=lambda s: s.target.role_oid != wanted.role_oid and s.target.datname != wanted.datname)
        for session in here[:count]:
            self._close(session)

    def replace_sessions(self, target: Target | None = None) -> None:
        """Have new sessions take the place of all that there are, once their runs have ended; or of those of
        the same role on the same server."""
        for session in list(self._sessions):
            if target and (target.role_oid, target.server) != (session.target.role_oid, session.target.server):
                continue
            self._replace(session)

    def _replace(self, session: Session) -> None:
        session.opened = -math.inf
        if session in self._idle:
            self._close(session)

    def roles_here(self) -> set[int]:
        """The roles that have sessions on this server."""
        return {session.target.role_oid for session in self._sessions if session.target.server is None}

    def replace_outdated(self, versions: Mapping[int, str]) -> None:
        """The same for sessions on this server of roles whose logins have another version by now."""
        for session in list(self._sessions):
            target = session.target
            if target.server is None and versions.get(target.role_oid, session.version) != session.version:
                self._replace(session)

    def close_all(self) -> None:
        """Close all sessions; active runs are cut off."""
        for session in list(self._sessions):
            self._close(session, at_once=True)
        self._active.clear()

    def _close(self, session: Session, at_once: bool = False) -> None:
        session.run = None
        if at_once:
            session.close()
        else:
            session.dismiss()
        self._poller.watch(session)
        if session.state is State.CLOSED:
            self._remove(session)
        elif session in self._idle:
            self._take_free(session)


def _defect(error: Exception) -> Outcome:
    return Outcome(
        RunState.FAILED,
        "XX000",
        message=f"the run could not go on: {error!r}",
        detail="This is a defect of elephant_worker, or its tables hold what they must not.",
        hint="Please report it, with the job's definition.",
    )


def _lost_too_often(run: Run) -> Outcome:
    return Outcome(
        RunState.FAILED,
        "08006",
        message=f"{MOST_SESSIONS} sessions were lost before the command could be sent",
        detail=f"They were for {run.target}.",
        hint="The server's log may say more.",
    )


def _emptied(runs: list[Run]) -> list[Run]:
    taken = runs.copy()
    runs.clear()
    return taken
