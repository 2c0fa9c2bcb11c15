"""The functions `report_data` and `report_html`."""

from __future__ import annotations

import json
from typing import Any

from ..database.report import client_knows_utf8
from ..database.spi import Spi
from ..errors import UserError
from .data import collect
from .page import page


def write_report(plpy: Any, schema: str, seconds: float, as_page: bool) -> dict[str, Any]:
    """The function `write_report`: the report of the last seconds, as JSON or as a page."""
    spi = Spi(plpy, schema)
    try:
        document = collect(spi, seconds)
        text = page(document, client_knows_utf8(spi)) if as_page else json.dumps(document)
    except spi.Error as error:
        return {"report": None, "user_error": UserError.of(error).as_row()}
    except UserError as error:
        return {"report": None, "user_error": error.as_row()}
    return {"report": text, "user_error": None}
