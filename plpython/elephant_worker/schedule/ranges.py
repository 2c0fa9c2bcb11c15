"""Numbers of a crontab field as ranges."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def ranges(values: Iterable[int], shortest: int = 3) -> list[tuple[int, int]]:
    """Runs of at least so many consecutive numbers, as the first and the last; the others one by one.

    >>> ranges({1, 2, 3, 5, 6})
    [(1, 3), (5, 5), (6, 6)]
    """
    runs: list[list[int]] = []
    for value in sorted(values):
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return [
        part
        for run in runs
        for part in ([(run[0], run[-1])] if len(run) >= shortest else [(value, value) for value in run])
    ]


def in_ranges(values: Iterable[int], shortest: int = 3) -> str:
    """Numbers as a list of ranges.

    >>> in_ranges({1, 2, 3, 5, 6}), in_ranges({1, 2, 3, 5, 6}, shortest=2)
    ('1-3,5,6', '1-3,5-6')
    """
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges(values, shortest))
