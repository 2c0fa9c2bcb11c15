"""Prints what has been measured:

python -m bench.report [directory]
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.figures import Results, percentile, read
from tests.cluster import ROOT


def show(results: Results) -> None:
    """All figures of a scenario, as a table of text."""
    machine, calibration = results.machine, results.calibration
    print(
        f"\n{results.scenario}, PostgreSQL {results.server}, {results.began}, commit {results.commit};"
        f" a durable write takes {machine['fsync_ms']} ms,"
        f" the calibration loop {min(calibration):.0f} to {max(calibration):.0f} ms"
    )
    print(f"{'':24}{'':28}{'':36}{'n':>5}{'median':>12}{'min':>12}{'p99':>12}{'max':>12}")
    for figure in results.figures:
        if figure.values:
            columns = [percentile(figure.values, 50), min(figure.values)]
            columns += [percentile(figure.values, 99), max(figure.values)]
            cells = "".join(f"{value:12.5g}" for value in columns)
            names = f"{figure.candidate:24}{figure.name:28}{figure.case:36}"
            print(f"{names}{len(figure.values):5}{cells} {figure.unit}")


def main() -> None:
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "bench" / "results"
    for path in sorted(directory.glob("*.json")):
        show(read(path))


if __name__ == "__main__":
    main()
