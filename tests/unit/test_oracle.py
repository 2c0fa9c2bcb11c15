"""The oracle that judges histories of jobs: it knows the documents, and notices damage."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from tests.model.damage import DAMAGE, Damage, damaged, places
from tests.model.history import History
from tests.model.oracle import RULES, judge
from tests.model.shown_elsewhere import SHOWN_ELSEWHERE

ROOT = Path(__file__).parents[2]
HISTORIES = [History.read(path) for path in sorted(Path(ROOT, "tests/model/histories").glob("*.json"))]
DOCUMENTS = {
    name: " ".join(Path(ROOT, "docs", f"{name}.md").read_text().split()) for name in ("reference", "schedules")
}
QUOTE = re.compile(r"(reference|schedules)\.md: (.*?)(?= (?:reference|schedules)\.md: |$)")
# In how many places damage is done.
PLACES = 3


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rules_quote_the_documents(rule: object) -> None:
    quotes = QUOTE.findall(" ".join((rule.__doc__ or "").split()))
    assert quotes
    assert [quote for document, quote in quotes if quote not in DOCUMENTS[document]] == []


@pytest.mark.parametrize(("document", "sentence", "test"), SHOWN_ELSEWHERE)
def test_what_is_shown_elsewhere(document: str, sentence: str, test: str) -> None:
    file, _, name = test.partition("::")
    assert sentence in DOCUMENTS[document]
    assert f"def {name}(" in Path(ROOT, "tests/integration", file).read_text()


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
