"""Every command in the documents does what it is there for: each page is worked through as a reader would, on a server
that is new."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from harness.cluster import ROOT, USER, Cluster, Installation
from harness.documents import Block, blocks
from harness.waiting import until
from tests.releases import ORIGIN, add_release

DOCUMENTS = sorted(
    file
    for folder in (
        ".",
        "docs",
        "docs/decisions",
        "examples",
        "launcher",
        "monitoring",
        "console",
        "cron",
        "sql",
        "updates",
        "tests",
    )
    for file in (ROOT / folder).glob("*.md")
)
PAGES = [document for document in DOCUMENTS if any(block.is_run_here for block in blocks(document))]
STATEMENT = re.compile(r"(?:SELECT|UPDATE|INSERT|DELETE|TABLE) [^…]+")


def name(document: Path) -> str:
    return str(document.relative_to(ROOT))


def shell(cluster: Cluster, code: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run commands as the operating system's user of the server does."""
    return subprocess.run(
        ["sh", "-eu", "-c", code],
        cwd=directory,
        env={
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "PATH": f"{cluster.installation.bindir}:{os.environ['PATH']}",
            "PGHOST": cluster.socket_directory,
            "PGPORT": str(cluster.port),
            "PGDATA": cluster.get_data_directory(),
            "PGUSER": USER,
            "PGDATABASE": "postgres",
        },
        capture_output=True,
        text=True,
    )


def psql(cluster: Cluster, block: Block) -> subprocess.CompletedProcess[str]:
    """Run statements in a session of their own; being another role is here what logging in is there."""
    login = f'SET SESSION AUTHORIZATION "{block.role}";\n' if block.role else ""
    return cluster.command(
        "psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-d", "postgres", input=login + block.code,
        check=False,
    )  # fmt: skip


def run(cluster: Cluster, document: Path, block: Block, directory: Path) -> None:
    where = f"{name(document)}:{block.line}"

    def shown() -> str:
        done = shell(cluster, block.code, directory) if block.language == "sh" else psql(cluster, block)
        if block.fails:
            assert f"ERROR:  {block.fails}:" in done.stderr, f"{where}: {done.stderr or done.stdout}"
        else:
            assert done.returncode == 0, f"{where}: {done.stderr}{done.stdout}"
        return done.stdout + done.stderr

    if block.until is None:
        shown()
    else:
        wanted = block.until
        until(lambda: wanted in shown(), f"{where} to show {wanted}")


@pytest.fixture(scope="module")
def releases(installation: Installation) -> Installation:
    """An earlier version can be updated."""
    add_release(installation, ORIGIN)
    return installation


@pytest.fixture
def server(releases: Installation, new_data_directory: str) -> Iterator[Cluster]:
    cluster = Cluster(releases, copy_data_from=new_data_directory)
    yield cluster
    cluster.stop()


def test_each_block_is_run_or_says_why_not() -> None:
    for document in DOCUMENTS:
        for block in blocks(document):
            where = f"{name(document)}:{block.line}"
            if block.is_run_here:
                assert block.language in ("sql", "sh"), f"{where}: nothing runs it, and no comment says why"
            elif block.run_by is not None:
                assert document.name in (ROOT / block.run_by).read_text(), f"{where}: {block.run_by} does not know it"


@pytest.mark.parametrize("document", PAGES, ids=name)
def test_the_commands_of(document: Path, server: Cluster, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for block in blocks(document):
        if block.is_run_here:
            run(server, document, block, tmp_path)


INLINE = [
    (name(document), statement)
    for document in DOCUMENTS
    if name(document).startswith(("README", "docs/")) and "decisions" not in name(document)
    for statement in re.findall(
        r"`([^`\n]+)`", re.sub(r"^```.*?^```$|<!--.*?-->", "", document.read_text(), flags=re.S | re.M)
    )
    if STATEMENT.fullmatch(statement)
]


def test_statements_in_the_text_are_understood(releases: Installation) -> None:
    """Their names, columns and parameters exist."""
    cluster = Cluster(releases)
    try:
        with cluster.connect() as admin:
            admin.execute("CREATE SCHEMA scheduler")
            admin.execute("CREATE EXTENSION elephant_worker SCHEMA scheduler CASCADE")
            admin.execute("SET search_path = public, scheduler")
            assert len(INLINE) > 20
            wrong = []
            for document, statement in INLINE:
                try:
                    admin.execute("PREPARE s AS " + re.sub(r" ?(;|\\gx)$", "", statement))
                    admin.execute("DEALLOCATE s")
                except psycopg.Error as error:
                    wrong.append(f"{document}: {statement}: {error}")
            assert not wrong, "\n".join(wrong)
    finally:
        cluster.stop()
