"""Debian's postgres_exporter and promtool with the files in monitoring/ (`make monitoring`)."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import sql

from harness.cluster import ROOT, Cluster
from harness.documents import blocks
from harness.scheduler import SCHEMA, TEMPLATE, Scheduler
from harness.waiting import until
from tests.conftest import *  # noqa: F403 - fixtures

FOLDER = ROOT / "monitoring"
PAGE = (ROOT / "docs/monitoring.md").read_text()


def promtool(*arguments: str, given: str = "") -> None:
    done = subprocess.run(["promtool", *arguments], input=given, capture_output=True, text=True, cwd=FOLDER)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules() -> None:
    promtool("check", "rules", "alerts.rules.yml")
    promtool("test", "rules", "alerts.test.yml")


def test_the_configuration_of_the_document(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```yaml\n(rule_files.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    file = tmp_path / "prometheus.yml"
    file.write_text(text.replace("monitoring/alerts.rules.yml", str(FOLDER / "alerts.rules.yml")))
    promtool("check", "config", str(file))


@pytest.fixture
def monitored(cluster: Cluster) -> Iterator[Scheduler]:
    """This version of the exporter cannot read names with blanks."""
    with cluster.connect() as admin:
        admin.execute(sql.SQL("CREATE DATABASE monitored TEMPLATE {}").format(sql.Identifier(TEMPLATE)))
        admin.execute("CREATE ROLE monitor LOGIN PASSWORD 'monitor'")
    scheduler = Scheduler(cluster, "monitored")
    yield scheduler
    scheduler.close()
    with cluster.connect() as admin:
        admin.execute("DROP ROLE monitor")


@pytest.fixture
def scraped(monitored: Scheduler) -> Iterator[str]:
    """What the exporter shows of a cluster with a worker that has done something."""
    scheduler = monitored
    scheduler.execute("GRANT job_monitor TO monitor")
    scheduler.execute("ALTER ROLE monitor SET search_path = {}", sql.Identifier(SCHEMA))
    scheduler.start()
    scheduler.insert("SELECT 1", expect_success_within="1 day", job_name="nightly")
    for command in ("SELECT 1", "SELECT 1/0"):
        scheduler.run(command)
    counted = "SELECT count(*) FROM metric_counter WHERE name = 'runs'"
    until(lambda: scheduler.value(counted) == 2, "the counters", 30)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (block,) = (block for block in blocks(ROOT / "docs/monitoring.md") if "DATA_SOURCE_NAME" in block.code)
    source, *command = shlex.split(block.code.replace("\\\n", ""))
    source = source.partition("=")[2].replace("user=monitoring", "user=monitor password=monitor")
    server = f"host=127.0.0.1 port={scheduler.cluster.port} dbname=monitored"
    source = source.replace("host=/var/run/postgresql dbname=postgres", server)
    assert server in source
    exporter = subprocess.Popen(
        [
            *command,
            f"--web.listen-address=127.0.0.1:{port}",
            "--disable-default-metrics",
            "--disable-settings-metrics",
        ],
        env={
            **os.environ,
            "DATA_SOURCE_NAME": source,
        },
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )

    def scrape() -> str:
        assert exporter.poll() is None, exporter.communicate()[1]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    try:
        yield until(scrape, "the exporter", 30)
    finally:
        exporter.terminate()
        errors = exporter.communicate()[1]
    assert "level=error" not in errors, errors


def test_the_exporter_shows_what_the_view_shows(monitored: Scheduler, scraped: str) -> None:
    ours = [line for line in scraped.splitlines() if re.match("(# (HELP|TYPE) )?elephant_worker", line)]
    promtool("check", "metrics", given="\n".join([*ours, ""]))

    def value(name: str, **labels: str) -> float:
        lines = [
            line
            for line in ours
            if re.match(rf"{name}[{{ ]", line) and all(f'{label}="{text}"' in line for label, text in labels.items())
        ]
        assert len(lines) == 1, (name, lines)
        return float(lines[0].rpartition(" ")[2])

    for row in monitored.execute("SELECT * FROM metric").fetchall():
        name = "elephant_worker_condition_current" if row.name == "elephant_worker_condition" else row.name
        if row.kind != "gauge" or not row.name.endswith(("_seconds", "_sessions", "_rows")):
            labels = {label: text for label, text in row.labels.items() if text != ""}
            assert value(name, **labels) == pytest.approx(row.value)
    assert value("elephant_worker_job_success_expected_seconds", job_name="nightly") == 86400
    assert value("elephant_worker_job_success_age_seconds", job_name="nightly") < 86400
