"""What people read: one message about one alert, or about any number of them. Pure."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ..database import Alert

LONGEST_TITLE = 120  # characters
LONGEST_LABEL = 80  # characters
LONGEST_LINE = 400  # characters
LONGEST_BODY = 20000  # characters
# Text that goes the other way can pretend to be other text.
DIRECTIONS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
GOOD = "recovered"
MILD = {"missed", "overrun"}


class Message(NamedTuple):
    """A title of one line, a text, and what it is: failure, warning or success."""

    title: str
    body: str
    kind: str


def one_line(text: str, longest: int) -> str:
    """A text as one line of printable characters, cut to so many.

    >>> one_line("a\\r\\nSubject: b\\x00\\u202e c", 100), one_line("x" * 10, 5)
    ('a Subject: b c', 'xxxx…')
    """
    printable = (" " if _is_control(character) else character for character in text[: longest * 4])
    line = " ".join("".join(printable).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or ord(character) in DIRECTIONS


def label(alert: Alert) -> str:
    """What people call the job."""
    if alert.job_name:
        return one_line(alert.job_name, LONGEST_LABEL) or f"job {alert.job_id}"
    return f"job {alert.job_id}" if alert.job_id > 0 else "a command of no job"


def compose(alerts: Sequence[Alert], room: int = LONGEST_BODY) -> Message:
    """The message about these alerts, with a text of at most so many characters."""
    room = min(room, LONGEST_BODY)
    events = {alert.event for alert in alerts}
    kind = "success" if events == {GOOD} else "warning" if events <= {GOOD, *MILD} else "failure"
    if len(alerts) == 1:
        return Message(
            one_line(f"{alerts[0].event}: {label(alerts[0])}", LONGEST_TITLE), _about_one(alerts[0], room), kind
        )
    counts = Counter(alert.event for alert in alerts).most_common()
    title = f"{len(alerts)} alerts: " + ", ".join(f"{count} {event}" for event, count in counts)
    return Message(one_line(title, LONGEST_TITLE), _about_many(alerts, room), kind)


def _about_one(alert: Alert, room: int) -> str:
    facts = [
        ("job", label(alert) + (f" ({alert.job_id})" if alert.job_name and alert.job_id > 0 else "")),
        ("role", alert.rolname),
        ("database", alert.datname),
        ("server", alert.server),
        ("run", None if alert.jl_id is None else f"{alert.jl_id}, attempt {alert.attempt or 1}"),
        ("at", f"{alert.raised_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("alert", str(alert.alert_id)),
    ]
    lines = [f"{name}: {one_line(value, LONGEST_LINE)}" for name, value in facts if value]
    text = "\n".join(["", *lines])
    return one_line(alert.explanation, max(room - len(text) - 1, 40)) + "\n" + text


def _about_many(alerts: Sequence[Alert], room: int) -> str:
    """A line for each job and event, of the latest of these alerts, as many as there is room for. Roles take turns, so
    that many alerts about the jobs of one do not crowd out those of others."""
    same: dict[tuple[str, int, str | None], list[Alert]] = {}
    for alert in alerts:
        same.setdefault((alert.event, alert.job_id, alert.rolname), []).append(alert)
    first, last = alerts[0].alert_id, alerts[-1].alert_id
    where = f"SELECT * FROM all_alert WHERE alert_id BETWEEN {first} AND {last};"  # noqa: S608 - numbers
    lines: list[str] = []
    left = room - len(where) - 40
    told = 0
    turns: Counter[str | None] = Counter()
    turn = {}
    for key in same:
        turn[key] = turns[key[-1]]
        turns[key[-1]] += 1
    for key in sorted(same, key=turn.__getitem__):
        (event, _, rolname), group = key, same[key]
        latest = group[-1]
        place = ", ".join(one_line(name, LONGEST_LABEL) for name in (rolname, latest.datname, latest.server) if name)
        times = f", {len(group)} times" if len(group) > 1 else ""
        line = one_line(
            f"{event}: {label(latest)} ({place}){times}, {latest.raised_at:%H:%M:%S} UTC: {latest.explanation}",
            LONGEST_LINE,
        )
        if left < len(line) + 1:
            break
        lines.append(line)
        left -= len(line) + 1
        told += len(group)
    more = [f"and {len(alerts) - told} more"] if told < len(alerts) else []
    return "\n".join([*lines, *more, "", where])
