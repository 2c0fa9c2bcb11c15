"""The configuration: one file in TOML, which holds the secrets too."""

from __future__ import annotations

import difflib
import re
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from .redaction import Redactor, parts_of_url

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EVENTS = (
    "failed", "timed out", "lost", "missed", "recovered", "quarantined", "disabled", "overdue", "overrun",
)  # fmt: skip
DURATION = re.compile(r"(\d+(?:\.\d+)?) *(second|minute|hour|day)s?")


class ConfigurationError(Exception):
    """The configuration cannot be used; says in `problems` everything that is wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Receiver:
    """Where alerts are sent to, and which."""

    name: str
    url: str = field(repr=False)
    events: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()

    def wants(self, event: str, rolname: str | None, job_name: str | None) -> bool:
        """Whether an alert goes there; what is not given is not asked for.

        >>> receiver = Receiver("mail", "json://localhost", events=("failed",), jobs=("import *", "7"))
        >>> receiver.wants("failed", "app", "import orders"), receiver.wants("failed", "app", None)
        (True, False)
        >>> receiver.wants("lost", "app", "7"), Receiver("all", "json://localhost").wants("lost", None, None)
        (False, True)
        """
        return (
            (not self.events or event in self.events)
            and (not self.roles or rolname in self.roles)
            and (not self.jobs or any(fnmatchcase(job_name or "", pattern) for pattern in self.jobs))
        )


@dataclass(frozen=True)
class Heartbeat:
    """What is called again and again while the worker is well; times in seconds."""

    url: str = field(repr=False)
    every: float = 60.0


@dataclass(frozen=True)
class Configuration:
    """All of it; times in seconds."""

    conninfo: str = field(repr=False)
    receivers: tuple[Receiver, ...]
    heartbeat: Heartbeat | None = None
    group_for: float = 10.0
    give_up_after: float = 86400.0
    take_over_after: float = 15.0

    def redactor(self) -> Redactor:
        """Hides every secret that the configuration has, but no name of a receiver: messages are about them."""
        urls = [receiver.url for receiver in self.receivers] + ([self.heartbeat.url] if self.heartbeat else [])
        secrets = {part for url in urls for part in parts_of_url(url)}.difference(
            receiver.name for receiver in self.receivers
        )
        return Redactor(secrets | {str(conninfo_to_dict(self.conninfo).get("password") or ""), self.conninfo})


def seconds(text: str) -> float:
    """The length of a time such as "90 seconds" or "1 day".

    >>> seconds("90 seconds"), seconds("1.5 hours"), seconds("1 day")
    (90.0, 5400.0, 86400.0)
    """
    found = DURATION.fullmatch(text.strip())
    if not found:
        raise ValueError(text)
    return timedelta(**{f"{found[2]}s": float(found[1])}).total_seconds()


def _nearest(word: str, known: tuple[str, ...], shown: Callable[[str], str] = str) -> str:
    """What somebody may have meant."""
    near = difflib.get_close_matches(word, known, 1)
    return f"did you mean {shown(near[0])}?" if near else f"there are: {', '.join(known)}"


class _Reader:
    """Reads tables of the file and notes every problem, so that a person hears of all at once."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def table(self, document: Mapping[str, Any], name: str, where: str, known: tuple[str, ...]) -> Mapping[str, Any]:
        """A table, of which these keys are known."""
        found = document.get(name, {})
        if not isinstance(found, Mapping):
            self.problems.append(f"{where} must be a table: [{where}]")
            return {}
        self.refuse_unknown(found, where, known)
        return found

    def refuse_unknown(self, table: Mapping[str, Any], where: str, known: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                self.problems.append(f"{where}{'.' if where else ''}{key} is not known; {_nearest(key, known)}")

    def text(self, table: Mapping[str, Any], key: str, where: str) -> str:
        """A text that must be given."""
        found = table.get(key)
        if not isinstance(found, str) or not found.strip():
            self.problems.append(f'{where}.{key} must be given, as in {key} = "…"')
            return ""
        return found.strip()

    def texts(self, table: Mapping[str, Any], key: str, where: str, known: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of texts that may be left out."""
        found = table.get(key)
        if found is None:
            return ()
        if not isinstance(found, list) or not found or not all(isinstance(item, str) for item in found):
            self.problems.append(f'{where}.{key} must be a list of texts, as in {key} = ["…"]; without it, all')
            return ()
        for item in found:
            if known and item not in known:
                self.problems.append(f"{where}.{key}: {item!r} is not known; {_nearest(item, known, repr)}")
        return tuple(found)

    def seconds(self, table: Mapping[str, Any], key: str, where: str, default: float, least: float) -> float:
        """A length of time that may be left out."""
        if key not in table:
            return default
        try:
            found = seconds(table[key])
        except (ValueError, TypeError, OverflowError, AttributeError):
            self.problems.append(f'{where}.{key} must be a length of time, as in {key} = "30 seconds" or "1 day"')
            return default
        if not least <= found <= 366 * 86400:
            self.problems.append(f"{where}.{key} must be at least {least:g} seconds and at most a year")
        return found


def read(path: Path) -> Configuration:
    """Read the configuration file; raises ConfigurationError."""
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise ConfigurationError([f"{path} cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # Of what it says, the place is enough; the rest may quote the file.
        place = re.search(r"\(at [^)]*\)", str(error))
        raise ConfigurationError([f"{path} is not valid TOML {place[0] if place else '(UTF-8)'}"]) from None
    configuration, problems = parse(document)
    if mode & stat.S_IROTH:
        problems.insert(0, f"{path} has secrets, and everybody can read it: chmod o= {path}")
    if problems or configuration is None:
        raise ConfigurationError(problems)
    return configuration


def parse(document: Mapping[str, Any]) -> tuple[Configuration | None, list[str]]:
    """The configuration that a document of TOML means, and what is wrong with it."""
    reader = _Reader()
    reader.refuse_unknown(document, "", ("database", "receivers", "heartbeat", "forward"))
    database = reader.table(document, "database", "database", ("conninfo",))
    conninfo = reader.text(database, "conninfo", "database")
    try:
        conninfo_to_dict(conninfo)
    except psycopg.Error:
        # Its message would show a part of it.
        reader.problems.append(
            'database.conninfo is no connection string; one is "host=db dbname=postgres user=elephant-console"'
        )
    receivers = tuple(_receivers(reader, document))
    heartbeat = None
    if "heartbeat" in document:
        table = reader.table(document, "heartbeat", "heartbeat", ("url", "every"))
        heartbeat = Heartbeat(
            reader.text(table, "url", "heartbeat"), reader.seconds(table, "every", "heartbeat", Heartbeat.every, 1.0)
        )
        if heartbeat.url and not re.match(r"https?://[^/]", heartbeat.url):
            reader.problems.append("heartbeat.url must begin with https:// or http://")
    table = reader.table(document, "forward", "forward", ("group_for", "give_up_after", "take_over_after"))
    times = {
        "group_for": reader.seconds(table, "group_for", "forward", Configuration.group_for, 0.0),
        "give_up_after": reader.seconds(table, "give_up_after", "forward", Configuration.give_up_after, 1.0),
        "take_over_after": reader.seconds(table, "take_over_after", "forward", Configuration.take_over_after, 1.0),
    }
    if times["take_over_after"] > 3600:
        reader.problems.append("forward.take_over_after must be at most 1 hour")
    if reader.problems:
        return None, reader.problems
    return Configuration(conninfo, receivers, heartbeat, **times), []


def _receivers(reader: _Reader, document: Mapping[str, Any]) -> list[Receiver]:
    tables = document.get("receivers", {})
    if not isinstance(tables, Mapping) or not tables:
        reader.problems.append('there is no receiver; one is [receivers.mail] with url = "mailto://…"')
        return []
    found = []
    for name in tables:
        where = f"receivers.{name}"
        table = reader.table(tables, name, where, ("url", "events", "roles", "jobs"))
        if not 1 <= len(name) <= 100:
            reader.problems.append(f"{where}: the name of a receiver has 1 to 100 characters")
        found.append(
            Receiver(
                name,
                reader.text(table, "url", where),
                reader.texts(table, "events", where, EVENTS),
                reader.texts(table, "roles", where),
                reader.texts(table, "jobs", where),
            )
        )
    return found
