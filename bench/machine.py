"""The machine that the figures come from, and how quiet it is."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")
LOOPS = 2_000_000


def describe() -> dict[str, Any]:
    """Processor, memory, kernel, and how long a write takes to be durable."""
    cpu = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    return {
        "processor": cpu[0] if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory),
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release()["PRETTY_NAME"],
        "fsync_ms": round(statistics.median(fsync_times()), 3),
    }


def fsync_times(count: int = 50) -> list[float]:
    """Milliseconds that each of some appends of a page takes to reach the disk."""
    times = []
    with tempfile.TemporaryFile() as file:
        for _ in range(count):
            file.write(bytes(8192))
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return times


def cpu_seconds() -> tuple[float, float]:
    """CPU seconds so far: of the whole machine without idling, and of this process and all that it has
    started and that has ended."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    busy = (sum(fields[:8]) - fields[3] - fields[4]) / TICKS
    mine = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return busy, sum(usage.ru_utime + usage.ru_stime for usage in mine)


def calibrate() -> float:
    """Milliseconds that a fixed loop takes: how they vary is what other programs take away."""
    began = time.perf_counter()
    total = 0
    for number in range(LOOPS):
        total += number & 7
    return (time.perf_counter() - began) * 1000


def round_trip(count: int = 2000) -> float:
    """Microseconds that two processes take to wake each other by a byte: most of what a short run costs, and
    on a virtual machine more at one time than at another."""
    there, here = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        for _ in range(count):
            os.read(there[0], 1)
            os.write(here[1], b".")
        os._exit(0)
    began = time.perf_counter()
    for _ in range(count):
        os.write(there[1], b".")
        os.read(here[0], 1)
    elapsed = time.perf_counter() - began
    os.waitpid(child, 0)
    for end in (*there, *here):
        os.close(end)
    return elapsed / count * 1e6
