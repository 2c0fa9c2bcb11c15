"""The oracle that judges histories of jobs: it knows the documents, and notices damage."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from tests.model.damage import DAMAGE, Damage, damaged, places
from tests.model.history import History
from tests.model.oracle import RULES, judge
from tests.model.sentences import unshown
from tests.model.shown_elsewhere import NO_PROMISE, SHOWN_ELSEWHERE

ROOT = Path(__file__).parents[2]
HISTORIES = [History.read(path) for path in sorted(Path(ROOT, "tests/model/histories").glob("*.json"))]
DOCUMENTS = {name: Path(ROOT, "docs", name).read_text() for name in ("reference.md", "schedules.md")}
QUOTE = re.compile(r"(reference\.md|schedules\.md): (.*?)(?= (?:reference|schedules)\.md: |$)")
# In how many places damage is done.
PLACES = 3


def quotes_of_rules() -> list[str]:
    """What rules quote, as "reference.md: …" or "schedules.md: …"."""
    texts = [" ".join((rule.__doc__ or "").split()) for rule in RULES]
    return [f"{document}: {quote}" for text in texts for document, quote in QUOTE.findall(text)]


def quotes_of(document: str) -> list[str]:
    """What is quoted of a document, by rules and elsewhere."""
    quotes = [*quotes_of_rules(), *(quote for shown in SHOWN_ELSEWHERE.values() for quote in shown), *NO_PROMISE]
    return [quote.removeprefix(f"{document}: ") for quote in quotes if quote.startswith(f"{document}: ")]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rules_quote_the_documents(rule: object) -> None:
    assert QUOTE.search(" ".join((rule.__doc__ or "").split()))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_is_quoted_is_there(document: str) -> None:
    text = " ".join(DOCUMENTS[document].split())
    assert [quote for quote in quotes_of(document) if quote not in text] == []


@pytest.mark.parametrize("test", SHOWN_ELSEWHERE)
def test_what_shows_it_is_there(test: str) -> None:
    file, _, name = test.partition("::")
    (path,) = [path for folder in ("unit", "integration") if (path := Path(ROOT, "tests", folder, file)).exists()]
    assert f"def {name or 'test_'}" in path.read_text()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_sentence_is_shown(document: str) -> None:
    """By a rule of the oracle or by another test."""
    found = unshown(DOCUMENTS[document], quotes_of(document))
    assert not found, "\n".join(["tests/model/shown_elsewhere.py does not say what shows:", *found])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_sentence_that_nothing_shows_is_noticed(document: str) -> None:
    text = DOCUMENTS[document].replace(". ", ". Pigs can fly. ", 1)
    assert unshown(text, quotes_of(document)) == ["Pigs can fly."]


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.seed)
def test_good_histories_are_good(history: History) -> None:
    assert judge(history) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_damage_is_noticed(rule: object) -> None:
    """Each rule notices all that is done against it."""
    chance = random.Random(seed := random.randrange(2**32))
    print(f"seed {seed}")
    damages = [damage for damage in DAMAGE if damage.rule == getattr(rule, "__name__", "")]
    assert damages
    for damage in damages:
        found = [(history, place) for history in HISTORIES for place in places(damage, history)]
        assert found, f"there is no place for {described(damage)}"
        for history, place in chance.sample(found, min(PLACES, len(found))):
            findings = judge(damaged(damage, history, place))
            noticed = [finding for finding in findings if finding.startswith(f"{damage.rule}: ")]
            assert noticed, f"{described(damage)} of {damage.table}[{place}] of history {history.seed}: {findings}"


def described(damage: Damage) -> str:
    return f"{damage.change.__qualname__} where {damage.where.__qualname__}"
