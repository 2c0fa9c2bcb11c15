"""A short soak: see tests/soak.py."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.cluster import Cluster
from tests.soak import soak


def test_soak(own_cluster: Callable[..., Cluster]) -> None:
    assert soak(own_cluster(restart_after_crash="on"), 15, random.randrange(2**32))
