"""How the operating system schedules the processes of jobs (sched(7))."""

from __future__ import annotations

import os
from contextlib import suppress


def set_batch_policy(pid: int) -> None:
    """Have a process of this server run as a batch: it gets its share of the processors, but when it wakes up it
    does not take one from the worker or from the sessions of people. Where the system cannot do that, or the
    administrator has chosen another policy, all stays as it is."""
    with suppress(AttributeError, OSError):
        if _parent(pid) == os.getppid() and os.sched_getscheduler(pid) == os.SCHED_OTHER:
            os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))


def yield_processor() -> None:
    """Let processes that wait for this processor, among them those that run as a batch, go first (sched_yield(2)). If
    there are none, or the system cannot do that, go on."""
    with suppress(AttributeError, OSError):
        os.sched_yield()


def _parent(pid: int) -> int:
    """Who has started it: the postmaster all processes of its server, and a pooler none."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        # After the name, which may contain anything; see proc_pid_stat(5).
        return int(file.read().rpartition(b")")[2].split()[1])
