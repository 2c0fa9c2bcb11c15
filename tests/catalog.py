"""What the extension consists of, read from the catalogs as text: two databases with the same text have the same
extension."""

from __future__ import annotations

import re
from typing import Any

import psycopg

from harness.cluster import ROOT
from harness.scheduler import Scheduler

SORTED = r"(SELECT string_agg(i::text, ' ' ORDER BY i::text) FROM unnest(\1) i)"


def catalogs(connection: psycopg.Connection[Any]) -> list[str]:
    """Each fact about each object of the extension, as a text that begins with the name of the object."""
    query = re.sub(r"\bsorted\(([a-z.]+)\)", SORTED, (ROOT / "tests/catalog.sql").read_text())
    return [fact for (fact,) in connection.execute(query.encode()).fetchall()]


def assert_same(fresh: Scheduler, upgraded: Scheduler) -> None:
    fresh_facts, upgraded_facts = set(catalogs(fresh.admin)), set(catalogs(upgraded.admin))
    assert fresh_facts == upgraded_facts, "\n".join(
        [
            "only after CREATE EXTENSION:",
            *sorted(fresh_facts - upgraded_facts),
            "only after ALTER EXTENSION … UPDATE:",
            *sorted(upgraded_facts - fresh_facts),
        ]
    )
