"""pg_upgrade creates views as the old server has them, so they name no column of a catalog that a later one lacks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.cluster import ROOT


@pytest.mark.parametrize("path", sorted((ROOT / "sql/views").glob("*.sql")), ids=lambda path: path.stem)
def test_views_name_the_columns_of_catalogs(path: Path) -> None:
    # A star stands for all columns of the server that creates the view.
    assert re.findall(r"\*\s+FROM\s+(?:ONLY\s+)?(?:pg_catalog\.)?pg_\w+\b(?!\()", path.read_text()) == []
