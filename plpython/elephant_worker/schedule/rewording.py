"""What is meant by texts that are no schedule here, but are one elsewhere or in English.

Nothing of this is read as a schedule; it only makes the hints of refusals exact. Whatever is
suggested can be read.

>>> meant("every weekday at 2:30 pm")
'30 14 * * mon-fri'
>>> meant("rate(5 minutes)")
'5 minutes'
"""

from __future__ import annotations

import difflib
import re

from .entries import DAY_NAMES, HOUR, WEEKDAY, Field, Mistake, did_you_mean, shown
from .parser import FIELDS, FORMS, KEYWORDS, MAX_ENTRY, read_entry
from .periods import LONGEST, in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def meant(text: str) -> str:
    """The entry that is probably meant, or nothing."""
    text = " ".join(text.split())[:200]
    # What a line of a configuration has before it: systemd, GitHub, Kubernetes.
    bare = re.sub(r"^(?:OnCalendar=|(?:- )?(?:cron|schedule):)?[\[\"'` ]*|[\]\"'` ]+$", "", text)
    return next(filter(_can_be_read, ([bare] if bare != text else []) + list(_candidates(bare))), "")


def better(entry: str, mistake: Mistake) -> Mistake:
    """The mistake in an entry as its author sees it: with what was meant, if that can be told."""
    lines = entry.strip().splitlines()
    if len(entry) > MAX_ENTRY or len(lines) > 2:
        return mistake
    if len(lines) == 2:  # Jenkins has the zone in a line of its own
        return _prefixed_zone(" ".join(lines)) or mistake
    text = " ".join(entry.split())
    special = next(filter(None, (look(text) for look in _SPECIAL)), None)
    if special is not None:
        return special
    hint = mistake.hint
    if not hint.startswith("Did you mean"):
        hint = did_you_mean(meant(text)) + hint
    parts = text.split(" ")
    if "?" in parts and len(parts) in (6, 7) and parts[5][0].isdigit():
        hint += " Quartz counts from Sunday = 1, cron from Sunday = 0."
    if any(re.fullmatch(r"(?:\d{1,2}|L)W", part, re.IGNORECASE) for part in parts):
        hint += " There is no W, the weekday nearest to a day; the command can look at current_date."
    return Mistake(mistake.detail, hint)


def _can_be_read(text: str) -> bool:
    try:
        read_entry(text)
    except Mistake:
        return False
    return True


# --- one part of a field --------------------------------------------------------------------


def part_meant(field: Field, part: str) -> str:
    """What is meant by a part of a field that cannot be read, or nothing."""
    simple: list[tuple[str, Callable[[re.Match[str]], str]]] = [
        (r"\?", lambda match: "*"),
        (r"[lL](\d)", lambda match: f"{match[1]}L"),
        (r"h.*", lambda match: match[0].upper()),
        (r"[A-Za-z]{4,}(?:-[A-Za-z]{3,})?|[A-Za-z]{3}-[A-Za-z]{4,}", lambda match: _three_letters(field, match[0])),
        (r"(\w+)\.\.(\w+)", lambda match: f"{match[1]}-{match[2]}"),
        (r"\*\*(/\d{1,2})?", lambda match: f"*{match[1] or ''}"),
    ]
    if field is HOUR:
        simple.append((r"(0?[1-9]|1[0-2])([ap])m", lambda match: str(int(match[1]) % 12 + 12 * (match[2] == "p"))))
    if field is WEEKDAY:
        simple.insert(0, (r"[lL]", lambda match: "6"))
    return next((suggest(match) for pattern, suggest in simple if (match := re.fullmatch(pattern, part))), "")


def _three_letters(field: Field, words: str) -> str:
    short = [word[:3].lower() for word in words.split("-")]
    return "-".join(short) if set(short) <= set(field.names) else ""


# --- what stands around a schedule ----------------------------------------------------------


def _prefixed_zone(text: str) -> Mistake | None:
    """CRON_TZ=Europe/Berlin 0 8 * * *, as cronie and Go have it."""
    match = re.match(r"((?:CRON_)?TZ=(\S+))\s+(.+)", text, re.IGNORECASE | re.DOTALL)
    if match is None:
        return None
    prefix, zone, rest = match.groups()
    zone = zone.strip("\"'")
    return Mistake(
        f'"{shown(prefix)}" stands before the schedule.',
        f"Write timezone := '{shown(zone)}', and the schedule without it: {shown(rest)}",
    )


def _command(text: str) -> Mistake | None:
    """Where the order of arguments was another one."""
    if not re.match(r"(?:select|call|vacuum|insert|update|delete|refresh|analyze|truncate|do)\b.", text, re.IGNORECASE):
        return None
    return Mistake(f'"{shown(text)}" looks like SQL.', "The order is command, database, schedule.")


def _several(text: str) -> Mistake | None:
    """Entries with semicolons between them."""
    entries = [entry.strip() for entry in text.strip(" ;").split(";")]
    if len(entries) < 2 or not all(map(_can_be_read, entries)):
        return None
    array = ",".join(f'"{entry}"' for entry in entries)
    return Mistake(f"It has {len(entries)} entries.", f"Write them as an array: {{{shown(array)}}}")


def _number(text: str) -> Mistake | None:
    if not re.fullmatch(r"[1-9]\d{0,6}", text, re.ASCII):
        return None
    return Mistake(f'"{text}" has no unit.', f"Write {text} seconds or {text} minutes.")


def _followed(text: str) -> Mistake | None:
    """A crontab line with the command or a time zone behind it."""
    parts = text.split(" ")
    for number in (5, 6):
        line, rest = " ".join(parts[:number]), " ".join(parts[number:])
        if not rest or not re.match(r"[/~]|[A-Za-z_]{4,}|[A-Z][a-z]+/|psql\b|UTC$", rest) or not _can_be_read(line):
            continue
        if re.fullmatch(r"[A-Z][A-Za-z_]+/[A-Za-z_/+-]+|UTC", rest):
            hint = f"Write timezone := '{shown(rest)}', and the schedule without it: {shown(line)}"
        else:
            hint = f"The command is given as job_command. Did you mean {shown(line)}?"
        return Mistake(f'"{shown(rest)}" follows the crontab line.', hint)
    return None


def _seconds_last(text: str) -> Mistake | None:
    """Six fields as croniter has them."""
    parts = text.split(" ")
    line = " ".join([parts[-1], *parts[:-1]])
    if len(parts) != 6 or not re.fullmatch(r"[\d*][\d*,/-]*", parts[-1]) or not _can_be_read(line):
        return None
    return Mistake("Of six fields the first is the second, not the last.", did_you_mean(line) + FIELDS)


# --- times of day ---------------------------------------------------------------------------

_CLOCK = r"(\d{1,6})(?::([0-5]\d))?(?::([0-5]\d)(?:\.0+)?)?\s*([ap]\.?m\.?)?"


def _clock(text: str) -> Mistake | None:
    """What a clock alone may mean: `00:05:00` is also what PostgreSQL shows of an interval of 5 minutes."""
    match = re.fullmatch(rf"(?:at )?{_CLOCK}", text, re.IGNORECASE)
    if match is None or not (match[2] or match[4]):
        return None
    line = _at(match, "*")
    if match[4] or text[:2].lower() == "at":
        return Mistake(f'"{shown(text)}" is not a schedule.', did_you_mean(line) + FORMS)
    seconds = int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3] or 0)
    interval = in_words(seconds) if 0 < seconds <= LONGEST else ""
    if not line or not interval:
        return Mistake(f'"{shown(text)}" is not a schedule.', did_you_mean(line or interval) + FORMS)
    return Mistake(
        f'"{shown(text)}" can be a length of time or a time of day.',
        f"Write {interval} for an interval, or {line} for that time of each day.",
    )


def _at(clock: re.Match[str], weekdays: str, days: str = "*", group: int = 1) -> str:
    """The crontab line of a time of day, or nothing where there is no such time."""
    hour, minute, second, half = clock.group(group, group + 1, group + 2, group + 3)
    number = int(hour)
    if half:
        if not 1 <= number <= 12:
            return ""
        number = number % 12 + 12 * (half[0].lower() == "p")
    if number > 23 or not weekdays:
        return ""
    fields = [str(int(minute or 0)), str(number), days, "*", weekdays]
    return " ".join([str(int(second)), *fields] if int(second or 0) else fields)


# --- no schedule at all ---------------------------------------------------------------------


def _on_demand(text: str) -> Mistake | None:
    if not re.fullmatch(r"null|none|never|manual(?:ly)?|off|disabled|on[ -]demand", text, re.IGNORECASE):
        return None
    return Mistake(f'"{text}" is not a schedule.', "Use NULL for a job that runs only when run_job() asks for it.")


def _one_moment(text: str) -> Mistake | None:
    """now, in 5 minutes, tomorrow, 31.12.2027."""
    if not re.fullmatch(
        r"once|(?:now|immediately|today|tomorrow|in (?:\d+|an?) \w+|next \w+)\b.*|\d\d?([./])\d\d?\1\d{4}\b.*",
        text,
        re.IGNORECASE,
    ):
        return None
    return Mistake(
        f'"{shown(text)}" is not a schedule.',
        "Write a moment as in 2027-01-31 04:30; run_once() runs a command at once.",
    )


_SPECIAL = (_prefixed_zone, _command, _several, _number, _clock, _followed, _seconds_last, _on_demand, _one_moment)


# --- other languages ------------------------------------------------------------------------

_EVERY = {
    "second": "1 second",
    "minute": "* * * * *",
    "hour": "@hourly",
    "day": "@daily",
    "night": "@daily",
    "week": "@weekly",
    "month": "@monthly",
    "year": "@yearly",
}
# systemd.time(7) has these beside daily, weekly and so on; people write some of them elsewhere.
_WORDS = {
    "secondly": "1 second",
    "minutely": "* * * * *",
    "fortnightly": "14 days",
    "quarterly": "0 0 1 */3 *",
    "semiannually": "0 0 1 */6 *",
    "nightly": "@daily",
    "noon": "0 12 * * *",
    "reboot": "@reboot",
    "boot": "@reboot",
    "startup": "@reboot",
}


def _candidates(text: str) -> Iterator[str]:
    lower = text.lower()
    if match := re.fullmatch(r"(?:rate|cron|at)\((.*)\)", text):  # Amazon EventBridge; the year is the last of six
        yield match[1]
        yield " ".join("*" if part == "?" else part for part in match[1].split()[:5])
    if match := re.fullmatch(r"@(\w+)", lower):
        yield match[1].replace("_", " ")
        yield _EVERY.get(match[1].removeprefix("every_"), "")
        yield from _days_and_clock(match[1].replace("_", " "))
    yield from _recurrence(text)
    yield _WORDS.get(lower.lstrip("@"), "")
    if match := re.fullmatch(r"(?:every|each|once (?:an?|per|every)) (\w+)", lower):
        yield _EVERY.get(match[1], "")
    if match := re.fullmatch(r"@?(?:(?:every|each|on) )?([a-z][a-z,. -]*)", lower):
        weekdays = _weekdays(match[1])
        yield f"0 0 * * {weekdays}" if weekdays not in ("", "*") else ""
    yield from _near_keyword(text)
    if match := re.fullmatch(r"(?:every |each )?(.*[a-z].*)", lower):
        yield " ".join(re.sub(r"\band\b|,", " ", match[1]).split())
    yield from _days_and_clock(lower)
    yield from _systemd(text)
    yield from _quartz(text.split())


def _near_keyword(text: str) -> Iterator[str]:
    first, _, rest = text.partition(" ")
    for near in difflib.get_close_matches("@" + first[:20].lower().lstrip("@"), KEYWORDS, n=1):
        if near in ("@every", "@after"):
            yield f"{near} {rest}".strip()
        elif not rest or first[0] == "@":
            yield near


def _days_and_clock(text: str) -> Iterator[str]:
    """every monday at 9:00, daily at 2am, at 02:30 on weekdays."""
    text = re.sub(r"\bmidnight$", "00:00", re.sub(r"\bnoon$", "12:00", text))
    days = r"(?:(?:every|each|on) )?([a-z][a-z,. -]*?)"
    match = re.fullmatch(rf"(?:{days} )?(at )?{_CLOCK}", text)
    if match and (match[2] or match[4] or match[6]):
        yield _at(match, _weekdays((match[1] or "").removesuffix(",")), group=3)
    match = re.fullmatch(rf"(at )?{_CLOCK} {days}", text)
    if match and (match[1] or match[3] or match[5]):
        yield _at(match, _weekdays(match[6]), group=2)


def _weekdays(words: str) -> str:
    """The field day of week of such words, or nothing."""
    if words in ("", "day", "days", "daily", "every day", "night", "nightly"):
        return "*"
    if words in ("weekday", "weekdays", "workday", "workdays"):
        return "mon-fri"
    if words in ("weekend", "weekends"):
        return "sat,sun"
    words = re.sub(r"\.\.| to | through ", "-", words)
    words = re.sub(r",? and |, ?| ", ",", words)
    short = [[name[:3] for name in part.split("-")] for part in words.split(",")]
    return ",".join("-".join(part) for part in short) if all(set(part) <= set(DAY_NAMES) for part in short) else ""


def _systemd(text: str) -> Iterator[str]:
    """OnCalendar: Mon..Fri *-*-* 09:00:00, *-*-01 04:00, *:0/15."""
    if match := re.fullmatch(r"\*:0?0/(\d{1,2})(?::00?)?", text):
        yield f"*/{match[1]} * * * *"
    if match := re.fullmatch(rf"(?:([A-Za-z.,-]+) )?(?:(?:\*-)?\*-(\*|\d\d?) )?{_CLOCK}", text):
        yield _at(match, _weekdays((match[1] or "").lower()), (match[2] or "*").removeprefix("0"), group=3)


def _quartz(parts: list[str]) -> Iterator[str]:
    """Seven fields with the year last."""
    if len(parts) == 7:
        yield " ".join("*" if part == "?" else part for part in parts[:6])


def _recurrence(text: str) -> Iterator[str]:
    """RRULE of iCalendar, repeat_interval of Oracle: FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=2."""
    text = text.upper().replace(" ", "").removeprefix("RRULE:")
    if not re.fullmatch(r"(?:[A-Z]+=[^;=]+(?:;|$))+", text):
        return
    rule = dict(part.split("=") for part in text.strip(";").split(";"))
    unit = _FREQUENCIES.get(rule.pop("FREQ", ""), "")
    number = rule.pop("INTERVAL", "1")
    if not unit or set(rule) - {"BYSECOND", "BYMINUTE", "BYHOUR", "BYMONTHDAY", "BYMONTH", "BYDAY"}:
        return
    if not rule:
        yield _EVERY[unit] if number == "1" else f"{number} {unit}s"
    elif number == "1" and not {"BYMONTHDAY", "BYDAY"} <= set(rule):  # both must match there
        if "BYDAY" in rule:
            weekdays = ",".join(map(_day_of_rule, rule["BYDAY"].split(",")))
        else:
            weekdays = "0" if unit == "week" else "*"
        # What is not said follows from when the rule begins: mostly with the hour, the day, the month.
        units = list(_EVERY)
        day = "1" if unit in ("month", "year") and "BYDAY" not in rule else "*"
        fields = [
            rule.get("BYMINUTE", "*" if unit in units[:2] else "0"),
            rule.get("BYHOUR", "*" if unit in units[:3] else "0"),
            rule.get("BYMONTHDAY", day).replace("-1", "L"),
            rule.get("BYMONTH", "1" if unit == "year" else "*").lower(),
            weekdays,
        ]
        if rule.get("BYSECOND", "0") != "0":
            fields.insert(0, rule["BYSECOND"])
        yield " ".join(fields)


_FREQUENCIES = {
    "SECONDLY": "second",
    "MINUTELY": "minute",
    "HOURLY": "hour",
    "DAILY": "day",
    "WEEKLY": "week",
    "MONTHLY": "month",
    "YEARLY": "year",
}


def _day_of_rule(day: str) -> str:
    """MO, Oracle's MON, 2TU (the second Tuesday), -1FR (the last Friday), as crontab has them."""
    match = re.fullmatch(r"(-1|[1-5])?([A-Z]{2,3})", day)
    names = [name for name in DAY_NAMES if match and name.upper().startswith(match[2])]
    if not names or match is None:
        return "?"
    return names[0] + ("" if not match[1] else "L" if match[1] == "-1" else f"#{match[1]}")
