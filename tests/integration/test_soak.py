"""A short soak: see tools/soak.py."""

from __future__ import annotations

import random
from collections.abc import Callable

import psycopg
import pytest

from harness import server_clock
from harness.cluster import Cluster
from harness.server_clock import without_hung_processes
from harness.waiting import until
from tools.soak import soak

# A mutex of the C library is locked by a process that holds it already.
HANG = """
import ctypes
lock = ctypes.create_string_buffer(64)
for _ in range(2):
    ctypes.CDLL(None).pthread_mutex_lock(lock)
"""


@pytest.mark.slow
def test_soak(own_cluster: Callable[..., Cluster]) -> None:
    assert soak(own_cluster(restart_after_crash="on"), 15, random.randrange(2**32))


def test_processes_that_hang_are_ended(own_cluster: Callable[..., Cluster], monkeypatch: pytest.MonkeyPatch) -> None:
    """Only such that wait for themselves."""
    monkeypatch.setattr(server_clock, "LOOK_EVERY", 0.5)
    cluster = own_cluster()
    with without_hung_processes(cluster):
        cluster.connect().execute("SELECT pg_sleep(2)")
        admin = cluster.connect()
        admin.execute("CREATE EXTENSION plpython3u")
        with pytest.raises(psycopg.OperationalError):
            admin.execute(f"DO $${HANG}$$ LANGUAGE plpython3u")
    until(cluster.is_server_available, "the server to recover")
