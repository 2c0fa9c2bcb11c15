"""Shows elephant_worker at work: a throwaway cluster with the pg_hba.conf of a stock server, an
ordinary role with jobs in two databases, and what they do in fifteen seconds."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from rich import box
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from harness.cluster import Cluster, Installation

SECONDS = 15

JOBS: list[dict[str, Any]] = [
    {
        "job_description": "take orders",
        "datname": "weborder",
        "schedule": "* * * * * *",
        "job_command": "INSERT INTO orders (amount) VALUES (random() * 100)",
    },
    {
        "job_description": "archive old orders",
        "datname": "weborder",
        "schedule": "5 seconds",
        "job_command": "DELETE FROM orders WHERE taken < now() - interval '5 seconds'",
    },
    {
        "job_description": "refresh statistics",
        "datname": "warehouse",
        "schedule": "*/3 * * * * *",
        "job_command": "VACUUM (ANALYZE) stock",
    },
    {
        "job_description": "import that fails",
        "datname": "warehouse",
        "schedule": "*/4 * * * * *",
        "job_command": "INSERT INTO stock SELECT 'hay', 1/0",
    },
    {
        "job_description": "report that takes too long",
        "datname": "warehouse",
        "schedule": "*/6 * * * * *",
        "job_command": "SELECT pg_sleep(60)",
        "job_timeout": "2 seconds",
    },
]


def main() -> None:
    console = Console()
    with tempfile.TemporaryDirectory() as directory:
        with console.status("installing the extension into a copy of the server's files …"):
            installation = Installation(Path(directory))
        with console.status("starting a throwaway cluster with the pg_hba.conf of a stock server …"):
            cluster = Cluster(installation)
        try:
            _set_up(cluster, console)
            with cluster.connect_as("shop", "weborder") as shop:
                for job in JOBS:
                    arguments = ", ".join(f"{name} := %({name})s" for name in job)
                    shop.execute(f"SELECT insert_job({arguments})", job)
                shop.execute("SELECT run_job(job_id) FROM my_job WHERE job_description = 'archive old orders'")
                _watch(shop, console)
                _print(shop, console)
        finally:
            cluster.stop()


def _set_up(cluster: Cluster, console: Console) -> None:
    """The administrator's part."""
    with cluster.connect() as admin:
        for statement in (
            "CREATE ROLE shop LOGIN PASSWORD 'shop'",
            "CREATE DATABASE weborder OWNER shop",
            "CREATE DATABASE warehouse OWNER shop",
        ):
            admin.execute(statement)
    with cluster.connect("weborder") as admin:
        for statement in (
            "CREATE SCHEMA scheduler",
            "CREATE EXTENSION elephant_worker WITH SCHEMA scheduler CASCADE",
            "GRANT job_scheduler TO shop",
            "SELECT scheduler.start_worker()",
        ):
            console.print(f"[dim]weborder=#[/] {statement};")
            admin.execute(statement)
    with cluster.connect_as("shop", "weborder") as shop:
        shop.execute("ALTER ROLE shop SET search_path = public, scheduler")
        shop.execute("SET search_path = public")
        shop.execute("CREATE TABLE public.orders (taken timestamptz DEFAULT now(), amount numeric)")
    with cluster.connect_as("shop", "warehouse") as shop:
        shop.execute("CREATE TABLE public.stock (item text, pieces integer)")


def _watch(shop: psycopg.Connection[Any], console: Console) -> None:
    """A bar for each job that grows with its runs."""
    progress = Progress(
        TextColumn("{task.description:27}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[states]}"),
        console=console,
    )
    bars = {job["job_description"]: progress.add_task(job["job_description"], total=SECONDS, states="") for job in JOBS}
    clock = progress.add_task("seconds", total=SECONDS, states="")
    query = """SELECT j.job_description AS name, count(l.jl_id) AS runs,
                      (SELECT string_agg(s.n || ' ' || s.state, ', ')
                       FROM (SELECT state, count(*) AS n FROM my_job_log
                             WHERE job_id = j.job_id GROUP BY state ORDER BY state) s) AS states
               FROM my_job j LEFT JOIN my_job_log l USING (job_id) GROUP BY j.job_id, j.job_description"""
    began = time.monotonic()
    with Live(progress, console=console, refresh_per_second=8):
        while (elapsed := time.monotonic() - began) < SECONDS:
            for row in shop.execute(query):
                progress.update(bars[row.name], completed=row.runs, states=row.states or "")
            progress.update(clock, completed=elapsed, states=f"{elapsed:.0f} of {SECONDS}")
            time.sleep(0.2)
        progress.update(clock, completed=SECONDS, states=f"{SECONDS} of {SECONDS}")


def _print(shop: psycopg.Connection[Any], console: Console) -> None:
    _table(
        shop,
        console,
        "my_job",
        """SELECT job_id, datname, schedule, success_count AS ok, failure_count AS failed,
                  to_char(next_run_at, 'HH24:MI:SS') AS next_run, job_description
           FROM my_job ORDER BY job_id""",
    )
    _table(
        shop,
        console,
        "my_job_log, the last 25 runs",
        """SELECT * FROM (
               SELECT jl_id, job_id, datname, to_char(job_started, 'HH24:MI:SS.MS') AS started,
                      round(1000 * extract(epoch FROM job_finished - job_started), 1) AS ms, state,
                      coalesce(exception_message, command_tag) AS message
               FROM my_job_log ORDER BY jl_id DESC LIMIT 25) l
           ORDER BY jl_id""",
    )


def _table(shop: psycopg.Connection[Any], console: Console, title: str, query: str) -> None:
    cursor = shop.execute(query)
    names = [column.name for column in cursor.description or []]
    rows = [["" if value is None else str(value) for value in row] for row in cursor]
    table = Table(
        title=title,
        title_justify="left",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for number, name in enumerate(names):
        width = max(len(name), *(len(row[number]) for row in rows))
        last = number == len(names) - 1
        table.add_column(name, no_wrap=True, overflow="ellipsis", min_width=None if last else width)
    for row in rows:
        state = dict(zip(names, row)).get("state", "")
        table.add_row(*row, style={"failed": "red", "timed out": "yellow", "running": "cyan"}.get(state, ""))
    console.print()
    console.print(table)


if __name__ == "__main__":
    main()
