"""The functions `report_data` and `report_html`."""

from __future__ import annotations

import json
from typing import Any

from ..database.report import client_knows_utf8
from ..database.spi import Spi
from ..errors import UserError
from .data import collect, size_in_ascii, size_in_utf8
from .page import page

SHORTEST, LONGEST = 1, 3660 * 86400  # seconds


def write_report(
    plpy: Any, schema: str, caller: str | None, since: str | None, seconds: float | None, as_page: bool | None
) -> dict[str, Any]:
    """The function `write_report`: the report of the last seconds, as JSON or as a page."""
    spi = Spi(plpy, schema)
    try:
        if seconds is None or not SHORTEST <= seconds <= LONGEST:
            raise UserError(
                f"{caller}() cannot look back {since or 'NULL'}",
                "The interval says how far back from now to look: at least 1 second, at most 10 years.",
                f"For example {caller}('7 days'); what log_max_age has removed is gone.",
            )
        if as_page:
            utf8 = client_knows_utf8(spi)
            text = page(collect(spi, seconds, size_in_utf8 if utf8 else size_in_ascii), utf8)
        else:
            text = json.dumps(collect(spi, seconds))
    except spi.Error as error:
        return {"report": None, "user_error": UserError.of(error).as_row()}
    except UserError as error:
        return {"report": None, "user_error": error.as_row()}
    return {"report": text, "user_error": None}
