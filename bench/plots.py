"""Plots from figures, as SVG and PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from bench.figures import Figure, median
from bench.tables import OURS, Book

# Told apart also by who does not see all colours (Okabe and Ito).
COLOURS = {
    OURS: "#0072B2",
    "pg_cron, libpq": "#E69F00",
    "pg_cron, libpq, tuned": "#D55E00",
    "pg_cron, workers": "#CC79A7",
    "pg_cron, workers, tuned": "#882255",
    "pgAgent": "#009E73",
    "cron + psql": "#777777",
}
STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "svg.hashsalt": OURS,
    "figure.dpi": 110,
    "savefig.facecolor": "white",
}


def plain(value: float, _: float) -> str:
    """A number as people write it, on a log axis."""
    return f"{value:,.10g}".replace(",", " ")


def draw(book: Book, directory: Path) -> None:
    """All plots for which there are figures."""
    directory.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        for name, plot in (("throughput", throughput), ("lateness", lateness), ("scale", scale)):
            figure = plot(book)
            if figure is not None:
                figure.savefig(directory / f"{name}.svg", metadata={"Date": None})
                figure.savefig(directory / f"{name}.png", dpi=150, metadata={"Software": None})
                plt.close(figure)


def throughput(book: Book) -> Any:
    """Bars: runs per second."""
    server = book.servers[0]
    bars = []
    for one in book.figures("throughput", "runs per second", server):
        label = one.candidate + (f"\n{one.case}" if one.candidate == OURS else "")
        bars.append((label, one))
    if not bars:
        return None
    bars.sort(key=lambda bar: (bar[1].candidate != OURS, -median(bar[1].values)))
    figure, axes = plt.subplots(figsize=(8, 0.55 * len(bars) + 1.3), layout="constrained")
    for place, (_, bar) in enumerate(bars):
        middle = median(bar.values)
        off = [[middle - min(bar.values)], [max(bar.values) - middle]]
        axes.barh(place, middle, color=COLOURS.get(bar.candidate, "#777777"), height=0.68)
        axes.errorbar(middle, place, xerr=off, color="#222222", capsize=3, linewidth=1)
        axes.annotate(
            f"{middle:,.0f}".replace(",", " ") if middle >= 10 else f"{middle:.1f}",
            (max(bar.values), place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_yticks(range(len(bars)), [label for label, _ in bars])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(1, 25_000)
    axes.xaxis.set_major_formatter(plain)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("trivial runs per second, each logged durably (log scale; median, least and most)")
    axes.set_title(f"Throughput, PostgreSQL {server}, 2 cores", loc="left")
    return figure


def lateness(book: Book) -> Any:
    """Distribution: the share of jobs that have started so long after they were due."""
    panels = [case for case in ("100 jobs", "1000 jobs") if _late(book, case)]
    if not panels:
        return None
    figure, all_axes = plt.subplots(
        1, len(panels), figsize=(5 * len(panels), 4.6), layout="constrained", sharey=True, squeeze=False
    )
    for axes, case in zip(all_axes[0], panels):
        count = int(case.split()[0])
        for one in _late(book, case):
            late = sorted(max(value, 0.5) for value in one.values)
            share = [100 * (place + 1) / count for place in range(len(late))]
            axes.step(
                late,
                share,
                where="post",
                color=COLOURS.get(one.candidate, "#777777"),
                linewidth=2.4 if one.candidate == OURS else 1.5,
                label=one.candidate,
            )
        axes.set_xscale("log")
        axes.set_xlim(1, 120_000)
        axes.set_xticks([1, 10, 100, 1000, 10_000, 60_000], ["1 ms", "10 ms", "100 ms", "1 s", "10 s", "1 min"])
        axes.minorticks_off()
        axes.set_ylim(0, 102)
        axes.set_title(f"{count:,} jobs due at the same minute".replace(",", " "), loc="left")
        axes.set_xlabel("after the minute (log scale)")
    all_axes[0][0].set_ylabel("jobs that have started, %")
    handles, labels = all_axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _late(book: Book, case: str) -> list[Figure]:
    return [figure for figure in book.figures("minute", "lateness") if figure.case == case]


def scale(book: Book) -> Any:
    """Cost against the number of jobs that are not due."""
    panels = [
        ("idle CPU", "Idle CPU, % of a core", 0.05, (0.001, 10)),
        ("RSS", "Memory of the scheduler (RSS), MB", 60, (10, 1000)),
        ("start", "Start to first tick, ms", 300, (10, 1000)),
    ]
    server = next((one.server for one in book.of("idle")), None)
    if server is None:
        return None
    figure, all_axes = plt.subplots(1, len(panels), figsize=(11, 3.9), layout="constrained")
    for axes, (name, title, goal, limits) in zip(all_axes, panels):
        lines: dict[str, list[tuple[int, list[float]]]] = {}
        for one in book.figures("idle", name, server):
            count = one.case.split()[0]
            if count.isdigit():
                lines.setdefault(one.candidate, []).append((int(count), one.values))
        for candidate, points in lines.items():
            points.sort()
            axes.plot(
                [max(count, 100) for count, _ in points],
                [median(values) for _, values in points],
                marker="o",
                markersize=4,
                color=COLOURS.get(candidate, "#777777"),
                linewidth=2.2 if candidate == OURS else 1.5,
                label=candidate,
            )
        axes.axhline(goal, color="#444444", linestyle=":", linewidth=1.2, label="goal")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(70, 1_500_000)
        axes.set_ylim(*limits)
        axes.set_xticks([100, 1000, 10_000, 100_000, 1_000_000], ["none", "10³", "10⁴", "10⁵", "10⁶"])
        axes.yaxis.set_major_formatter(plain)
        axes.minorticks_off()
        axes.set_title(title, loc="left")
        axes.set_xlabel("jobs that are not due")
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure
