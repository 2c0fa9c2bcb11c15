"""A short soak: see tools/soak.py."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from harness.cluster import Cluster
from tools.soak import soak


@pytest.mark.slow
def test_soak(own_cluster: Callable[..., Cluster]) -> None:
    assert soak(own_cluster(restart_after_crash="on"), 15, random.randrange(2**32))
