"""A history: what was asked of a scheduler, and what it said became of it. It can be kept as JSON and judged again.

All moments are seconds since 1970, by the one clock of the machine on which server and test run.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Attributes = dict[str, Any]


@dataclass
class Change:
    """A definition, change or deletion of a job, which took hold between two moments (its commit)."""

    job_id: int
    begin: float
    end: float
    kind: str
    # As they are from then on; None: the job is gone.
    attributes: Attributes | None


@dataclass
class Event:
    """Something else that was done between two moments: run_job(), cancel_job(), stop, pause, drop role, …"""

    kind: str
    begin: float
    end: float
    job_id: int | None = None
    jl_id: int | None = None
    result: Any = None


@dataclass
class History:
    """What is judged."""

    seed: int
    start_grace: float
    begin: float
    # After this moment nothing more was asked for, and all that waited had ended.
    end: float = 0.0
    changes: list[Change] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    # Rows of the log, of the statistics, of the views of all jobs and of all alerts; notifications as they came.
    log: list[dict[str, Any]] = field(default_factory=list)
    statistics: list[dict[str, Any]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    notifications: list[dict[str, Any]] = field(default_factory=list)
    # What the commands themselves wrote down: job, due time, attempt.
    witness: list[tuple[int, float, int]] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """With an entry a line."""
        parts = (
            f"{json.dumps(name)}: " + ("[\n" + ",\n".join(map(json.dumps, value)) + "\n]" if value else "[]")
            if isinstance(value, list)
            else f"{json.dumps(name)}: {json.dumps(value)}"
            for name, value in asdict(self).items()
        )
        path.write_text("{" + ",\n".join(parts) + "}\n")

    @classmethod
    def of(cls, content: dict[str, Any]) -> History:
        """The history that asdict() has made this of."""
        lists = {
            "changes": [Change(**change) for change in content["changes"]],
            "events": [Event(**event) for event in content["events"]],
            "witness": [tuple(row) for row in content["witness"]],
        }
        return cls(**{**content, **lists})

    @classmethod
    def read(cls, path: Path) -> History:
        return cls.of(json.loads(path.read_text()))
