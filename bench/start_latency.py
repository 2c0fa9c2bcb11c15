"""How long it takes from a call to the first statement of the run: insert_job() with a schedule that
is due, and run_job(), in sessions that are kept and in new ones."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from tests.cluster import Cluster, Installation

REPETITIONS = 40
RECORD = "INSERT INTO public.witness VALUES (clock_timestamp())"


def run_job(session: psycopg.Connection[Any]) -> None:
    session.execute("SELECT run_job(1)")


def insert_job(session: psycopg.Connection[Any]) -> None:
    # Due a hundredth of a second after the call.
    session.execute(
        """SELECT insert_job(%s, current_catalog, to_char(clock_timestamp() + interval '10 ms',
                             'YYYY-MM-DD HH24:MI:SS.US'), timezone := 'UTC')""",
        (RECORD,),
    )


def latencies(session: psycopg.Connection[Any], call: Callable[[Any], None], pause: float) -> list[float]:
    """Milliseconds from each call to the first statement of its run."""
    found = []
    for _ in range(REPETITIONS):
        time.sleep(pause)
        session.execute("TRUNCATE public.witness")
        (called,) = session.execute("SELECT clock_timestamp()").fetchone() or (None,)
        call(session)
        while (row := session.execute("SELECT * FROM public.witness").fetchone()) is None:
            time.sleep(0.001)
        found.append((row[0] - called).total_seconds() * 1000)
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        cluster = Cluster(Installation(Path(directory)), {"fsync": "on"})
        try:
            with cluster.connect() as session:
                for statement in (
                    "CREATE TABLE public.witness (began timestamptz)",
                    "CREATE SCHEMA scheduler",
                    "CREATE EXTENSION elephant_worker WITH SCHEMA scheduler CASCADE",
                    "SET search_path = scheduler",
                    "SET timezone = UTC",
                    f"SELECT insert_job('{RECORD}', current_catalog)",
                    "SELECT start_worker()",
                ):
                    session.execute(statement)
                print(f"{'milliseconds to the first statement':45} {'median':>8} {'min':>8} {'max':>8}")
                for name, call in (("run_job", run_job), ("insert_job, due 10 ms later", insert_job)):
                    for kind, idle, pause in (("kept session", "1 minute", 0.05), ("new session", "0", 0.2)):
                        session.execute(f"UPDATE worker_setting SET session_idle_time = '{idle}'")
                        session.execute("SELECT run_job(1)")
                        time.sleep(0.5)
                        found = latencies(session, call, pause)
                        figures = (statistics.median(found), min(found), max(found))
                        print(f"{name + ', ' + kind:45}", *(f"{figure:8.1f}" for figure in figures))
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
