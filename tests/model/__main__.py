"""Random histories until somebody stops it, or so many: python -m tests.model [histories [seconds [seed]]].

What contradicts the documents is printed, and its history kept in build/histories.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from harness.cluster import Cluster, Installation
from harness.scheduler import new_scheduler, with_template
from tests.model.oracle import judge
from tests.model.random_life import RandomLife


def main() -> int:
    histories, seconds, seed = [*map(int, sys.argv[1:]), *(10, 30, random.randrange(2**32))[len(sys.argv) - 1 :]]
    keeps_all = "KEEP_HISTORIES" in os.environ
    kept = Path("build/histories")
    kept.mkdir(parents=True, exist_ok=True)
    broken: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as directory:
        cluster = with_template(Cluster(Installation(Path(directory))))
        try:
            for number in range(seed, seed + histories):
                scheduler = new_scheduler(cluster)
                history = RandomLife(scheduler, number).live(seconds)
                scheduler.close()
                findings = judge(history)
                print(f"seed {number}: {len(history.log)} rows, {len(findings)} findings", flush=True)
                for finding in findings:
                    print(f"    {finding}", flush=True)
                broken.update({finding.partition(":")[0] for finding in findings})
                if findings or keeps_all:
                    history.write(kept / f"{number}.json")
        finally:
            cluster.stop()
    print(f"histories in which a rule was broken: {dict(broken)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
