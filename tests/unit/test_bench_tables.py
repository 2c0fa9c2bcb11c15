"""The tables of docs/benchmarks.md come out of the figures, and only out of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.figures import Figure, Results, percentile, read, thinned
from bench.report import DOCUMENT, SPECIAL, TABLE, filled
from bench.tables import OURS, Book, number, spread

PEER = "pg_cron, libpq"


def results(server: str, *figures: Figure) -> Results:
    return Results(
        scenario="throughput",
        server=server,
        commit="abc",
        began="2026-01-01 00:00",
        quick=False,
        machine={"fsync_ms": 0.2, "peers": {}},
        calibration=[30.0, 33.0],
        figures=list(figures),
    )


def runs(candidate: str, *values: float) -> Figure:
    return Figure("runs per second", candidate, "1 role, 1 database", "1/s", list(values))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (0.04212, "0.0421"), (3.14159, "3.14"), (12.345, "12.3"), (99.96, "100"), (12345.6, "12 346")],
)
def test_numbers_have_three_digits_that_count(value: float, shown: str) -> None:
    assert number(value) == shown


def test_spread_names_the_99th_percentile_of_many() -> None:
    assert spread([2.0]) == "2.00"
    assert spread([1.0, 2.0, 4.0]) == "2.00 (1.00 to 4.00)"
    assert spread([float(value) for value in range(1, 201)]) == "100 (p99 198)"


def test_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile([3.0, 1.0, 2.0], 99) == 3.0


def test_very_many_values_keep_their_distribution() -> None:
    values = [float(value % 7919) for value in range(7919 * 3)]
    few = thinned(values)
    assert len(few) == 1001
    assert (few[0], few[-1]) == (0.0, 7918.0)
    assert percentile(few, 99) == pytest.approx(percentile(values, 99), rel=0.01)
    assert thinned([2.0, 1.0]) == [2.0, 1.0]


def test_results_survive_their_file(tmp_path: Path) -> None:
    written = results("15", runs(OURS, 1.5, 2.5))
    written.write(tmp_path)
    assert read(tmp_path / "throughput-15.json") == written


def test_a_document_gets_its_tables() -> None:
    book = Book([results("15", runs(OURS, 4000.0)), results("18", runs(OURS, 6000.0), runs(PEER, 300.0))])
    text = (
        "before\n<!-- table: goals -->\nold\n<!-- end -->\nbetween\n<!-- table: compared throughput --><!-- end -->\n"
    )
    text = text.replace("throughput --><", "throughput -->\n<")
    made = filled(text, book)
    assert "old" not in made
    assert "| throughput, 1 role, 1 database | runs/s | ≥ 5 000 | 6 000 | **4 000** missed |" in made
    assert "| throughput against the best peer | × | ≥ 10 | 20.0 | – |" in made
    assert f"| {PEER} | 300 | 20.0 | – |" in made
    assert filled(made, book) == made


def test_what_has_not_been_measured_is_said() -> None:
    text = "<!-- table: log -->\n<!-- end -->\n"
    assert "Not measured" in filled(text, Book([results("15", runs(OURS, 4000.0))]))


def test_the_document_names_tables_that_there_are() -> None:
    scenarios = {path.stem for path in (DOCUMENT.parent.parent / "bench" / "scenarios").glob("*.py")}
    named = {found[1] for found in TABLE.finditer(DOCUMENT.read_text())}
    assert named
    assert named <= {*SPECIAL, *scenarios}
