"""Remedies of check_setup() and problem: what is done by whoever pastes them whole, and what is offered beside it."""

from __future__ import annotations

import re

from harness.scheduler import Scheduler


def mend(scheduler: Scheduler, remedy: str) -> None:
    """Do what whoever pastes a remedy into psql does: execute it statement by statement."""
    scheduler.cluster.command("psql", "-X", "-v", "ON_ERROR_STOP=1", "-d", scheduler.dbname, input=remedy)


def alternatives(remedy: str) -> dict[str, str]:
    """The statements that a remedy has in comments, by what they are for."""
    return dict(re.findall(r"^-- ([^:\n]*): (.*;)$", remedy, re.MULTILINE))
