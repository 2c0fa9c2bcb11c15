"""The scripts in examples/: executed as their README says, their jobs run by the worker, and what they did."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from harness.cluster import ROOT
from harness.scheduler import SCHEMA, Scheduler
from harness.waiting import until

EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.sql"))
App = psycopg.Connection[Any]


def install(scheduler: Scheduler, example: str, role: str | None = None, **variables: str) -> None:
    """Execute a script with psql; as an ordinary role over the loopback address."""
    options = "-c search_path=public," + f'"{SCHEMA}"'.replace(" ", "\\ ")
    login = {} if role is None else {"host": "127.0.0.1", "user": role, "password": role}
    arguments = [f"--set={name}={value}" for name, value in {"ON_ERROR_STOP": "1", **variables}.items()]
    scheduler.cluster.command(
        "psql",
        "-X",
        *arguments,
        f"--dbname={make_conninfo(dbname=scheduler.dbname, options=options, **login)}",
        f"--file={ROOT / f'examples/{example}.sql'}",
    )


def creator(scheduler: Scheduler) -> str:
    """A role that may create schemas in the database and define jobs."""
    role = scheduler.role("creator")
    scheduler.execute("GRANT CREATE ON DATABASE {} TO {}", sql.Identifier(scheduler.dbname), sql.Identifier(role))
    return role


def run(scheduler: Scheduler, job_name: str) -> Any:
    """Have the worker run the job of this name; its log row."""
    job_id = scheduler.value("SELECT job_id FROM member_job WHERE job_name = %s", job_name)
    row = scheduler.ended(scheduler.value("SELECT run_job(%s::bigint)", job_id))
    assert row.state == "succeeded", row
    return row


def test_the_readme_names_them_all() -> None:
    text = (ROOT / "examples/README.md").read_text()
    assert [example for example in EXAMPLES if f"[{example}.sql]({example}.sql)" not in text] == []
    assert {f"test_{example}" for example in EXAMPLES} <= set(globals())


def test_kill_idle_transactions(worker: Scheduler) -> None:
    sleeper, superuser = worker.connect_as(worker.role("sleeper")), worker.connect()
    busy = worker.connect_as(worker.role("busy"))
    for session in (sleeper, superuser):
        session.execute("BEGIN")
        session.execute("SELECT 'forgotten'")
    install(worker, "kill_idle_transactions", limit="0 seconds")
    worker._roles.append("janitor")
    notices = run(worker, "kill idle transactions").notices
    assert f"WARNING:  ended process {sleeper.info.backend_pid} of role" in notices
    assert "SELECT 'forgotten'" in notices
    assert notices.count("ended process") == 1
    with pytest.raises(psycopg.OperationalError):
        sleeper.execute("SELECT 1")
    for session in (superuser, busy):
        session.execute("SELECT 1")
    superuser.close()
    assert "10 minutes" in (ROOT / "examples/kill_idle_transactions.sql").read_text()


def test_collect_statistics(worker: Scheduler) -> None:
    install(worker, "collect_statistics", creator(worker))
    for _ in range(2):
        run(worker, "collect statistics")
    samples = "SELECT count(DISTINCT sampled_at) FROM statistics.{}"
    assert worker.value(samples.format("database_sample")) == 2
    assert worker.value(samples.format("table_sample")) == 2
    assert worker.value(
        "SELECT max(commits_per_second) >= 0 FROM statistics.database_rate WHERE datname = %s",
        worker.dbname,
    )
    assert worker.value("SELECT count(*) FROM statistics.table_growth") > 0
    worker.execute("UPDATE statistics.database_sample SET sampled_at = sampled_at - interval '31 days'")
    run(worker, "collect statistics")
    assert worker.value(samples.format("database_sample")) == 1
    assert worker.value(samples.format("table_sample")) == 3


def test_predict_values(worker: Scheduler) -> None:
    install(worker, "predict_values")
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    rows = [(chance.uniform(1, 2000), chance.uniform(0.1, 40), chance.randrange(9)) for _ in range(200)]
    days = [0.5 + 0.002 * distance + 0.01 * weight + 0.25 * stops for distance, weight, stops in rows]
    for number, (row, duration) in enumerate(zip(rows, days)):
        worker.admin.execute(
            "INSERT INTO forecast.delivery (distance_km, weight_kg, stops, days) VALUES (%s, %s, %s, %s)",
            (*row, duration if number < 150 else None),
        )
    log = run(worker, "predict delivery days")
    assert log.notices.startswith("INFO:  days = 0.5  + 0.002 distance_km + 0.01 weight_kg + 0.25 stops")
    predicted = worker.execute("SELECT days, predicted_days FROM forecast.delivery ORDER BY delivery_id").fetchall()
    assert [row.predicted_days for row in predicted[:150]] == [None] * 150
    assert [row.predicted_days for row in predicted[150:]] == pytest.approx(days[150:])


def test_archive_orders(worker: Scheduler) -> None:
    install(worker, "archive_orders", creator(worker))
    worker.execute(
        """INSERT INTO shop.orders (customer, amount, closed_at)
           SELECT 'somebody', i, CASE WHEN i <= 2500 THEN now() - interval '15 days'
                                      WHEN i <= 2600 THEN now() - interval '13 days' END
           FROM generate_series(1, 2700) i"""
    )
    assert run(worker, "archive orders").notices == "NOTICE:  2500 orders archived"
    assert worker.value("SELECT count(*) FROM shop.orders") == 200
    assert worker.value("SELECT count(*) = 2500 AND sum(amount) = 2500 * 2501 / 2 FROM shop.order_archive")
    assert run(worker, "archive orders").notices == "NOTICE:  0 orders archived"


def test_refresh_views(worker: Scheduler) -> None:
    install(worker, "refresh_views", creator(worker))
    worker.execute(
        """INSERT INTO sales.sale SELECT '2026-01-01'::timestamptz + i * interval '1 day', 10 + i
           FROM generate_series(0, 99) i"""
    )
    run(worker, "refresh sales by day")
    last = "SELECT l.state FROM member_job_log l WHERE l.job_name = 'refresh best month'"
    until(lambda: worker.value(last) not in (None, "running"), "the last of the chain")
    assert worker.value("SELECT count(*) FROM sales.by_day") == 100
    assert worker.value("SELECT sum(amount) FROM sales.by_month") == sum(range(10, 110))
    assert worker.value("SELECT to_char(month, 'YYYY-MM') FROM sales.best_month") == "2026-03"
    first, second, third = (
        worker.execute(
            "SELECT l.* FROM member_job_log l JOIN member_job j USING (job_id) WHERE j.job_name = {}", sql.Literal(name)
        ).fetchone()
        for name in ("refresh sales by day", "refresh sales by month", "refresh best month")
    )
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.job_finished <= second.job_started
    assert second.job_finished <= third.job_started


def test_maintain_partitions(worker: Scheduler) -> None:
    install(worker, "maintain_partitions", creator(worker))
    partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'sensor.measurement'::regclass"
    assert worker.value(partitions) == 8
    worker.execute("INSERT INTO sensor.measurement VALUES (now() + interval '6 days', 1, 20.5)")
    # As after a day without the job, and with a partition that has become too old.
    day = worker.value("SELECT to_char((now() AT TIME ZONE 'UTC')::date + 7, 'YYYYMMDD')")
    worker.execute(f"DROP TABLE sensor.measurement_{day}")
    for age, name in ((91, "old"), (90, "young")):
        worker.execute(
            f"""DO $$BEGIN EXECUTE format('CREATE TABLE sensor.measurement_%s PARTITION OF sensor.measurement '
                                          'FOR VALUES FROM (%L) TO (%L)',
                    to_char(current_date - {age}, 'YYYYMMDD'), current_date - {age}, current_date - {age - 1}); END$$"""
        )
        assert name
    notices = run(worker, "maintain partitions").notices.splitlines()
    assert notices[0] == f"NOTICE:  made measurement_{day}"
    assert [line.split()[1] for line in notices] == ["made", "dropped"]
    assert worker.value(partitions) == 9
    assert worker.value("SELECT value FROM sensor.measurement") == 20.5


def test_migrate_jobs(worker: Scheduler) -> None:
    role = creator(worker)
    document = ROOT / "examples/shop_jobs.json"
    install(worker, "migrate_jobs", role)  # as README shows it, at the root of the checkout
    install(worker, "migrate_jobs", role, file=str(document))
    assert worker.value("SELECT count(*) FROM job_change") == 2
    run(worker, "close the day")
    until(lambda: worker.value("SELECT count(report) FROM shop.day") == 1, "the report")

    def check() -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(worker.cluster.port),
            "PGUSER": role,
            "PGPASSWORD": role,
            "PGDATABASE": worker.dbname,
            "PGOPTIONS": "-c search_path=public," + f'"{SCHEMA}"'.replace(" ", "\\ "),
            "PATH": f"{worker.cluster.installation.bindir}:{os.environ['PATH']}",
        }
        return subprocess.run(
            [ROOT / "examples/check_jobs.sh", document, "shop"], env=environment, capture_output=True, text=True
        )

    done = check()
    assert (done.returncode, done.stdout) == (0, f"The jobs of shop are what {document} says.\n"), done.stderr
    worker.execute(
        "SELECT update_job((SELECT job_id FROM job WHERE job_name = 'daily report'), job_timeout => '1 hour')"
    )
    done = check()
    assert done.returncode == 1
    assert "01:00:00" in done.stdout
    assert "update_job by" in done.stdout
    # A mistake in the document undoes the whole migration.
    worker.execute("DROP SCHEMA shop CASCADE")
    broken = Path(worker.cluster.base_dir, "broken.json")
    broken.write_text(document.read_text().replace("30 2 * * *", "61 2 * * *"))
    with pytest.raises(subprocess.CalledProcessError) as raised:
        install(worker, "migrate_jobs", role, file=str(broken))
    assert 'schedule: invalid schedule "61 2 * * *"' in raised.value.stderr
    assert worker.value("SELECT to_regnamespace('shop')") is None
