"""What processes cost, as the kernel counts it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from harness.process import children

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """The CPU time of a process so far, to the nanosecond; 0 for one that has ended."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3)
    except OSError:
        return 0.0


def ended_children_cpu_seconds(pid: int) -> float:
    """The CPU time of the children of a process that have ended, and of theirs, in hundredths."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / TICKS


def tree_cpu_seconds(pid: int) -> float:
    """The CPU time of a process and of its children, also of those that have ended."""
    return cpu_seconds(pid) + ended_children_cpu_seconds(pid) + sum(map(cpu_seconds, children(pid)))


def memory(pid: int) -> dict[str, float]:
    """MB of a process: RSS, and what of it is its own rather than shared buffers and programs."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = {
        name: int(value.split()[0])
        for name, _, value in (line.partition(":") for line in lines)
        if name in ("VmRSS", "RssAnon")
    }
    return {"rss": kilobytes["VmRSS"] / 1024, "own": kilobytes["RssAnon"] / 1024}
