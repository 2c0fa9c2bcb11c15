"""The way from an earlier release to this one."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cluster import Cluster, Installation
from tests.catalog import catalogs
from tests.releases import DIRECTORY, add_release

ORIGIN = "1.0.0"


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """Both releases side by side."""
    directory = Path(tempfile.mkdtemp(prefix="elephant"))
    installation = Installation(directory)
    add_release(installation, ORIGIN)
    yield installation
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def cluster(installation: Installation) -> Iterator[Cluster]:
    cluster = Cluster(installation)
    yield cluster
    cluster.stop()


def test_frozen() -> None:
    """What has been released never changes, neither what updates start from nor what they do."""
    frozen = {}
    for line in (DIRECTORY / "frozen.txt").read_text().splitlines():
        checksum, name = line.split()
        frozen[name] = checksum
    files = {str(path.relative_to(DIRECTORY)): path for path in DIRECTORY.glob("*.*.*/*")}
    assert frozen == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    assert (DIRECTORY / ORIGIN / f"elephant_worker--{ORIGIN}.sql").exists()


def test_fresh_equals_upgraded(cluster: Cluster) -> None:
    found = {}
    for dbname, commands in {
        "fresh": ["CREATE EXTENSION elephant_worker SCHEMA scheduler CASCADE"],
        "upgraded": [
            f"CREATE EXTENSION elephant_worker SCHEMA scheduler VERSION '{ORIGIN}' CASCADE",
            "ALTER EXTENSION elephant_worker UPDATE",
        ],
    }.items():
        with cluster.connect() as admin:
            admin.execute(f"CREATE DATABASE {dbname}")
        with cluster.connect(dbname) as admin:
            for command in ["CREATE SCHEMA scheduler", *commands]:
                admin.execute(command)
            found[dbname] = catalogs(admin)
    only_fresh = sorted(set(found["fresh"]) - set(found["upgraded"]))
    only_upgraded = sorted(set(found["upgraded"]) - set(found["fresh"]))
    assert not only_fresh + only_upgraded, "\n".join(
        ["only after CREATE EXTENSION:", *only_fresh, "only after ALTER EXTENSION … UPDATE:", *only_upgraded]
    )


def test_the_path_is_known(cluster: Cluster) -> None:
    with cluster.connect() as admin:
        paths = admin.execute(
            "SELECT path FROM pg_extension_update_paths('elephant_worker') p, pg_available_extensions a"
            " WHERE a.name = 'elephant_worker' AND p.source = %s AND p.target = a.default_version",
            (ORIGIN,),
        ).fetchone()
    assert paths is not None
    assert paths.path.startswith(f"{ORIGIN}--")
