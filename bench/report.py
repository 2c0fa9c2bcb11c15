"""Prints the tables of what has been measured, and draws the plots beside it:

    python -m bench.report [directory] [--publish]

With --publish the tables go into docs/benchmarks.md and the plots into docs/benchmarks.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from bench import tables
from bench.figures import read
from bench.tables import Book
from harness.cluster import ROOT

DOCUMENT = ROOT / "docs" / "benchmarks.md"
TABLE = re.compile(r"(?<=<!-- table: )([a-z_ ]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)

SPECIAL: dict[str, Callable[[Book], str]] = {
    "goals": tables.goals,
    "compared throughput": tables.throughput,
    "compared minute": tables.minute,
    "compared drift": tables.drift,
    "compared idle": tables.idle,
    "circumstances": tables.circumstances,
    "machine": tables.machine,
}


def make(book: Book, name: str) -> str:
    """The table of that name: one of the special ones, or all figures of a scenario."""
    return SPECIAL[name](book) if name in SPECIAL else tables.own(book, name)


def filled(text: str, book: Book) -> str:
    """A document with its tables made anew."""
    return TABLE.sub(lambda found: f"{found[1]}{found[2]}\n{make(book, found[1])}\n", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, default=ROOT / "build" / "bench" / "results")
    parser.add_argument("--publish", action="store_true")
    arguments = parser.parse_args()
    book = Book(map(read, arguments.directory.glob("*.json")))
    if arguments.publish:
        DOCUMENT.write_text(filled(DOCUMENT.read_text(), book))
    else:
        for name in [*SPECIAL, *dict.fromkeys(one.scenario for one in book.results)]:
            print(f"\n## {name}\n\n{make(book, name)}")
    from bench.plots import draw  # the tables do without matplotlib

    draw(book, DOCUMENT.with_suffix("") if arguments.publish else arguments.directory.parent / "plots")


if __name__ == "__main__":
    main()
