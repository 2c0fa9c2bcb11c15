"""`H` in words: what is the same for all jobs, since each has a slot of its own.

>>> slots_in_words("H H(0-7) * * *")
'at a minute (0-59) and an hour (0-7) that each job has of its own'
>>> slots_in_words("0 4 * * *") is None
True
"""

from __future__ import annotations

from .entries import DAY, FIVE, SECOND, SIX, WEEKDAY, Field

ARTICLES = {"hour": "an"}


def slots_in_words(line: str) -> str | None:
    """The fields of a line with slots, as words; None for another line or form."""
    parts = line.split()
    if line[:1] == "@" or len(parts) not in (5, 6) or not any(map(_has_slot, parts)):
        return None
    fields = list(zip(SIX if len(parts) == 6 else FIVE, parts))
    own = [_slot(field, part) for field, part in fields if _has_slot(part)]
    common = [f"{field.name} {part}" for field, part in fields if _is_said(field, part)]
    said = common + own
    words = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
    return f"at {words} that each job has of its own"


def _has_slot(part: str) -> bool:
    return any(member.startswith("H") for member in part.split(","))


def _is_said(field: Field, part: str) -> bool:
    return not _has_slot(part) and part != "*" and not (field is SECOND and part == "0")


def _slot(field: Field, part: str) -> str:
    described = []
    for member in part.split(","):
        if member[:1] != "H":
            described.append(f"{field.name} {member}")
            continue
        span, _, step = member[1:].partition("/")
        low, high = field.low, {DAY: 28, WEEKDAY: 6}.get(field, field.high)
        if span:
            first, _, last = span[1:-1].partition("-")
            low, high = int(first), int(last)
        article = ARTICLES.get(field.name, "a")
        if step and int(step) <= high - low:
            first_ones = f"{low}-{low + int(step) - 1}"
            described.append(f"every {step} {field.name}s from {article} {field.name} ({first_ones}) on")
        else:
            described.append(f"{article} {field.name} ({low}-{high})")
    return ", ".join(described)
