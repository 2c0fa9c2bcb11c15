"""The SQL of the extension means the same whatever the session's settings and the encoding of the database are."""

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


@pytest.mark.parametrize("name", FILES)
def test_no_name_is_pasted_into_a_comment_of_a_remedy(name: str) -> None:
    """A line break in it would end the comment: quote_ident_in_one_line() and quote_literal_in_one_line() have none."""
    literals = re.findall(r"--[^\n]*|(E?'(?:[^'\\]|\\.|'')*')", (ROOT / name).read_text(), flags=re.DOTALL)
    comments = [line for literal in literals for line in re.split(r"\\n|^E?'", literal) if line.startswith("-- ")]
    assert [line for line in comments if re.search(r"%(\d+\$)?-?\d*[IL]", line)] == []


@pytest.mark.parametrize("folder", ["sql", "cron"])
def test_functions_that_catch_errors_keep_the_session(folder: str) -> None:
    """With exit_on_error an error ends the session of the caller before it can be caught."""
    found = []
    for path in (ROOT / folder).rglob("*.sql"):
        for function in re.split(r"(?=^CREATE )", path.read_text(), flags=re.MULTILINE):
            if catches := re.search(r"^ *EXCEPTION\b(?! *USING)", function, flags=re.MULTILINE):
                found.append((path.name, "SET exit_on_error = off" in function[: catches.start()]))
    assert found
    # What every function may end with: it raises the error again.
    assert [name for name, keeps in found if not keeps] == ["one_line_of_context.sql"] * (folder == "sql")


@pytest.mark.parametrize("folder", ["sql", "cron", "updates", "plpython/elephant_worker"])
def test_texts_are_ascii(folder: str) -> None:
    """What is no ASCII cannot be said, or not even be created, in databases of some encodings."""
    files = [path for kind in ("*.sql", "*.py") for path in (ROOT / folder).rglob(kind)]
    assert files
    assert [str(path.relative_to(ROOT)) for path in files if not path.read_text().isascii()] == []
