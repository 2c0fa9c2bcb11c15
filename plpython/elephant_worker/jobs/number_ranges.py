"""Ranges of numbers outside of which there is nothing to be read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

Key = TypeVar("Key")
# From one number to another, both included.
Range = tuple[int, int]
# Comes after all numbers.
LAST_NUMBER = 2**63 - 1  # an int8
# What is nearer than this to each other is in one range: to pass by some numbers costs less than to begin anew.
NEAR = 100  # numbers
MOST_RANGES = 10000  # ranges; the last one has all that would be in others


def united(ranges: Iterable[Range]) -> list[Range]:
    """The same, in order, as few as are of use.

    >>> united([(900, 900), (1, 5), (4, 8), (70, 70), (901, 950)])
    [(1, 70), (900, 950)]
    """
    result: list[Range] = []
    for first, last in sorted(ranges):
        if result and (first - result[-1][1] < NEAR or len(result) == MOST_RANGES):
            result[-1] = result[-1][0], max(last, result[-1][1])
        else:
            result.append((first, last))
    return result


def widen(ranges: dict[Key, Range], key: Key, first: int, last: int) -> None:
    """Have the range of a key reach from one number to another, too.

    >>> ranges = {7: (5, 8)}
    >>> widen(ranges, 7, 9, 12), widen(ranges, 8, 1, 2), ranges
    (None, None, {7: (5, 12), 8: (1, 2)})
    """
    known = ranges.get(key, (first, last))
    ranges[key] = min(known[0], first), max(known[1], last)


def left_of(ranges: Iterable[Range], last: int) -> list[Range]:
    """What is left of them after a number.

    >>> left_of([(1, 5), (8, 12), (20, 25)], 8)
    [(9, 12), (20, 25)]
    """
    return [(max(first, last + 1), end) for first, end in ranges if end > last]
