"""Three nodes under Patroni, as root in a network namespace of the tests' own (`make ha`)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cluster import ROOT, Installation
from tests.ha.group import Group
from tests.ha.machine import make_hub
from tests.ha.work import Outside, define


@pytest.fixture(scope="session")
def directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="ha"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def installation(directory: Path) -> Installation:
    place = directory / "server"
    place.mkdir()
    return Installation(place)


@pytest.fixture(scope="session")
def outside(installation: Installation, directory: Path) -> Iterator[Outside]:
    make_hub()
    outside = Outside(installation, directory)
    yield outside
    outside.stop()


@pytest.fixture(scope="session", params=[False, True], ids=["asynchronous", "synchronous"])
def group(
    request: pytest.FixtureRequest, installation: Installation, outside: Outside, directory: Path
) -> Iterator[Group]:
    place = directory / ("synchronous" if request.param else "asynchronous")
    place.mkdir()
    group = Group(installation, place, request.param)
    outside.forget()
    try:
        group.start()
        define(group, outside)
        yield group
    finally:
        group.stop()
        for node in group.nodes:
            shutil.copy(node.log, ROOT / f"build/ha/{place.name}.{node.name}.log")
