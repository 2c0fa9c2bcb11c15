"""Shows elephant_worker at work: a throwaway cluster with the pg_hba.conf of a stock server, an ordinary role
that defines jobs in two databases, what they do in fifteen seconds, and the views that tell it.

`python -m tools.demo FILE.svg` also saves what was shown as a picture (`make pictures`).
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.syntax import Syntax
from rich.terminal_theme import MONOKAI

from harness.cluster import Cluster, Installation

SECONDS = 15
WIDTH = 118  # columns of the picture
REPORT = Path("build/demo/report.html")

BEFORE = ["CREATE ROLE shop LOGIN PASSWORD 'shop'", "CREATE DATABASE weborder OWNER shop", "CREATE DATABASE warehouse"]
ADMINISTRATOR = [
    "CREATE SCHEMA scheduler",
    "CREATE EXTENSION elephant_worker WITH SCHEMA scheduler CASCADE",
    "SELECT scheduler.start_worker()",
    "GRANT job_scheduler TO shop",
    "ALTER ROLE shop SET search_path = public, scheduler",
]
TABLES = {
    "weborder": "CREATE TABLE public.orders (taken timestamptz DEFAULT now(), amount numeric);"
    " ALTER TABLE public.orders OWNER TO shop",
    "warehouse": "CREATE TABLE public.stock (item text, pieces integer); ALTER TABLE public.stock OWNER TO shop",
}
JOBS = {
    "take an order": """\
SELECT insert_job('INSERT INTO orders (amount) VALUES (random() * 100)', 'weborder',
                  schedule => '* * * * * *', job_name => 'take an order')""",
    "archive old orders": """\
SELECT insert_job($$DELETE FROM orders WHERE taken < now() - interval '5 seconds'$$, 'weborder',
                  schedule => '5 seconds', job_name => 'archive old orders')""",
    "vacuum the stock": """\
SELECT insert_job('VACUUM (ANALYZE) stock', 'warehouse',
                  schedule => '*/3 * * * * *', job_name => 'vacuum the stock')""",
    "import that fails": """\
SELECT insert_job($$INSERT INTO stock SELECT 'hay', 1/0$$, 'warehouse',
                  schedule => '*/4 * * * * *', job_name => 'import that fails')""",
    "report that takes long": """\
SELECT insert_job('SELECT pg_sleep(60)', 'warehouse', job_timeout => '2 seconds',
                  schedule => '*/6 * * * * *', job_name => 'report that takes long')""",
}
EVERY_DAY = [
    ("Which jobs are there, and how are they?", "SELECT * FROM job_overview"),
    ("What has run lately?", "SELECT * FROM recent_runs"),
    (
        "Why did it fail?",
        """\
SELECT job_started, job_sqlstate, exception_message FROM my_job_log
WHERE state = 'failed' ORDER BY jl_id DESC LIMIT 1""",
    ),
    ("What does a schedule mean?", "SELECT describe_schedule('30 4 * * 1-5')"),
]
NEXT = """
[bold]What next[/]
  The cluster is gone, and yours were not touched. On your own server:
      make && sudo make install
  and paste “The first job” of README.md into psql. Then read
      README.md            what it needs, who starts the worker after a reboot
      docs/reference.md    every function, view, column and setting
      examples/            scripts for jobs that many need
"""
STYLES = {"failed": "red", "timed out": "yellow", "running": "cyan"}


def main(picture: str | None = None) -> None:
    console = Console(record=True, width=WIDTH, file=io.StringIO()) if picture else Console(highlight=False)
    with tempfile.TemporaryDirectory() as directory:
        with console.status("installing the extension into a copy of the server's files …"):
            installation = Installation(Path(directory))
        with console.status("starting a throwaway cluster with the pg_hba.conf of a stock server …"):
            cluster = Cluster(installation)
        try:
            _set_up(cluster, console)
            with cluster.connect_as("shop", "weborder") as shop:
                if picture:
                    console.export_text()  # the administrator's part is not in the picture
                console.print("\n[bold]An ordinary role defines jobs, in two databases[/]\n")
                for call in JOBS.values():
                    _show(console, "weborder=> ", call)
                    shop.execute(call)
                _watch(shop, console)
                for question, query in EVERY_DAY:
                    console.print(f"\n[bold]{question}[/]\n")
                    _show(console, "weborder=> ", query)
                    _psql(cluster, console, query)
                if not picture:
                    _report(cluster, console)
        finally:
            cluster.stop()
    if picture:
        svg = console.export_svg(title="make demo", theme=MONOKAI, unique_id="demo")
        # The viewer's own fonts will do; those that rich names would be fetched from elsewhere.
        svg = svg.replace('class="demo-matrix"', 'class="demo-matrix" xml:space="preserve"')
        Path(picture).write_text(re.sub(r"@font-face \{.*?\n    \}\n", "", svg, flags=re.DOTALL))
    console.print(NEXT, highlight=False)


def _set_up(cluster: Cluster, console: Console) -> None:
    """What the administrator does, and what was there before."""
    with cluster.connect() as admin:
        for statement in BEFORE:
            admin.execute(statement)
    for dbname, statements in TABLES.items():
        with cluster.connect(dbname) as admin:
            admin.execute(statements)
    console.print("[bold]The administrator sets the scheduler up, in one database for the whole server[/]\n")
    with cluster.connect("weborder") as admin:
        for statement in ADMINISTRATOR:
            _show(console, "weborder=# ", statement)
            admin.execute(statement)


def _show(console: Console, prompt: str, statement: str) -> None:
    """A statement as it looks in psql."""
    text = Syntax("", "postgres", theme="ansi_dark", background_color="default").highlight(statement + ";")
    text.rstrip()
    first, *others = text.split("\n")
    console.print(prompt, first, sep="", soft_wrap=True)
    for line in others:
        console.print(" " * len(prompt), line, sep="", soft_wrap=True)


def _watch(shop: psycopg.Connection[Any], console: Console) -> None:
    """A bar for each job that grows with its runs."""
    console.print(f"\n[bold]They run, for {SECONDS} seconds[/]\n", highlight=False)
    progress = Progress(
        TextColumn("{task.description:24}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[states]}"),
        console=console,
    )
    bars = {name: progress.add_task(name, total=SECONDS, states="") for name in JOBS}
    clock = progress.add_task("seconds", total=SECONDS, states="")
    query = """SELECT j.job_name, count(l.jl_id) AS runs,
                      (SELECT string_agg(s.n || ' ' || s.state, ', ')
                       FROM (SELECT state, count(*) AS n FROM my_job_log
                             WHERE job_id = j.job_id GROUP BY state ORDER BY state) s) AS states
               FROM my_job j LEFT JOIN my_job_log l USING (job_id) GROUP BY j.job_id, j.job_name"""
    began = time.monotonic()
    with Live(progress, console=console, refresh_per_second=8):
        while (elapsed := time.monotonic() - began) < SECONDS:
            for row in shop.execute(query):
                progress.update(bars[row.job_name], completed=row.runs, states=row.states or "")
            progress.update(clock, completed=elapsed, states=f"{elapsed:.0f} of {SECONDS}")
            time.sleep(0.2)
        progress.update(clock, completed=SECONDS, states=f"{SECONDS} of {SECONDS}")
    if not console.is_terminal:
        console.print()


def _report(cluster: Cluster, console: Console) -> None:
    """The page of the role, in a file that stays."""
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(
        cluster.command("psql", "-XAtq", "-d", _shop(cluster), "-c", "SELECT report_html('1 minute')").stdout
    )
    console.print("\n[bold]Is there a picture?[/]\n")
    console.print(f"""$ psql -XAtqc "SELECT report_html('1 minute')" > {REPORT}""", markup=False, highlight=False)
    console.print(f"\nOpen [bold]{REPORT}[/] in a browser.", highlight=False)


def _shop(cluster: Cluster) -> str:
    return f"host=127.0.0.1 port={cluster.port} dbname=weborder user=shop password=shop"


def _psql(cluster: Cluster, console: Console, query: str) -> None:
    """What psql shows the role; nothing is cut."""
    for line in cluster.command("psql", "-X", "-d", _shop(cluster), "-c", query).stdout.splitlines():
        style = next((STYLES[state] for state in STYLES if f"| {state} " in line), None)
        console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
