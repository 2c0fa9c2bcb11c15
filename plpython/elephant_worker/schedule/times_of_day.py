"""The times of day of a crontab line, in words.

>>> times_in_words((0,), (30,), (4, 16)), times_in_words((0,), tuple(range(0, 60, 10)), (9, 10, 11))
('at 04:30 and 16:30', 'every 10 minutes, between 09:00 and 11:59')
"""

from __future__ import annotations

from itertools import product

from .ranges import ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_HOURS_LISTED = 8  # times of several hours that are written out
MOST_LISTED = 4  # the same where there are more of them in an hour
FEWEST_STEPS = 4  # numbers that are described by their distance
ORDINALS = {2: "second", 3: "third", 4: "fourth", 5: "fifth", 6: "sixth", 7: "seventh"}


def times_in_words(seconds: tuple[int, ...], minutes: tuple[int, ...], hours: tuple[int, ...]) -> str:
    """The times of a day at which second, minute and hour match."""
    in_an_hour = len(seconds) * len(minutes)
    if in_an_hour * len(hours) <= (MOST_HOURS_LISTED if in_an_hour == 1 else MOST_LISTED):
        return _listed_times(seconds, minutes, hours)
    if in_an_hour == 1 and len(hours) < 24:
        return _in_hours(seconds, minutes, hours)
    if seconds == minutes == (0,):
        return "every hour"
    words = []
    if seconds != (0,):
        words.append(_numbers(seconds, "second", "minute"))
    if len(minutes) < 60 or not words:
        words.append(_numbers(minutes, "minute", "hour"))
    if len(hours) < 24:
        words.append(_hours(hours))
    return ", ".join(words)


def joined(parts: list[str]) -> str:
    """A list as one writes it.

    >>> joined(["Monday", "Tuesday", "Friday"])
    'Monday, Tuesday and Friday'
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _listed_times(seconds: tuple[int, ...], minutes: tuple[int, ...], hours: tuple[int, ...]) -> str:
    shows_seconds = seconds != (0,)
    clocks = [
        f"{hour:02}:{minute:02}" + (f":{second:02}" if shows_seconds else "")
        for hour, minute, second in product(hours, minutes, seconds)
    ]
    return "at " + joined(clocks)


def _in_hours(second: tuple[int, ...], minute: tuple[int, ...], hours: tuple[int, ...]) -> str:
    """The same time of many hours."""
    step = _step(hours)
    if step is None:
        return _listed_times(second, minute, hours)
    every = _every(step, "hour")
    if second == minute == (0,) and _is_whole(hours, 24):
        return every
    first, last = (_listed_times(second, minute, (hour,)).removeprefix("at ") for hour in (hours[0], hours[-1]))
    return f"{every} from {first} to {last}"


def _numbers(values: tuple[int, ...], unit: str, whole: str) -> str:
    """The seconds of a minute, or the minutes of an hour."""
    step = _step(values)
    if step is not None and _is_whole(values, 60):
        return _every(step, unit)
    if step is not None and step > 1 and len(values) >= FEWEST_STEPS:
        return f"{_every(step, unit)} from {values[0]} to {values[-1]} {unit}s past the {whole}"
    plural = "" if values == (1,) else "s"
    return f"at {ranges_in_words(values)} {unit}{plural} past the {whole}"


def _hours(hours: tuple[int, ...]) -> str:
    """When the hours are in which something happens again and again."""
    if hours[-1] - hours[0] == len(hours) - 1:
        return f"between {hours[0]:02}:00 and {hours[-1]:02}:59"
    step = _step(hours)
    if step is not None and len(hours) >= FEWEST_STEPS:
        return f"in every {ORDINALS[step]} hour from {hours[0]:02}:00 to {hours[-1]:02}:59"
    return "in the hours " + ranges_in_words(hours)


def ranges_in_words(values: Sequence[int], shown: Callable[[int], str] = str) -> str:
    """Numbers, or what is shown for them, in words.

    >>> ranges_in_words((1, 2, 3, 5))
    '1 through 3 and 5'
    """
    return joined(
        [shown(first) if first == last else f"{shown(first)} through {shown(last)}" for first, last in ranges(values)]
    )


def _every(step: int, unit: str) -> str:
    return f"every {unit}" if step == 1 else f"every {step} {unit}s"


def _is_whole(values: tuple[int, ...], size: int) -> bool:
    """Whether numbers at the same distance go on beyond the end as before, as those of */5 do."""
    return values[0] == 0 and len(values) > 1 and values[1] * len(values) == size


def _step(values: tuple[int, ...]) -> int | None:
    """The distance between numbers, if it is always the same."""
    distances = {after - before for before, after in zip(values, values[1:])}
    return distances.pop() if len(distances) == 1 else None
