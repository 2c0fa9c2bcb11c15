"""Schedules that can be read and may mean something else than their author thinks.

>>> doubt("*/90 * * * *").hint
'For every 90 minutes write 90 minutes.'
>>> doubt("*/15 * * * *") is None
True
"""

from __future__ import annotations

from .entries import FIVE, HOUR, MINUTE, SECOND, SIX, WEEKDAY, Calendar, Field
from .parser import bare_line, entry_texts, field_values, parse

PLURALS = {"second": "seconds", "minute": "minutes", "hour": "hours"}


class Doubt:
    """Why a schedule may mean something else than its author thinks, and what to write then."""

    def __init__(self, entry: str, detail: str, hint: str) -> None:
        self.entry = entry
        self.detail = detail
        self.hint = hint


def doubt(text: str) -> Doubt | None:
    """The first doubt about a schedule that can be read."""
    for entry_text, entry in zip(entry_texts(text), parse(text)):
        line = bare_line(entry_text)
        if isinstance(entry, Calendar) and line[0] != "@" and (found := _about(line)) is not None:
            return found
    return None


def _about(line: str) -> Doubt | None:
    parts = line.split()
    if len(parts) == 6 and (found := _about_order(line, parts)) is not None:
        return found
    for field, part in zip(SIX if len(parts) == 6 else FIVE, parts):
        for member in part.split(","):
            if (found := _about_step(line, field, member)) is not None:
                return found
    return None


def _about_step(line: str, field: Field, member: str) -> Doubt | None:
    span, _, step = member.partition("/")
    if not step.isdigit() or span[:1] == "H":
        return None
    values = list(field_values(field, member))
    unit = PLURALS.get(field.name)
    every = f"For every {step} {unit} write {step} {unit}." if unit else "Write single values, as in 1,5."
    if len(values) == 1 and int(step) > 1:
        return Doubt(line, f'Field {field.name}: "{member}" is {values[0]} and nothing else.', every)
    if span == "*" and field in (SECOND, MINUTE, HOUR) and (field.high + 1) % int(step):
        listed = ", ".join(map(str, values[:3])) + (" ..." if len(values) > 3 else "")
        whole = {"second": "minute", "minute": "hour", "hour": "day"}[field.name]
        return Doubt(line, f'Field {field.name}: "{member}" is {listed} and begins anew with each {whole}.', every)
    return None


def _about_order(line: str, parts: list[str]) -> Doubt | None:
    """Six fields that others read with the seconds last (croniter), or without the last one (pg_cron)."""
    seconds, minutes, hours, *_, weekdays = parts
    _, _, step = weekdays.partition("/")
    if not (
        (hours[0] == "*" and minutes[0] != "*")
        or (seconds == "*" and weekdays != "*")
        or (step.isdigit() and int(step) > WEEKDAY.high)
    ):
        return None
    five = " ".join(parts[:5])
    return Doubt(
        line,
        "Of six fields the first is the second, not the minute.",
        f"Without seconds it is {five}" if weekdays == "*" else f"If the seconds stand last, write {weekdays} {five}",
    )
