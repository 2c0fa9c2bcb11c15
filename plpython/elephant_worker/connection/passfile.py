"""Passwords that a file has for servers (PostgreSQL documentation, The Password File)."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping

# Parts are separated by colons; a backslash takes the meaning from what follows it.
PART = re.compile(r"((?:[^:\\]|\\.)*)(?::|$)")


def find_password(parameters: Mapping[str, str]) -> str:
    """The password for these parameters of libpq; "" where there is none, or others could read the file."""
    path = parameters.get("passfile") or os.path.expanduser("~/.pgpass")
    host = parameters.get("host", "").partition(",")[0] or parameters.get("hostaddr", "").partition(",")[0]
    wanted = (
        {host, "localhost"} if host.startswith("/") or not host else {host},
        {parameters.get("port", "").partition(",")[0] or "5432"},
        {parameters.get("dbname", "")},
        {parameters.get("user", "")},
    )
    try:
        with open(path) as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                return ""
            return next((line[4] for line in map(_parts, file) if _fits(line, wanted)), "")
    except (OSError, UnicodeDecodeError):
        return ""


def _fits(line: list[str], wanted: tuple[set[str], ...]) -> bool:
    return len(line) >= 5 and all(part == "*" or part in words for part, words in zip(line, wanted))


def _parts(line: str) -> list[str]:
    r"""
    >>> _parts(r"here:5432:*:app:a\:b\\c" + "\n")
    ['here', '5432', '*', 'app', 'a:b\\c']
    """
    line = line.rstrip("\r\n")
    return [] if line.startswith("#") else [re.sub(r"\\(.)", r"\1", part) for part in PART.findall(line)][:5]
