"""The files in monitoring/: every query is executed, as the role that the documents tell of."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import yaml
from psycopg import sql

from harness.cluster import ROOT
from harness.documents import blocks
from harness.scheduler import SCHEMA, Scheduler

FOLDER = ROOT / "monitoring"
# As Grafana replaces them.
MACROS = {
    r"\$__timeFilter\((\w+)\)": r"\1 BETWEEN now() - interval '6 hours' AND now()",
    r"\$__timeGroup\((\w+), \$__interval\)": r"date_bin('1 minute', \1, '2000-01-01')",
}


@pytest.fixture
def monitor(scheduler: Scheduler) -> Iterator[str]:
    """The role of docs/monitoring.md."""
    role = scheduler.role("monitor", scheduler=False)
    scheduler.execute("GRANT job_monitor TO {}", sql.Identifier(role))
    scheduler.execute("ALTER ROLE {} SET search_path = {}", sql.Identifier(role), sql.Identifier(SCHEMA))
    scheduler.start()
    scheduler.insert("SELECT 1", expect_success_within="1 day", job_name="nightly")
    scheduler.run("SELECT 1/0", job_name="broken")
    return role


def collected(scheduler: Scheduler, monitor: str) -> dict[str, tuple[str, str]]:
    """What the exporter would collect: names, usage and description; all queries are executed."""
    session = scheduler.connect_as(monitor)
    found = {}
    for namespace, query in yaml.safe_load((FOLDER / "postgres_exporter.yml").read_text()).items():
        cursor = session.execute(query["query"])
        columns = {column.name for column in cursor.description or ()}
        rows = cursor.fetchall()
        assert rows or namespace in ("elephant_worker_alerts", "elephant_worker_runs"), namespace
        for metric in query["metrics"]:
            ((name, what),) = metric.items()
            assert name in columns, (namespace, name)
            found[f"{namespace}_{name}"] = (what["usage"], what["description"])
    return found


def test_the_exporter_collects_all_there_is(scheduler: Scheduler, monitor: str) -> None:
    scheduler.stop()  # has written what it has counted
    mine = collected(scheduler, monitor)
    shown = scheduler.execute("SELECT DISTINCT name, kind, help FROM metric").fetchall()
    names = {re.sub("_(bucket|sum|count)$", "", row.name) if row.kind == "histogram" else row.name for row in shown}
    names = {name + "_current" if name == "elephant_worker_condition" else name for name in names}
    assert names <= {name for name, (usage, _) in mine.items() if usage != "LABEL"}
    for row in shown:
        if row.name in mine:
            assert mine[row.name] == (row.kind.upper(), row.help)


def panels(file: str) -> list[Any]:
    found: list[Any] = json.loads((FOLDER / file).read_text())["panels"]
    assert len({panel["id"] for panel in found}) == len(found) > 5
    return found


def test_every_panel_of_the_database_is_executed(scheduler: Scheduler, monitor: str) -> None:
    session = scheduler.connect_as(monitor)
    for panel in panels("grafana-postgresql.json"):
        for target in panel["targets"]:
            query = target["rawSql"]
            for macro, replacement in MACROS.items():
                query = re.sub(macro, replacement, query)
            cursor = session.execute(query)
            if target["format"] == "time_series":
                assert (cursor.description or ())[0].name == "time"
            assert cursor.fetchall() or "Alerts" not in panel["title"], panel["title"]


def test_dashboards_and_rules_ask_for_what_there_is(scheduler: Scheduler, monitor: str) -> None:
    known = set(collected(scheduler, monitor))
    known |= {f"{name}_bucket" for name in known if name.endswith("_seconds")}
    asked = [target["expr"] for panel in panels("grafana-prometheus.json") for target in panel["targets"]] + [
        rule["expr"] for rule in yaml.safe_load((FOLDER / "alerts.rules.yml").read_text())["groups"][0]["rules"]
    ]
    for expression in asked:
        assert set(re.findall(r"elephant_worker_\w+", expression)) <= known, expression


def test_the_check_of_nagios(scheduler: Scheduler, monitor: str) -> None:
    (block,) = (block for block in blocks(ROOT / "docs/monitoring.md") if block.run_by and "check_elep" in block.code)
    program, conninfo = shlex.split(block.code)
    assert "host" in psycopg.conninfo.conninfo_to_dict(conninfo)

    def check(dbname: str = scheduler.dbname) -> tuple[int, str]:
        done = subprocess.run(
            [
                ROOT / program,
                psycopg.conninfo.make_conninfo(
                    host="127.0.0.1", port=scheduler.cluster.port, user=monitor, password=monitor, dbname=dbname
                ),
            ],
            capture_output=True,
            text=True,
        )
        assert done.stderr == ""
        return done.returncode, done.stdout

    status, text = check()
    assert status == 1
    assert re.fullmatch(
        r"ELEPHANT_WORKER WARNING: 1 jobs failing \| lag=[\d.]+s;60 failing=1;0 quarantined=0;0 overdue=0;;0 "
        r"running=0 undelivered=1\n",
        text,
    )
    scheduler.execute("DELETE FROM member_job WHERE job_name = 'broken'")
    scheduler.tick()
    assert check()[0] == 0
    scheduler.execute("UPDATE job SET schedule_set_at = now() - interval '2 days' WHERE job_name = 'nightly'")
    assert check()[1].startswith("ELEPHANT_WORKER CRITICAL: 1 jobs overdue |")
    scheduler.execute("UPDATE job SET schedule_set_at = now() WHERE job_name = 'nightly'")
    with scheduler.admin.transaction():
        scheduler.execute("LOCK TABLE job_state IN ACCESS EXCLUSIVE MODE")
        status, text = check()
        assert status == 2
        assert text.startswith("ELEPHANT_WORKER CRITICAL: the jobs cannot be looked at: process ")
        assert " keeps job_state locked\n" in text
    scheduler.stop()
    status, text = check()
    assert (status, text.partition(" at ")[0]) == (
        2,
        'ELEPHANT_WORKER CRITICAL: the worker was stopped by role "postgres"',
    )
    assert check("nowhere")[0] == 3
