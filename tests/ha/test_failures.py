"""Jobs under Patroni, while things happen to its nodes; prints what each costs."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest

from harness.waiting import until
from tests.ha.group import SECONDS, Group, Node
from tests.ha.work import Figures, Outside, audit, starts

COLUMNS = (
    "longest pause, s",
    "first run after promotion, s",
    "runs cut off",
    "due times missed",
    "effects doubled",
    "effects not in the log",
)
# How long a failure lasts at least, once another node leads.
LASTS = 6.0  # seconds
# The callback is called at once, the launcher each minute. The machine may be slow: what is usual is in the table.
CALLBACK, LAUNCHER = 20.0, 75.0  # seconds


@pytest.fixture(scope="session", autouse=True)
def table() -> Iterator[list[str]]:
    """The lines of the table that is printed at the end."""
    lines = [f"| failure | replication | {' | '.join(COLUMNS)} |", "|---|---|" + "---:|" * len(COLUMNS)]
    yield lines
    print("", *lines, sep="\n")


@pytest.fixture(scope="session")
def chance() -> random.Random:
    seed = os.environ.get("SEED") or str(random.randrange(2**32))
    print(f"seed {seed}")
    return random.Random(seed)


class Trials:
    """Failures of a group, each with jobs before and after it, and an audit."""

    def __init__(self, group: Group, outside: Outside, table: list[str], chance: random.Random) -> None:
        self.group = group
        self.outside = outside
        self._table = table
        self._chance = chance

    @contextmanager
    def trial(self, failure: str, bound: float = CALLBACK) -> Iterator[Node]:
        """Gives the leader, at a moment of some second at which runs are active; at the end of the block it is over."""
        leader = self.group.await_health()
        began = time.time()
        until(lambda: len(starts(leader, "inside", began)) >= 3, "jobs to run before it", SECONDS)
        active = "SELECT count(*) = 2 FROM job_log WHERE state = 'running' AND job_name IN ('long', 'tried again')"
        until(lambda: leader.value(active), "long runs to be active", SECONDS)
        time.sleep(self._chance.random())
        yield leader
        over = time.time()
        until(lambda: self._goes_on(over), "jobs to run after it", SECONDS)
        figures = audit(self.group, self.outside, began)
        self.outside.forget()
        self._note(failure, figures)
        assert figures.after_promotion is None or figures.after_promotion < bound

    def _goes_on(self, since: float) -> bool:
        leader = self.group.leader()
        return leader is not None and all(len(starts(leader, job, since)) >= 3 for job in ("inside", "file", "far"))

    def _note(self, failure: str, figures: Figures) -> None:
        kind = "synchronous" if self.group.synchronous else "asynchronous"
        after = "" if figures.after_promotion is None else f"{figures.after_promotion:.1f}"
        fields = [f"{figures.pause:.1f}", after, figures.cut_off, figures.missed, figures.doubled, figures.unknown]
        self._table.append(" | ".join(map(str, [f"| {failure}", kind, *fields])) + " |")
        print(f"\n{self._table[-1]}")


@pytest.fixture
def trials(group: Group, outside: Outside, table: list[str], chance: random.Random) -> Iterator[Trials]:
    yield Trials(group, outside, table, chance)
    group.heal()


def test_what_the_documents_have_configured(trials: Trials) -> None:
    """Each node says that it is ready, the standbys also that launchers would start the worker there."""
    group = trials.group
    leader = group.await_health()
    for node in group.nodes:
        with node.connect() as session:
            found = session.execute(
                """SELECT check_name, found FROM check_setup()
                   WHERE state <> 'ok' AND NOT (check_name = 'launcher' AND %s)""",
                (node is leader,),  # none may have been there yet
            ).fetchall()
            assert not found, (node.name, found)
            assert session.execute("SELECT launchable FROM worker_status").fetchone() == (True,)


def test_switchover_and_the_way_back(trials: Trials) -> None:
    group = trials.group
    with trials.trial("switchover") as before:
        (after, *_) = group.candidates()
        group.switch_over(before, after)
        group.await_leader(besides=before)
    # Otherwise the one that becomes the synchronous standby may be the third.
    group.change(synchronous_node_count=2)
    until(lambda: before in group.candidates(), "the way back to be open", SECONDS)
    with trials.trial("switchover, the way back"):
        group.switch_over(after, before)
        group.await_leader(besides=after)
    group.change(synchronous_node_count=1)


def test_restart(trials: Trials) -> None:
    with trials.trial("restart") as leader:
        trials.group.restart(leader)


def test_kill_the_postmaster(trials: Trials) -> None:
    with trials.trial("`kill -9` of the postmaster") as leader:
        os.kill(leader.postmaster(), signal.SIGKILL)
        until(lambda: not _answers(leader), "the server to be gone", SECONDS)


def test_kill_a_backend(trials: Trials) -> None:
    """PostgreSQL recovers by itself, Patroni calls nobody."""
    with trials.trial("`kill -9` of a backend", LAUNCHER) as leader:
        leader.shell(f"kill -9 {leader.value('SELECT pid FROM worker_status')}")


def test_kill_a_backend_and_leave_the_rest_to_patroni(trials: Trials) -> None:
    group = trials.group
    group.set_parameter("restart_after_crash", "off")
    try:
        with trials.trial("the same, `restart_after_crash = off`") as leader:
            leader.shell(f"kill -9 {leader.value('SELECT pid FROM worker_status')}")
            until(lambda: not _answers(leader), "the server to be gone", SECONDS)
    finally:
        group.set_parameter("restart_after_crash", "on")


def test_freeze_patroni(trials: Trials) -> None:
    with trials.trial("Patroni frozen") as leader:
        for pid in leader.patroni():
            os.kill(pid, signal.SIGSTOP)
        trials.group.await_leader(besides=leader)
        time.sleep(LASTS)
        for pid in leader.patroni():
            os.kill(pid, signal.SIGCONT)


def test_freeze_the_node(trials: Trials) -> None:
    with trials.trial("node frozen") as leader:
        leader.freeze()
        trials.group.await_leader(besides=leader)
        time.sleep(LASTS)
        thawed = time.time()
        leader.thaw()
        trials.group.await_health()
        assert not trials.outside.effects_of(leader, thawed)


def test_partition(trials: Trials) -> None:
    with trials.trial("primary cut off") as leader:
        leader.plug("down")
        trials.group.await_leader(besides=leader)
        time.sleep(LASTS)
        leader.plug("up")
        trials.group.await_health()
        assert "running pg_rewind" in leader.log.read_text(errors="replace")


def test_death(trials: Trials) -> None:
    with trials.trial("machine dead") as leader:
        leader.die()
        trials.group.await_leader(besides=leader)
        time.sleep(LASTS)
        leader.boot()


def test_launcher_alone(trials: Trials) -> None:
    trials.group.use_callbacks(False)
    try:
        with trials.trial("machine dead, no callback", LAUNCHER) as leader:
            leader.die()
            trials.group.await_leader(besides=leader)
            leader.boot()
    finally:
        trials.group.use_callbacks(True)


only_synchronous = pytest.mark.parametrize("group", [True], ids=["synchronous"], indirect=True)


@only_synchronous
def test_no_standby(trials: Trials) -> None:
    """Patroni lets the primary do without."""
    with trials.trial("both standbys down") as leader, trials.group.without_standbys(leader):
        began = time.time()
        until(lambda: trials.outside.effects_of(leader, began + LASTS), "jobs to run", SECONDS)


@only_synchronous
def test_no_standby_strict(trials: Trials) -> None:
    """Nothing is done of which no standby knows."""
    reason = "SELECT reason FROM worker_status"
    with (
        strict(trials.group),
        trials.trial("both standbys down, strict", LAUNCHER) as leader,
        trials.group.without_standbys(leader),
    ):
        until(lambda: "waits since" in (leader.value(reason) or ""), "the worker to wait", SECONDS)
        began = time.time()
        time.sleep(LASTS)
        assert not trials.outside.effects_of(leader, began)
        # A worker that begins waits as well, and so does whoever starts one.
        trials.group.restart(leader)
        until(lambda: "no worker runs yet: process" in (leader.value(reason) or ""), "another one", SECONDS)
        with pytest.raises(psycopg.Error, match="no worker runs yet: process"):
            leader.value("SELECT start_worker()")
        assert not trials.outside.effects_of(leader, began)


@only_synchronous
def test_death_strict(trials: Trials) -> None:
    with strict(trials.group), trials.trial("machine dead, strict") as leader:
        leader.die()
        trials.group.await_leader(besides=leader)
        time.sleep(LASTS)
        leader.boot()


@contextmanager
def strict(group: Group) -> Iterator[None]:
    """Commits wait for a standby also while there is none."""
    group.change(synchronous_mode_strict=True)
    try:
        yield
    finally:
        group.change(synchronous_mode_strict=False)


def _answers(node: Node) -> bool:
    with suppress(psycopg.OperationalError):
        node.connect().close()
        return True
    return False
