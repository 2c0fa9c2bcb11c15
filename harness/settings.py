"""Settings that not every version of PostgreSQL has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

# Gone in PostgreSQL 19, which reads strings as the standard says.
FORMER = ("standard_conforming_strings = off", "escape_string_warning = off")


def settable(connection: psycopg.Connection[Any], settings: Iterable[str]) -> list[str]:
    """Those, each `name = value`, that the server lets a session have."""
    is_former = connection.info.server_version >= 190000
    return [setting for setting in settings if not (is_former and setting.replace("'", "") in FORMER)]
