"""Each sentence of the reference and of schedules is shown by a test: by random histories, or by another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cluster import ROOT
from tests.model.sentences import quotes_of, unshown
from tests.model.shown_elsewhere import SHOWN_ELSEWHERE

DOCUMENTS = {name: (ROOT / "docs" / name).read_text() for name in ("reference.md", "schedules.md")}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_sentence_is_shown(document: str) -> None:
    found = unshown(DOCUMENTS[document], quotes_of(document))
    assert not found, "\n".join(["tests/model/shown_elsewhere.py does not say what shows:", *found])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_sentence_that_nothing_shows_is_noticed(document: str) -> None:
    text = DOCUMENTS[document].replace(". ", ". Pigs can fly. ", 1)
    assert "Pigs can fly." in unshown(text, quotes_of(document))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_is_quoted_is_there(document: str) -> None:
    text = " ".join(DOCUMENTS[document].split())
    assert [quote for quote in quotes_of(document) if quote not in text] == []


@pytest.mark.parametrize("test", SHOWN_ELSEWHERE)
def test_what_shows_it_is_there(test: str) -> None:
    file, _, name = test.partition("::")
    paths = [path for folder in ("unit", "integration") if (path := Path(ROOT, "tests", folder, file)).exists()]
    assert any(f"def {name or 'test_'}" in path.read_text() for path in paths)
