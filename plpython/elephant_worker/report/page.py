"""The page: the files beside this one, with the document in it.

All of it is ASCII but for texts of users, and those too unless the client has asked for UTF-8: so the page is right in
whatever encoding it is written to a file.
"""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from os.path import dirname, join
from typing import Any


def page(document: dict[str, Any], utf8: bool = False) -> str:
    """A page that needs nothing from elsewhere and may fetch nothing.

    >>> text = page({"job": "</script><script>alert(1)</script> \\u2028 \\u00e9"})
    >>> text.isascii(), "alert(1)</script>" in text
    (True, False)
    """
    script, style = _file("page.js"), _file("page.css")
    # The browser executes what has these sums, and nothing else.
    policy = (
        f"default-src 'none'; script-src '{_sum(script)}'; style-src '{_sum(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    text = _file("page.html")
    for name, value in {"policy": policy, "style": style, "script": script, "document": _json(document, utf8)}.items():
        before, _, after = text.partition(f"@{name}@")
        text = before + value + after
    return text


def _file(name: str) -> str:
    with open(join(dirname(__file__), name), encoding="ascii") as file:
        return file.read()


def _sum(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _json(document: dict[str, Any], utf8: bool) -> str:
    """JSON in which nothing ends the element, or the line, that it stands in."""
    text = json.dumps(document, ensure_ascii=not utf8, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
