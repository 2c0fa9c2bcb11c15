"""Measures the scenarios and writes build/bench/results/*.json:

python -m bench.run [--quick] [--own] [scenario …]
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

from bench import scenarios
from bench.context import PEERS, Context
from bench.figures import Results
from bench.machine import calibrate, cpu_seconds, describe, round_trip
from harness.cluster import ROOT, Installation, pg_config

DIRECTORY = ROOT / "build" / "bench" / "results"
# Others than these are found by their files and come last.
QUICK = ["throughput", "lateness", "idle", "burst"]
ORDER = ["throughput", "lateness", "calls", "idle", "burst", "writes", "log", "drift", "minute"]


def names() -> list[str]:
    """The scenarios that there are."""
    found = {module.name for module in pkgutil.iter_modules(scenarios.__path__)}
    return [*[name for name in ORDER if name in found], *sorted(found.difference(ORDER))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--own", action="store_true", help="this project only, without its peers")
    parser.add_argument("scenarios", nargs="*", choices=[[], *names()], default=[])
    arguments = parser.parse_args()
    server = pg_config("--version").split()[1]
    with tempfile.TemporaryDirectory() as directory:
        installation = Installation(Path(directory))
        peers = [] if arguments.own else [peer for peer in PEERS if peer.version(installation)]
        versions = {kind.name: kind.version(installation) for kind in peers}
        print(f"PostgreSQL {server}; peers: {versions or 'none'}", flush=True)
        for name in arguments.scenarios or (QUICK if arguments.quick else names()):
            results = Results(
                scenario=name,
                server=server.split(".")[0],
                commit=os.environ.get("COMMIT", ""),
                began=f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M}",
                quick=arguments.quick,
                machine={**describe(), "postgresql": server, "peers": versions},
                calibration=[calibrate() for _ in range(5)],
                round_trips=[round_trip() for _ in range(5)],
            )
            context = Context(installation, arguments.quick, peers, results.figures)
            began, (busy, mine) = time.monotonic(), cpu_seconds()
            importlib.import_module(f"bench.scenarios.{name}").measure(context)
            elapsed, (busy_now, mine_now) = time.monotonic() - began, cpu_seconds()
            others = (busy_now - busy - (mine_now - mine)) / elapsed / (os.cpu_count() or 1)
            results.others = round(max(0.0, others) * 100, 1)
            results.calibration += [calibrate() for _ in range(5)]
            results.round_trips += [round_trip() for _ in range(5)]
            if results.figures:
                results.write(DIRECTORY)
            print(f"{name}: {elapsed:.0f} s, others took {results.others:.0f} % of the CPU", flush=True)


if __name__ == "__main__":
    main()
