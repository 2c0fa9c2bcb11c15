"""Keeps what is secret out of logs, of the database and of what is printed.

The URL of a receiver is a secret as a whole: in some services the token stands where others have the host. So nothing
of it but its scheme gets out, however an error message of some library has taken it apart.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, unquote, unquote_plus

# Options of a URL whose values everybody may know.
OPTIONS = {"format", "overflow", "mode", "method", "verify", "cto", "rto", "emojis", "retry"}
HIDDEN = "***"


def parts_of_url(url: str) -> set[str]:
    """What in a URL may be secret, as it stands there and decoded.

    >>> sorted(part for part in parts_of_url("json://me:p%40s@db:8080/hook?format=text&key=k1") if len(part) < 7)
    ['db', 'hook', 'k1', 'me', 'p%40s', 'p@s']
    """
    _, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    found = {url, *re.split(r"[/@:;,#]+", place)}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name.lower() not in OPTIONS:
            found |= {value, *re.split(r"[/@:;,#]+", value)}
    for part in list(found):
        found |= {unquote(part), unquote_plus(part), quote(part, safe=""), quote(part)}
    # A port is no secret, and hides half of each message.
    return {part for part in found if part and not (part.isdigit() and len(part) <= 5)}


class Redactor:
    """Replaces secrets in text.

    >>> redact = Redactor(parts_of_url("json://me@example.org/hook"))
    >>> redact("some error: /hook at example.org does not know me")
    'some error: /*** at *** does not know ***'
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first, since they may contain others; what is short may be part of an ordinary word.
        ordered = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        patterns = [
            re.escape(secret) if len(secret) > 4 else rf"(?<!\w){re.escape(secret)}(?!\w)" for secret in ordered
        ]
        self._pattern = re.compile("|".join(patterns)) if patterns else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub(HIDDEN, text) if self._pattern else text


class RedactingFormatter(logging.Formatter):
    """Lines of the log, tracebacks included, without secrets."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__("%(levelname)s: %(message)s")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))


def log_without_secrets(redact: Redactor) -> None:
    """Log to standard error what this program says, and nothing that a library says: it may show a whole URL."""
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter(redact))
    handler.addFilter(logging.Filter("elephant_console"))
    logging.getLogger("elephant_console").setLevel(logging.INFO)
    logging.captureWarnings(True)
    logging.getLogger().handlers[:] = [handler]
