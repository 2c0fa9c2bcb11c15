"""Figures: what a scenario has measured, and the JSON that it is kept in."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

# How many values of a figure its file keeps.
KEPT = 1001


@dataclass
class Figure:
    """Measurements of one thing: `name` in `unit`, of a candidate, for the case that is named."""

    name: str
    candidate: str
    case: str
    unit: str
    values: list[float]


@dataclass
class Results:
    """All figures of one scenario on one server, and the circumstances."""

    scenario: str
    server: str
    commit: str
    began: str
    quick: bool
    machine: dict[str, Any]
    # Milliseconds of the calibration loop, before and after.
    calibration: list[float]
    # The share of the machine's CPU time that other programs took meanwhile, in percent.
    others: float | None = None
    # Microseconds in which two processes wake each other, before and after.
    round_trips: list[float] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)

    def write(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        content = asdict(self)
        for figure in content["figures"]:
            figure["values"] = [float(f"{value:.6g}") for value in thinned(figure["values"])]
        path = directory / f"{self.scenario}-{self.server}.json"
        path.write_text(json.dumps(content, indent=1) + "\n")


def read(path: Path) -> Results:
    """The results that were written to a file."""
    content = json.loads(path.read_text())
    figures = [Figure(**figure) for figure in content.pop("figures")]
    return Results(**content, figures=figures)


def thinned(values: list[float]) -> list[float]:
    """Of very many values, as many from the smallest to the largest as tell how they are distributed."""
    if len(values) <= KEPT:
        return values
    ordered = sorted(values)
    return [ordered[round(place * (len(values) - 1) / (KEPT - 1))] for place in range(KEPT)]


def percentile(values: list[float], percent: float) -> float:
    """The smallest value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def median(values: list[float]) -> float:
    return statistics.median(values)
