"""Which processes are run as a batch: those that have the same parent as the caller."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from elephant_worker.system.scheduling_policy import set_batch_policy

CALL = "import sys; from elephant_worker.system.scheduling_policy import set_batch_policy as f; f(int(sys.argv[1]))"


@pytest.fixture
def process() -> Iterator[int]:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as started:
        yield started.pid
        started.terminate()


def by_sibling(pid: int) -> int:
    """The policy of the process after a sibling of it has made the call."""
    subprocess.run([sys.executable, "-c", CALL, str(pid)], check=True, env={"PYTHONPATH": os.pathsep.join(sys.path)})
    return os.sched_getscheduler(pid)


def test_a_process_of_the_same_parent(process: int) -> None:
    assert by_sibling(process) == os.SCHED_BATCH


def test_another_policy_is_respected(process: int) -> None:
    os.sched_setscheduler(process, os.SCHED_IDLE, os.sched_param(0))
    assert by_sibling(process) == os.SCHED_IDLE


def test_a_process_of_somebody_else(process: int) -> None:
    set_batch_policy(process)
    assert os.sched_getscheduler(process) == os.SCHED_OTHER


def test_a_process_that_has_gone() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    set_batch_policy(ended.pid)
