"""No string in the SQL of the extension means something else with standard_conforming_strings = off."""

from __future__ import annotations

import re

import pytest

from harness.cluster import ROOT

FILES = sorted(str(path.relative_to(ROOT)) for folder in ("sql", "updates") for path in (ROOT / folder).rglob("*.sql"))


@pytest.mark.parametrize("name", FILES)
def test_backslashes_are_in_escape_strings(name: str) -> None:
    text = (ROOT / name).read_text()
    text = re.sub(r"^\\echo .*", "", text)
    # Two hyphens in a string begin no comment, so all of them are looked for at once.
    tokens = r"E'(?:[^'\\]|\\.|'')*'|('(?:[^']|'')*')|--[^\n]*"
    text = re.sub(tokens, lambda token: token[1] or "", text, flags=re.DOTALL)
    assert "\\" not in text
    assert not re.search(r"E'(?:[^'\\]|\\[^'])*\\'", (ROOT / name).read_text())  # backslash_quote may forbid it
