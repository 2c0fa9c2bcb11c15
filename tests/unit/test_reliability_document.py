"""docs/reliability.md names a test for each fault, and the test is there."""

from __future__ import annotations

import re

from harness.cluster import ROOT

# A file of tests, and the tests in it that are named.
NAMED = re.compile(r"`(?:tests/unit/)?(test_\w+)(?:\.py)?`(?:: ((?:`test_\w+`(?:, )?)+))?")


def test_what_is_named_is_there() -> None:
    rows = [line for line in (ROOT / "docs/reliability.md").read_text().splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 30
    for row in rows:
        named = NAMED.findall(row.rpartition(" | ")[2])
        assert named, row
        for file, tests in named:
            paths = [*(ROOT / "tests").glob(f"*/{file}.py")]
            assert len(paths) == 1, file
            for test in re.findall(r"\w+", tests):
                assert f"def {test}(" in paths[0].read_text(), test
