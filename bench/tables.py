"""Tables of Markdown from figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bench.figures import Figure, Results, median, percentile

OURS = "elephant_worker"


class Book:
    """All results: of each scenario, on each server, the newest server first."""

    def __init__(self, results: Iterable[Results]) -> None:
        self.results = sorted(results, key=lambda one: (one.scenario, -int(one.server)))

    @property
    def servers(self) -> list[str]:
        return sorted({one.server for one in self.results}, key=int, reverse=True)

    def of(self, scenario: str, server: str | None = None) -> list[Results]:
        """The results of a scenario; of one server where it is named."""
        return [one for one in self.results if one.scenario == scenario and server in (None, one.server)]

    def figures(
        self, scenario: str, name: str, server: str | None = None, candidate: str | None = None
    ) -> list[Figure]:
        """The figures of that name."""
        return [
            figure
            for one in self.of(scenario, server)
            for figure in one.figures
            if figure.name == name and figure.values and candidate in (None, figure.candidate)
        ]

    def values(self, scenario: str, name: str, case: str, server: str, candidate: str = OURS) -> list[float]:
        """The measurements of one thing; none where it has not been measured."""
        for figure in self.figures(scenario, name, server, candidate):
            if figure.case == case:
                return figure.values
        return []


def number(value: float) -> str:
    """Three digits that count, with thousands apart."""
    if not math.isfinite(value):
        return "–"
    value = float(f"{value:.3g}") if abs(value) < 100 else value
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}".replace(",", " ")
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}"


def spread(values: Sequence[float]) -> str:
    """The median, and from where to where; of many the 99th percentile in place of the largest."""
    if not values:
        return "–"
    middle = number(median(list(values)))
    if len(values) == 1:
        return middle
    if len(values) >= 100:
        return f"{middle} (p99 {number(percentile(list(values), 99))})"
    return f"{middle} ({number(min(values))} to {number(max(values))})"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; all columns but the first are flush right."""
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


# --- this project ---------------------------------------------------------------------------------


def own(book: Book, scenario: str) -> str:
    """All figures of a scenario for this project, with a column for each server."""
    servers = [server for server in book.servers if book.of(scenario, server)]
    if not servers:
        return "Not measured in this run.\n"
    keys: dict[tuple[str, str, str], None] = {}
    for one in book.of(scenario):
        keys.update({(f.name, f.case, f.unit): None for f in one.figures if f.candidate == OURS and f.values})
    rows = [
        [
            f"{name}, {case}" if case else name,
            unit,
            *(spread(book.values(scenario, name, case, server)) for server in servers),
        ]
        for name, case, unit in keys
    ]
    return table(["", "unit", *(f"PostgreSQL {server}" for server in servers)], rows)


@dataclass(frozen=True)
class Goal:
    """A figure to reach: how it is called and computed, and what is asked."""

    name: str
    goal: str
    compute: Callable[[Book, str], float | None]
    met: Callable[[float], bool]
    unit: str


def _measured(
    scenario: str, name: str, case: str, summary: Callable[[list[float]], float] = median
) -> Callable[[Book, str], float | None]:
    def compute(book: Book, server: str) -> float | None:
        values = book.values(scenario, name, case, server)
        return summary(values) if values else None

    return compute


def _p99(values: list[float]) -> float:
    return percentile(values, 99)


def best_peer(book: Book, server: str) -> tuple[str, float] | None:
    """The peer that runs the most jobs per second, and how many."""
    figures = [f for f in book.figures("throughput", "runs per second", server) if f.candidate != OURS]
    return max(((f.candidate, median(f.values)) for f in figures), key=lambda found: found[1], default=None)


def _ratio(book: Book, server: str) -> float | None:
    peer = best_peer(book, server)
    mine = book.values("throughput", "runs per second", "1 role, 1 database", server)
    return median(mine) / peer[1] if peer and mine else None


def _other_updates(book: Book, server: str) -> float | None:
    figures = [f for f in book.figures("writes", "updates per run", server, OURS) if f.case != "job_log"]
    return sum(median(f.values) for f in figures) if figures else None


def _at_most(limit: float) -> Callable[[float], bool]:
    return lambda value: value <= limit


def _at_least(limit: float) -> Callable[[float], bool]:
    return lambda value: value >= limit


GOALS = [
    *(
        Goal(
            f"throughput, {case}",
            "≥ 5 000",
            _measured("throughput", "runs per second", case),
            _at_least(5000),
            "runs/s",
        )
        for case in ("1 role, 1 database", "5 roles, 1 database", "20 roles, 5 databases")
    ),
    Goal("throughput against the best peer", "≥ 10", _ratio, _at_least(10), "×"),
    Goal(
        "lateness, 1 job due, median",
        "≤ 2",
        _measured("lateness", "lateness", "1 job due, kept sessions"),
        _at_most(2),
        "ms",
    ),
    Goal(
        "lateness, 1 job due, p99",
        "≤ 8",
        _measured("lateness", "lateness", "1 job due, kept sessions", _p99),
        _at_most(8),
        "ms",
    ),
    Goal(
        "lateness, 100 jobs due, new sessions, p99",
        "≤ 400",
        _measured("lateness", "lateness", "100 jobs due, new sessions", _p99),
        _at_most(400),
        "ms",
    ),
    Goal(
        "lateness, 100 jobs due, kept sessions, p99",
        "≤ 40",
        _measured("lateness", "lateness", "100 jobs due, kept sessions", _p99),
        _at_most(40),
        "ms",
    ),
    Goal(
        "drift of a one-second job",
        "0",
        _measured("drift", "drift", "every second"),
        lambda value: abs(value) < 0.1,
        "ms/run",
    ),
    Goal(
        "10 000 jobs due at once, until the last has ended",
        "≤ 5",
        _measured("burst", "until the last has ended", "10000 jobs"),
        _at_most(5),
        "s",
    ),
    *(
        Goal(
            f"idle CPU, {label} jobs",
            "≤ 0.05",
            _measured("idle", "idle CPU", f"{count} jobs"),
            _at_most(0.05),
            "% of a core",
        )
        for count, label in ((0, "0"), (100_000, "100 000"), (1_000_000, "1 000 000"))
    ),
    Goal("RSS with 1 000 000 jobs", "≤ 60", _measured("idle", "RSS", "1000000 jobs"), _at_most(60), "MB"),
    *(
        Goal(f"{call}() with 1 000 000 jobs, median", "≤ 1", _measured("idle", call, "1000000 jobs"), _at_most(1), "ms")
        for call in ("insert_job", "update_job")
    ),
    Goal("100 000 jobs by one statement", "≤ 60", _measured("idle", "bulk insert", "100000 jobs"), _at_most(60), "s"),
    Goal("inserts into the log per run", "≤ 1", _measured("writes", "inserts per run", "job_log"), _at_most(1.001), ""),
    Goal("updates of the log per run", "≤ 1", _measured("writes", "updates per run", "job_log"), _at_most(1.001), ""),
    Goal("updates elsewhere per run", "≤ 2", _other_updates, _at_most(2.001), ""),
    Goal(
        "start to first tick with 1 000 000 jobs",
        "≤ 300",
        _measured("idle", "start", "1000000 jobs"),
        _at_most(300),
        "ms",
    ),
    Goal(
        "next due time of ordinary schedules, median",
        "≤ 100",
        _measured("next_due", "next due time", "ordinary schedules"),
        _at_most(100),
        "µs",
    ),
    *(
        Goal(
            f"next due time of {case}, p99",
            "≤ 5 000",
            _measured("next_due", "next due time", case, _p99),
            _at_most(5000),
            "µs",
        )
        for case in ("rare schedules", "ordinary schedules, within 26 h of a change")
    ),
    *(
        Goal(
            f"first {name}() in a session, median",
            f"≤ {most}",
            _measured("next_due", "first call in a session", name),
            _at_most(most),
            "ms",
        )
        for name, most in (("insert_job", 25), ("next_runs", 30), ("describe_schedule", 40))
    ),
]


def goals(book: Book) -> str:
    """What is to be reached, what is, and where it is missed."""
    rows = []
    for goal in GOALS:
        cells = []
        for server in book.servers:
            value = goal.compute(book, server)
            missed = value is not None and not goal.met(value)
            cells.append("–" if value is None else f"**{number(value)}** missed" if missed else number(value))
        rows.append([goal.name, goal.unit, goal.goal, *cells])
    others = [
        [one.others for one in book.results if one.server == server and one.others is not None]
        for server in book.servers
    ]
    rows.append(["*what other programs took meanwhile*", "% of the CPU", "", *(spread(shares) for shares in others)])
    return table(["figure", "unit", "goal", *(f"PostgreSQL {server}" for server in book.servers)], rows)


# --- with peers -----------------------------------------------------------------------------------


def _with_peers(book: Book, scenario: str) -> str | None:
    """The server on which a scenario was measured for peers too."""
    for one in book.of(scenario):
        if any(figure.candidate != OURS for figure in one.figures):
            return one.server
    return None


def throughput(book: Book) -> str:
    """Runs per second of all candidates."""
    server = _with_peers(book, "throughput") or book.servers[0]
    case = "1 role, 1 database"
    mine = median(book.values("throughput", "runs per second", case, server) or [math.nan])
    rows = []
    for figure in book.figures("throughput", "runs per second", server):
        if figure.case == case:
            cpu = book.values("throughput", "CPU per run", case, server, figure.candidate)
            ratio = mine / median(figure.values) if median(figure.values) else math.inf
            rows.append([figure.candidate, spread(figure.values), number(ratio), spread(cpu)])
    return table(["", "runs per second", "elephant_worker is faster by", "CPU ms per run"], rows)


def minute(book: Book) -> str:
    """Jobs due at the same full minute."""
    server = _with_peers(book, "minute")
    rows = []
    for figure in book.figures("minute", "lateness", server):

        def cell(name: str, figure: Figure = figure) -> str:
            values = book.values("minute", name, figure.case, server or "", figure.candidate)
            return number(median(values)) if values else "–"

        rows.append(
            [
                figure.candidate,
                figure.case,
                number(median(figure.values)),
                number(percentile(figure.values, 99)),
                number(max(figure.values)),
                cell("runs logged"),
                cell("CPU"),
                cell("connections"),
            ]
        )
    heads = ["", "due", "late, median ms", "p99 ms", "last ms", "runs logged", "CPU s", "connections"]
    return table(heads, rows)


def drift(book: Book) -> str:
    """How a one-second job stays on its grid."""
    server = _with_peers(book, "drift") or book.servers[0]
    rows = []
    for figure in book.figures("drift", "drift", server):
        jitter = book.values("drift", "jitter", figure.case, server, figure.candidate)
        rows.append([figure.candidate, number(median(figure.values)), number(percentile(list(map(abs, jitter)), 99))])
    return table(["", "drift, ms per run", "p99 of what an interval is off by, ms"], rows)


def idle(book: Book) -> str:
    """CPU of an idle scheduler by the number of jobs, with the peers where they were measured."""
    rows = []
    for server in book.servers:
        for figure in book.figures("idle", "idle CPU", server):
            rows.append([f"{figure.candidate}, PostgreSQL {server}", figure.case, spread(figure.values)])
    return table(["", "not due", "% of a core"], rows)


def circumstances(book: Book) -> str:
    """When, of which code, and how quiet the machine was."""
    rows = []
    for one in book.results:
        loop = one.calibration
        rows.append(
            [
                one.scenario,
                one.server,
                one.began,
                one.commit,
                number(one.machine["fsync_ms"]),
                f"{number(min(loop))} to {number(max(loop))}",
                f"{number(min(trips))} to {number(max(trips))}" if (trips := one.round_trips) else "–",
                "–" if one.others is None else number(one.others),
            ]
        )
    return table(
        [
            "scenario",
            "PostgreSQL",
            "begun (UTC)",
            "commit",
            "durable write, ms",
            "fixed loop, ms",
            "two processes, µs",
            "others, % of the CPU",
        ],
        rows,
    )


def machine(book: Book) -> str:
    """The machine and the versions."""
    rows = []
    for server in book.servers:
        one = next(result for result in book.results if result.server == server)
        peers = {
            name: version
            for result in book.results
            if result.server == server
            for name, version in (result.machine["peers"] or {}).items()
        }
        m = one.machine
        rows.append(
            [
                f"PostgreSQL {m['postgresql']}",
                m["system"],
                f"{m['processor']}, {m['cores']} cores, {m['memory_gb']} GB",
                m["kernel"],
                ", ".join(
                    f"{name.partition(',')[0]} {version}"
                    for name, version in peers.items()
                    if "," not in name or name.endswith("libpq")
                )
                or "–",
            ]
        )
    return table(["server", "system", "machine", "kernel", "peers"], rows)
