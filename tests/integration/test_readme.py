"""The blocks of README.md are executed as they stand, one after the other, on a server that is new; and the demo."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cluster import ROOT, Cluster, Installation
from harness.waiting import until
from tools import demo

README = (ROOT / "README.md").read_text()
SECTIONS = dict(section.split("\n", 1) for section in README.split("\n## ")[1:])


def blocks(section: str) -> list[str]:
    return re.findall(r"```sql\n(.*?)```", SECTIONS[section], re.DOTALL)


@pytest.fixture
def new_server(installation: Installation) -> Iterator[Cluster]:
    cluster = Cluster(installation)
    yield cluster
    cluster.stop()


def paste(cluster: Cluster, block: str) -> str:
    """What psql prints, in a session of its own."""
    return cluster.command("psql", "-X", "-v", "ON_ERROR_STOP=1", "-d", "postgres", input=block).stdout


def test_every_block_of_the_readme(new_server: Cluster) -> None:
    assert README.count("```sql") == sum(len(blocks(section)) for section in SECTIONS)
    (first_job,) = blocks("The first job")
    printed = paste(new_server, first_job)
    assert re.search(r"SELECT current_user, now\(\) \| succeeded\n\(1 row\)\n\s*$", printed), printed
    with new_server.connect() as admin:
        for section in SECTIONS:
            if section not in ("The first job", "Removing it"):
                for block in blocks(section):
                    paste(new_server, block)
        jobs = "SELECT rolname, job_name, enabled FROM scheduler.member_job ORDER BY job_id"
        assert [tuple(row) for row in admin.execute(jobs)][1:] == [
            ("app", "reports", True),
            ("app", "poll", False),
            ("app", "close the day", True),
        ]
        once = "SELECT state FROM scheduler.member_job_log WHERE job_command = 'VACUUM'"
        until(lambda: [row.state for row in admin.execute(once)] == ["succeeded"], "what was asked for once")
        (removal,) = blocks("Removing it")
        paste(new_server, removal)
        roles = "SELECT rolname FROM pg_roles WHERE oid >= 16384"
        until(lambda: [row.rolname for row in admin.execute(roles)] == ["app"], "the worker to have gone")
        assert admin.execute("SELECT FROM pg_namespace WHERE nspname = 'scheduler'").fetchone() is None


@pytest.mark.slow
def test_the_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(demo, "SECONDS", 10)
    demo.main()
    shown = capsys.readouterr().out
    defined, watched, _ = re.split(r"They run, for|What next", shown)
    for statement in [*demo.ADMINISTRATOR, *demo.JOBS.values()]:
        for line in statement.splitlines():
            assert line.strip() in defined, line
    for name in demo.JOBS:
        assert f"| {name} " in watched
    for state in ("succeeded", "failed", "timed out", "division by zero"):
        assert state in watched
    for _, query in demo.EVERY_DAY:
        assert query.splitlines()[0] in watched
    # Whatever is cut says so.
    for line in shown.splitlines():
        if "the run took longer than jo" in line:
            assert "job_timeout" in line or line.rstrip().endswith("...")
