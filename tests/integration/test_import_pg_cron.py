"""Jobs of pg_cron become jobs of this extension."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from harness.scheduler import Scheduler


@pytest.fixture
def app(scheduler: Scheduler) -> psycopg.Connection[Any]:
    return scheduler.connect_as(scheduler.role())


def row(number: int, schedule: str = "0 3 * * *", command: str = "SELECT 1", **others: Any) -> dict[str, Any]:
    """A row of cron.job, as another database hands it over."""
    return {
        "jobid": number,
        "schedule": schedule,
        "command": command,
        "nodename": "localhost",
        "nodeport": 5432,
        **others,
    }


def bring(session: psycopg.Connection[Any], rows: Any, dry_run: bool = True, **options: Any) -> list[Any]:
    arguments = "".join(f", {name} => %s" for name in options)
    document = rows if isinstance(rows, str) else json.dumps(rows)
    query = f"SELECT * FROM import_pg_cron(%s, %s{arguments})"
    return session.execute(query, (dry_run, document, *options.values())).fetchall()


def test_a_dry_run_says_what_an_import_does(app: psycopg.Connection[Any]) -> None:
    rows = [row(7, jobname="nightly", active=False), row(2, "30 seconds"), row(3, "0 25 * * *")]
    shown = bring(app, rows)
    assert [(line.source_id, line.action, line.job_name, line.schedule, line.job_id) for line in shown] == [
        ("2", "import", "pg_cron 2", "30 seconds", None),
        ("3", "leave out", "pg_cron 3", None, None),
        ("7", "import", "nightly", "0 3 * * *", None),
    ]
    assert app.execute("SELECT FROM my_job").fetchall() == []
    brought = bring(app, rows, False)
    assert [line[:2] for line in brought] == [line[:2] for line in shown]
    jobs = app.execute(
        "SELECT job_id, job_name, schedule, timezone, enabled, part FROM my_job ORDER BY job_id"
    ).fetchall()
    assert jobs == [
        (brought[0].job_id, "pg_cron 2", "30 seconds", "GMT", True, "pg_cron"),
        (brought[2].job_id, "nightly", "0 3 * * *", "GMT", False, "pg_cron"),
    ]
