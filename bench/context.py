"""What a scenario gets: the candidates to measure, how thoroughly to do it, and where figures go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field

from bench.candidate import Candidate
from bench.candidates.cron_psql import CronPsql
from bench.candidates.elephant_worker import ElephantWorker
from bench.candidates.pg_cron import PgCron, PgCronTuned, PgCronWorkers, PgCronWorkersTuned
from bench.candidates.pgagent import PgAgent
from bench.figures import Figure
from harness.cluster import Installation

PEERS: list[type[Candidate]] = [PgCron, PgCronTuned, PgCronWorkers, PgCronWorkersTuned, PgAgent, CronPsql]


@dataclass
class Context:
    installation: Installation
    # The short form: fewer and smaller.
    quick: bool
    peers: list[type[Candidate]]
    figures: list[Figure] = field(default_factory=list)

    @property
    def repetitions(self) -> int:
        return 1 if self.quick else 3

    def record(self, name: str, candidate: str, case: str, unit: str, values: Sequence[float]) -> None:
        """Keep measurements; those of the same thing come together."""
        for figure in self.figures:
            if (figure.name, figure.candidate, figure.case) == (name, candidate, case):
                figure.values += values
                return
        self.figures.append(Figure(name, candidate, case, unit, list(values)))

    @property
    def kinds(self) -> list[type[Candidate]]:
        """This project and its peers."""
        return [ElephantWorker, *self.peers]

    @contextmanager
    def candidates(self, seconds: bool = False) -> Iterator[list[Candidate]]:
        """This project and its peers (those that know seconds), each on a server of its own."""
        with ExitStack() as stack:
            opened: list[Candidate] = []
            for kind in self.kinds:
                if kind.knows_seconds or not seconds:
                    opened.append(kind(self.installation))
                    stack.callback(opened[-1].close)
            yield opened

    def elephant_worker(self) -> closing[ElephantWorker]:
        """This project, on a new server."""
        return closing(ElephantWorker(self.installation))
