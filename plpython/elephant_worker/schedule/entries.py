"""What a schedule consists of: its entries, and the fields of a crontab line.

Plain classes: dataclasses take longer to import than everything else that the first call of a session needs.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Union

    Entry = Union["Calendar", "Interval", "After", "Once", "Reboot"]


class _Value:
    """Equal to another one of its class with the same attributes."""

    __slots__: tuple[str, ...] = ()

    def _key(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Value) and type(self) is type(other) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self), self._key()))

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({values})"


class Calendar(_Value):
    """Five or six fields: the wall-clock times that they name.

    `weekdays` are 0 (Sunday) to 6; `nth_weekdays` pairs of weekday and its number in the month
    (1 to 5, or "l" for the last). `last_day` is the last day of the month. `both_days` is
    cron's rule: the day must match both day fields where either begins with `*`, and either of
    them otherwise. `wildcard` entries (second, minute or hour begins with `*`) follow the
    clock through a change of the UTC offset, the others are "fixed-time jobs" of cron(8).
    """

    __slots__ = (
        "both_days",
        "days",
        "hours",
        "last_day",
        "minutes",
        "months",
        "nth_weekdays",
        "seconds",
        "weekdays",
        "wildcard",
    )

    def __init__(
        self,
        seconds: tuple[int, ...],
        minutes: tuple[int, ...],
        hours: tuple[int, ...],
        days: tuple[int, ...],
        last_day: bool,
        months: tuple[int, ...],
        weekdays: tuple[int, ...],
        nth_weekdays: tuple[tuple[int, int | str], ...],
        both_days: bool,
        wildcard: bool,
    ) -> None:
        self.seconds = seconds
        self.minutes = minutes
        self.hours = hours
        self.days = days
        self.last_day = last_day
        self.months = months
        self.weekdays = weekdays
        self.nth_weekdays = nth_weekdays
        self.both_days = both_days
        self.wildcard = wildcard


class Interval(_Value):
    """Every so many seconds from start to start, on a grid that begins when the job is defined."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds


class After(_Value):
    """So many seconds from the end of a run to the start of the next."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds


class Once(_Value):
    """One moment; `moment` is naive if the text has no offset: the job's time zone holds."""

    __slots__ = ("moment",)

    def __init__(self, moment: datetime) -> None:
        self.moment = moment


class Reboot(_Value):
    """Once after each start of the server."""

    __slots__ = ()


MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class Field:
    """What one field of a crontab line may hold."""

    def __init__(self, name: str, low: int, high: int, names: tuple[str, ...] = (), extras: str = "") -> None:
        self.name = name
        self.low = low
        self.high = high
        self.names = names
        self.extras = extras

    @property
    def allowed(self) -> str:
        """What the field may hold, as a sentence."""
        numbers = f"{self.low}-{self.high}"
        names = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        forms = f"*, ranges (a-b), steps (*/n, a-b/n), H{self.extras} and lists of these"
        return f"{self.name.capitalize()} is {numbers}{names}, {forms}."


SECOND = Field("second", 0, 59)
MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23)
DAY = Field("day of month", 1, 31, extras=", L or $ (last day)")
MONTH = Field("month", 1, 12, MONTH_NAMES)
WEEKDAY = Field("day of week", 0, 7, DAY_NAMES, extras=", 5#2 (second Friday), 5L (last Friday)")

FIVE = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)
SIX = (SECOND, *FIVE)


class Mistake(Exception):
    """A part of an entry that is wrong; `hint` says what would be right."""

    def __init__(self, detail: str, hint: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint


def shown(text: str, length: int = 60) -> str:
    """A user's text as it may stand in a message."""
    printable = "".join(c if c.isprintable() else "?" for c in text[:length])
    return printable + ("..." if len(text) > length else "")


def did_you_mean(suggestion: str = "") -> str:
    """The first words of a hint, if there is a suggestion."""
    return f"Did you mean {suggestion}? " if suggestion else ""
