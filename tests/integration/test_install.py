"""make install, the pgxn client, and CREATE EXTENSION."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from harness.cluster import ROOT, Cluster, Installation, pg_config
from harness.scheduler import INTERNAL, SCHEMA, Scheduler, new_scheduler, with_template


def test_the_oldest_postgresql_is_the_same_everywhere() -> None:
    meta = json.loads((ROOT / "META.json").read_text())
    oldest = meta["prereqs"]["runtime"]["requires"]["PostgreSQL"].removesuffix(".0.0")
    assert f"version {oldest} to " in (ROOT / "README.md").read_text()
    assert f"${{*:-{oldest} " in (ROOT / "tools/matrix.sh").read_text()
    assert f"\nOLDEST = {oldest}\n" in (ROOT / "Makefile").read_text()
    assert (ROOT / "debian/pgversions").read_text() == f"{oldest}+\n"


@pytest.mark.parametrize("major", ["9.6", "13", "14"])
def test_a_server_that_is_too_old(installation: Installation, major: str) -> None:
    told = rf"elephant_worker needs PostgreSQL 15 or later; .*pg_config is of {major}\n"
    with pytest.raises(RuntimeError, match=told):
        installation.make("install", f"MAJORVERSION={major}")


def files_below(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def version(extension: str = "elephant_worker") -> str:
    (line,) = [
        line for line in (ROOT / f"{extension}.control").read_text().splitlines() if line.startswith("default_version")
    ]
    return line.split("'")[1]


def test_the_version_is_the_same_everywhere() -> None:
    meta = json.loads((ROOT / "META.json").read_text())
    assert meta["version"] == version()
    assert set(meta["provides"]) == {"elephant_worker", "elephant_worker_cron"}
    for extension, provided in meta["provides"].items():
        assert provided["version"] == version(extension) == version()
        assert (ROOT / provided["file"]).exists()
        assert (ROOT / provided["docfile"]).exists()
    assert f"## {version()}" in (ROOT / "CHANGELOG.md").read_text()


def test_destdir(installation: Installation, tmp_path: Path) -> None:
    installation.make("install", f"DESTDIR={tmp_path}")
    installed = files_below(tmp_path)
    sharedir, pkglibdir = pg_config("--sharedir"), pg_config("--pkglibdir")
    for end in (
        f"{pg_config('--bindir')}/elephant_worker_patroni",
        f"{sharedir}/extension/elephant_worker--{version()}.sql",
        f"{sharedir}/extension/elephant_worker--1.0.0--{version()}.sql",
        f"{sharedir}/extension/elephant_worker.control",
        f"{sharedir}/extension/elephant_worker_cron--{version()}.sql",
        f"{sharedir}/extension/elephant_worker_cron.control",
        f"{pkglibdir}/elephant_worker/{version()}/elephant_worker/worker/loop.py",
        f"{pkglibdir}/elephant_worker/{version()}/vendor/croniter/__init__.py",
        f"{pkglibdir}/elephant_worker/{version()}/vendor/psycopg/pq/__init__.py",
    ):
        assert any(path.endswith(end) for path in installed), end
    assert any(path.endswith(".pyc") for path in installed)
    (stamp,) = [path for path in installed if path.endswith("/elephant_worker/version.py")]
    assert (tmp_path / stamp).read_text().startswith(f'VERSION = "{version()}"\nTZPATH = \'/')
    others = [path.with_name(f"of_others{path.suffix}") for path in map(tmp_path.joinpath, installed)]
    others = [path for path in others if "/elephant_worker/" not in str(path)]
    for path in others:
        path.touch()
    installation.make("uninstall", f"DESTDIR={tmp_path}")
    assert files_below(tmp_path) == sorted({str(path.relative_to(tmp_path)) for path in others})
    assert list(tmp_path.rglob("elephant_worker")) == []  # nor an empty directory


def test_the_server_may_read_what_is_installed_under_any_umask(installation: Installation, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        installation.make("install", f"DESTDIR={tmp_path / 'stage'}", f"BUILD={tmp_path / 'build'}")
    finally:
        os.umask(before)
    installed = list((tmp_path / "stage").rglob("*"))
    assert any(path.name == "croniter.py" for path in installed)
    for path in installed:
        needed = 0o555 if path.is_dir() else 0o444
        assert path.stat().st_mode & needed == needed, path


def test_the_script_is_built_for_the_server_that_it_is_installed_in(installation: Installation, tmp_path: Path) -> None:
    build = f"BUILD={tmp_path}"
    installation.make("all", build, "pkglibdir=/the/first")
    script = tmp_path / f"elephant_worker--{version()}.sql"
    assert "/the/first" in script.read_text()
    installation.make("all", build, "pkglibdir=/the/second")
    assert "/the/first" not in script.read_text()
    built = script.stat().st_mtime_ns
    installation.make("all", build, "pkglibdir=/the/second")
    assert script.stat().st_mtime_ns == built


def test_versions_lie_side_by_side(installation: Installation, tmp_path: Path) -> None:
    """Neither installing nor removing a version touches the files of another."""
    installation.make("install", f"DESTDIR={tmp_path}")
    (package,) = tmp_path.rglob(f"elephant_worker/{version()}")
    (script,) = tmp_path.rglob(f"elephant_worker--{version()}.sql")
    earlier = [
        package.with_name("1.0.0") / "elephant_worker/__init__.py",
        script.with_name("elephant_worker--1.0.0.sql"),
    ]
    for path in earlier:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for target in ("install", "uninstall"):
        installation.make(target, f"DESTDIR={tmp_path}")
    assert files_below(tmp_path) == sorted(str(path.relative_to(tmp_path)) for path in earlier)


def test_pgxn_client(cluster: Cluster, installation: Installation, tmp_path: Path) -> None:
    """Run as a module: the script in a virtual environment names the interpreter where that was made."""
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns("venv", ".git", "regress", "*.new"))
    environment = {
        **os.environ,
        "PGHOST": cluster.socket_directory,
        "PGPORT": str(cluster.port),
        "HOME": str(tmp_path),
    }
    options = ["--pg_config", str(installation.bindir / "pg_config")]
    for command in (["install", *options, "--nosudo", "--yes", "./"], ["check", *options, "./"]):
        done = subprocess.run(
            [sys.executable, "-m", "pgxnclient.cli", *command],
            cwd=checkout,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout


def test_any_schema(scheduler: Scheduler) -> None:
    """The tests' schema has a blank in its name; here are others, beside it. The server has nothing to warn of."""
    before = len(scheduler.cluster.log)
    scheduler.execute("DROP EXTENSION elephant_worker")
    for name in ("plain", "Üml äut;", "select", "%I %s {}"):
        scheduler.execute("CREATE SCHEMA {}", sql.Identifier(name))
        scheduler.execute("CREATE EXTENSION elephant_worker SCHEMA {}", sql.Identifier(name))
        scheduler.execute("SET search_path = {}", sql.Identifier(name))
        scheduler.start()
        assert scheduler.run("SELECT 1").state == "succeeded"
        # Users need the schema alone, and stop() what is out of their sight.
        scheduler.execute("SET search_path = {}, {}", sql.Identifier(name), sql.Identifier(INTERNAL))
        scheduler.stop()
        scheduler.execute("DROP EXTENSION elephant_worker")
    assert scheduler.cluster.warnings(before) == []


def test_cascade_installs_plpython(cluster: Cluster) -> None:
    with cluster.connect() as admin:
        admin.execute("CREATE DATABASE fresh")
    try:
        with cluster.connect("fresh") as admin:
            admin.execute("CREATE SCHEMA scheduler")
            admin.execute("CREATE EXTENSION elephant_worker WITH SCHEMA scheduler CASCADE")
            assert admin.execute("SELECT FROM pg_extension WHERE extname = 'plpython3u'").fetchone() is not None
    finally:
        with cluster.connect() as admin:
            admin.execute("DROP DATABASE fresh")


@pytest.mark.parametrize("attribute", ["LOGIN", "SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS"])
def test_a_role_that_can_do_more_is_not_adopted(cluster: Cluster, attribute: str) -> None:
    with cluster.connect() as admin, admin.transaction(force_rollback=True):
        admin.execute("CREATE SCHEMA elsewhere")
        admin.execute(sql.SQL("ALTER ROLE job_monitor {}").format(sql.SQL(attribute)))
        with pytest.raises(psycopg.errors.DuplicateObject) as raised:
            admin.execute("CREATE EXTENSION elephant_worker SCHEMA elsewhere CASCADE")
    assert raised.value.diag.message_hint == "Rename it: ALTER ROLE job_monitor RENAME TO ...;"


def test_other_functions_import_what_they_always_did(scheduler: Scheduler) -> None:
    """What the extension brings along leaves no trace in the session's Python."""
    scheduler.execute(
        """CREATE FUNCTION imported() RETURNS text[] LANGUAGE plpython3u AS
           $$
import sys
copies = ('croniter', 'dateutil', 'psycopg', 'typing_extensions')
return sorted(name for name in sys.modules if name.partition('.')[0] in copies)
           $$"""
    )
    scheduler.value("SELECT count(*) FROM next_runs('@daily')")
    scheduler.start()
    assert scheduler.value("SELECT imported()") == []


def test_the_package_is_found_in_a_server_that_was_moved(scheduler: Scheduler) -> None:
    """Functions, which pg_upgrade keeps, then name directories that are not there, or those of another server."""
    built: str = scheduler.value("SELECT pg_get_functiondef('check_command'::regproc)")
    installation = scheduler.cluster.installation
    moved = built.replace(str(installation.bindir), "/nowhere").replace(
        str(installation.moved(pg_config("--pkglibdir"))), "/nowhere"
    )
    assert moved.count('"/nowhere') == 2, moved
    with scheduler.connect() as session, session.transaction(force_rollback=True):
        session.execute(moved.encode())
        assert session.execute("SELECT (check_command('job_command', ';', true)).message").fetchone() == (
            "job_command cannot be empty",
        )


def test_the_schema_keeps_its_name(scheduler: Scheduler) -> None:
    """Otherwise nothing would work any more, and say so in words that nobody understands."""
    scheduler.start()
    rename = f'ALTER SCHEMA "{SCHEMA}" RENAME TO other'
    internal = "ALTER SCHEMA elephant_worker_internal RENAME TO other"
    for statement in (rename, internal, f"BEGIN; {rename}", f"DO $$ BEGIN EXECUTE '{rename}'; END $$"):
        with pytest.raises(psycopg.errors.FeatureNotSupported) as raised:
            scheduler.execute(statement)
        scheduler.admin.rollback()
        schema = "elephant_worker_internal" if statement == internal else f'"{SCHEMA}"'
        assert raised.value.diag.message_primary == f"schema {schema} cannot be renamed"
        assert "Traceback" not in (raised.value.diag.context or "")
    scheduler.execute("CREATE SCHEMA theirs; ALTER SCHEMA theirs RENAME TO theirs_too")
    scheduler.execute("ALTER SCHEMA theirs_too OWNER TO CURRENT_USER; DROP SCHEMA theirs_too")
    assert scheduler.run("SELECT 1").state == "succeeded"


def test_every_object_has_a_comment(scheduler: Scheduler) -> None:
    undescribed = scheduler.execute(
        """SELECT pg_describe_object(d.classid, d.objid, 0)
           FROM pg_depend d
           WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
             AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'elephant_worker')
             AND coalesce(obj_description(d.objid, d.classid::regclass::name), '') = ''
             AND NOT (d.classid = 'pg_class'::regclass
                      AND EXISTS (SELECT FROM pg_class c WHERE c.oid = d.objid AND c.relkind IN ('S', 'i')))
             AND NOT (d.classid = 'pg_type'::regclass
                      AND EXISTS (SELECT FROM pg_type t WHERE t.oid = d.objid
                                  AND (t.typrelid <> 0 OR t.typelem <> 0) AND t.typname <> 'refusal'))
           UNION ALL
           SELECT format('column %s of %s', a.attname, c.oid::regclass)
           FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
           WHERE c.relnamespace IN ((SELECT relnamespace FROM pg_class WHERE oid = 'my_job'::regclass),
                  'elephant_worker_internal'::regnamespace)
             AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
             AND coalesce(col_description(a.attrelid, a.attnum), '') = ''"""
    ).fetchall()
    assert undescribed == []


def test_every_table_has_a_toast_table_where_its_copy_has_one(scheduler: Scheduler) -> None:
    """pg_repack exchanges both, and fails at a table that has none."""
    tables = scheduler.admin.execute(
        """SELECT c.oid::regclass::text AS name, c.reltoastrelid <> 0 AS has_toast
           FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
           WHERE c.relkind = 'r'"""
    ).fetchall()
    assert "job_statistic" in {table.name for table in tables}
    for table in tables:
        scheduler.execute(f"CREATE TABLE copy AS SELECT * FROM {table.name}")
        copied = scheduler.value("SELECT reltoastrelid <> 0 FROM pg_class WHERE oid = 'copy'::regclass")
        assert copied == table.has_toast, table.name
        scheduler.execute("DROP TABLE copy")


@pytest.mark.slow
def test_a_prefix_of_its_own(tmp_path: Path) -> None:
    """Found by dynamic_library_path; the control file by extension_control_path, which PostgreSQL 18 brought."""
    installation = Installation(tmp_path / "server")
    installation.make("uninstall")
    major = int(re.sub(r"^\D*(\d+).*", r"\1", pg_config("--version")))  # as in "PostgreSQL 19rc1 (Debian …)"
    built = tmp_path / "built"
    installation.make("install", f"prefix={built}" if major >= 18 else f"pkglibdir={built}/lib/postgresql")
    # The script names another directory than the one where it is found.
    prefix = built.rename(tmp_path / "prefix")
    libraries = next(prefix.rglob("elephant_worker")).parent
    settings = {"dynamic_library_path": f"$libdir:{libraries}"}
    if major >= 18:
        settings["extension_control_path"] = f"$system:{next(prefix.rglob('elephant_worker.control')).parents[1]}"
    for path in (*prefix.rglob("*"), prefix):
        path.chmod(path.stat().st_mode & 0o555)
    cluster = Cluster(installation, settings)
    try:
        scheduler = new_scheduler(with_template(cluster))
        scheduler.start()
        role = scheduler.role()
        assert scheduler.run("SELECT 1", rolname=role).state == "succeeded"
        with scheduler.connect_as(role) as session:
            assert session.execute("SELECT describe_schedule('@daily')").fetchone() is not None
        found = scheduler.execute(
            "SELECT check_name, state, found FROM check_setup() WHERE check_name IN ('files', 'package')"
        )
        assert {row.state for row in found} == {"ok"}, found
        scheduler.close()
    finally:
        cluster.stop()
        for path in (prefix, *prefix.rglob("*")):
            path.chmod(0o755)
