"""Whether a job that is due every second stays on its grid. All candidates that know seconds run one at
the same time, each on its own server."""

from __future__ import annotations

import itertools
import statistics
import time

from bench.context import Context
from bench.server import record


def measure(context: Context) -> None:
    seconds = 15 if context.quick else 120
    with context.candidates(seconds=True) as candidates:
        for candidate in candidates:
            candidate.every_second(1, record("tick"))
        time.sleep(seconds)
        for candidate in candidates:
            began = [moment.timestamp() for moment in candidate.server.witnessed("tick")]
            intervals = [(later - earlier - 1) * 1000 for earlier, later in itertools.pairwise(began)]
            if len(began) > 2:
                slope, _ = statistics.linear_regression(range(len(began)), began)
                context.record("drift", candidate.name, "every second", "ms per run", [(slope - 1) * 1000])
                context.record("jitter", candidate.name, "every second", "ms", intervals)
            candidate.clear()
