"""Fixtures: one installation and one cluster for all tests, a database with the extension for each."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql

from harness.cluster import Cluster, Installation
from harness.scheduler import SCHEMA, Scheduler, new_scheduler, with_template
from harness.witness import Witness
from tests.releases import ORIGIN, add_release

# No test fails because the machine is busy.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the quick unit tests first, then the slow ones, and last what needs a server.

    Of that the slow ones come first: begun at the end, they would go on alone."""

    def place(item: pytest.Item) -> tuple[bool, bool]:
        server = not {"integration", "console"}.isdisjoint(item.path.parts)
        slow = item.get_closest_marker("slow") is not None
        return server, slow is not server

    items.sort(key=place)


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    directory = Path(tempfile.mkdtemp(prefix="elephant"))
    yield Installation(directory)
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def new_data_directory(installation: Installation) -> Iterator[str]:
    """What initdb writes: to copy it takes a quarter of that."""
    cluster = Cluster(installation)
    cluster.shut_down("fast")
    yield cluster.get_data_directory()
    cluster.stop()


@pytest.fixture(scope="session")
def data_directory(installation: Installation, new_data_directory: str) -> Iterator[str]:
    """What the clusters begin as copies of, which takes a fifth of what initdb and CREATE EXTENSION do."""
    cluster = with_template(Cluster(installation, copy_data_from=new_data_directory))
    cluster.shut_down("fast")
    yield cluster.get_data_directory()
    cluster.stop()


@pytest.fixture(scope="session")
def cluster(installation: Installation, data_directory: str) -> Iterator[Cluster]:
    """The cluster that most tests share."""
    cluster = Cluster(installation, copy_data_from=data_directory)
    yield cluster
    cluster.stop()


@pytest.fixture
def own_cluster(installation: Installation, data_directory: str) -> Iterator[Callable[..., Cluster]]:
    """For tests that stop, break or configure the server: makes clusters of their own."""
    clusters: list[Cluster] = []

    def make(environment: dict[str, str] | None = None, **settings: str) -> Cluster:
        clusters.append(Cluster(installation, settings, environment, copy_data_from=data_directory))
        return clusters[-1]

    yield make
    for cluster in clusters:
        cluster.stop()


@pytest.fixture(scope="module")
def witness(installation: Installation, new_data_directory: str) -> Iterator[Witness]:
    cluster = Cluster(installation, copy_data_from=new_data_directory)
    yield Witness(cluster)
    cluster.stop()


@pytest.fixture
def scheduler(cluster: Cluster) -> Iterator[Scheduler]:
    scheduler = new_scheduler(cluster)
    yield scheduler
    scheduler.close()


@pytest.fixture
def worker(scheduler: Scheduler) -> Scheduler:
    """A scheduler whose worker runs."""
    scheduler.start()
    return scheduler


@pytest.fixture(scope="session")
def releases() -> Iterator[Installation]:
    """Both releases side by side."""
    directory = Path(tempfile.mkdtemp(prefix="elephant"))
    installation = Installation(directory)
    add_release(installation, ORIGIN)
    yield installation
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def cluster_of_releases(releases: Installation, new_data_directory: str) -> Iterator[Cluster]:
    cluster = Cluster(releases, copy_data_from=new_data_directory)
    yield cluster
    cluster.stop()


@pytest.fixture
def database(cluster_of_releases: Cluster) -> Iterator[Callable[..., Scheduler]]:
    """Databases with the extension, each in a version."""
    schedulers: list[Scheduler] = []

    def make(version: str | None = None) -> Scheduler:
        dbname = f"database {len(schedulers)}"
        with cluster_of_releases.connect() as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(dbname)))
        with cluster_of_releases.connect(dbname) as admin:
            admin.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(SCHEMA)))
            wanted = sql.SQL("VERSION {}").format(version) if version else sql.SQL("")
            admin.execute(
                sql.SQL("CREATE EXTENSION elephant_worker SCHEMA {} {} CASCADE").format(sql.Identifier(SCHEMA), wanted)
            )
        schedulers.append(Scheduler(cluster_of_releases, dbname))
        return schedulers[-1]

    yield make
    for scheduler in schedulers:
        scheduler.close()
