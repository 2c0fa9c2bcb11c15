"""What the extension offers is what tests/expected/surface.txt says; `make surface` writes that file anew."""

from __future__ import annotations

import difflib
import os

from harness.cluster import ROOT
from harness.scheduler import Scheduler

EXPECTED = ROOT / "tests/expected/surface.txt"


def surface(scheduler: Scheduler) -> str:
    lines = scheduler.execute((ROOT / "tests/surface.sql").read_text())
    return "".join(f"{line}\n" for (line,) in lines.fetchall())


def test_the_surface_is_as_expected(scheduler: Scheduler) -> None:
    found = surface(scheduler)
    if os.environ.get("WRITE_SURFACE"):
        EXPECTED.write_text(found)
    expected = EXPECTED.read_text()
    difference = difflib.unified_diff(expected.splitlines(), found.splitlines(), "expected", "found", lineterm="", n=1)
    assert found == expected, "\n".join(["the surface has changed; if that is meant: make surface", *difference])
