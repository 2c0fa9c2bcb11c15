"""The recipes of docs/drivers.md, as they stand."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from harness.cluster import ROOT
from harness.scheduler import SCHEMA, Scheduler

DOCUMENT = (ROOT / "docs/drivers.md").read_text()
RECIPES = dict(re.findall(r"^## (.+?)\n.*?^```python\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL))


def test_every_driver_has_a_recipe() -> None:
    assert list(RECIPES) == ["psycopg 3", "psycopg2", "asyncpg", "pg8000", "SQLAlchemy", "ORMs"]


def test_the_versions_are_those_of_the_tests() -> None:
    pins = dict(
        re.findall(r"^([\w-]+)==([\w.]+)(?!.*python_version <)", (ROOT / "tools/requirements.txt").read_text(), re.M)
    )
    rows = re.findall(r"^\| (.+?) \| (.+?) \| .*by the tests \|$", DOCUMENT, re.M)
    packages = {"psycopg 3": "psycopg", "psycopg2": "psycopg2-binary"}
    assert {packages.get(client, client): version for client, version in rows}.items() <= pins.items()
    assert [client for client, _ in rows] == [driver for driver in RECIPES if driver != "ORMs"]


CASES = [(driver, "psycopg") for driver in RECIPES if driver != "ORMs"] + [
    ("SQLAlchemy", "psycopg2"),
    ("SQLAlchemy", "pg8000"),
]


def execute(program: str, scheduler: Scheduler, role: str) -> None:
    """Run it as this role in the control database."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            "PGHOST": "127.0.0.1",
            "PGPORT": str(scheduler.cluster.port),
            "PGUSER": role,
            "PGPASSWORD": role,
            "PGDATABASE": scheduler.dbname,
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("driver", "below"), CASES)
def test_recipe(scheduler: Scheduler, driver: str, below: str) -> None:
    role = scheduler.role()
    scheduler.execute(f"ALTER ROLE \"{role}\" SET search_path = '{SCHEMA}'")
    program = RECIPES[driver].replace("5432", str(scheduler.cluster.port))
    program = (
        program.replace('"app"', repr(role))
        .replace('"secret"', repr(role))
        .replace('"postgres")', f"{scheduler.dbname!r})")
    )
    if below == "pg8000":
        url = f"postgresql+pg8000://{role}:{role}@localhost:{scheduler.cluster.port}/{scheduler.dbname}".replace(
            " ", "%20"
        )
        program = program.replace("postgresql+psycopg://", url)
    program = program.replace("+psycopg:", f"+{below}:")
    execute(program, scheduler, role)
    jobs = scheduler.execute(
        "SELECT schedule, split_part(describe_schedule(schedule), ';', 1), job_timeout::text, settings "
        "FROM member_job ORDER BY job_id"
    ).fetchall()
    assert jobs[0][1:] == ("every 5 minutes", "00:01:00", {"work_mem": "64MB"})
    assert jobs[-1].schedule == '{"0 9 * * 1-5","0 12 * * 6"}'
    assert scheduler.value("SELECT count(*) FROM waiting_run") == 1


def test_orm(scheduler: Scheduler) -> None:
    role = scheduler.role()
    scheduler.execute(f"ALTER ROLE \"{role}\" SET search_path = '{SCHEMA}'")
    execute(RECIPES["ORMs"], scheduler, role)
    jobs = scheduler.execute("SELECT job_name, schedule, enabled, rolname FROM member_job").fetchall()
    assert jobs == [("nightly", "@daily", False, role)]
