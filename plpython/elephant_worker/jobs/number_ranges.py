"""Ranges of numbers outside of which there is nothing to be read."""

from __future__ import annotations

from collections.abc import Iterable

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


def left_of(ranges: Iterable[Range], last: int) -> list[Range]:
    """What is left of them after a number.

    >>> left_of([(1, 5), (8, 12), (20, 25)], 8)
    [(9, 12), (20, 25)]
    """
    return [(max(first, last + 1), end) for first, end in ranges if end > last]
