"""The oracle that judges histories of jobs: it knows the documents, and notices damage."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.model.damage import DAMAGE, Damage, damaged, places
from tests.model.history import History
from tests.model.oracle import RULES, judge
from tests.model.sentences import QUOTE, quotes_of_rules

ROOT = Path(__file__).parents[2]
HISTORIES = [History.read(path) for path in sorted(Path(ROOT, "tests/model/histories").glob("*.json"))]
DOCUMENTS = {name: Path(ROOT, "docs", name).read_text() for name in ("reference.md", "schedules.md")}
# In how many places damage is done.
PLACES = 3


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rules_quote_the_documents(rule: object) -> None:
    assert QUOTE.search(" ".join((rule.__doc__ or "").split()))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_rules_quote_is_there(document: str) -> None:
    text = " ".join(DOCUMENTS[document].split())
    assert [quote for quote in quotes_of_rules(document) if quote not in text] == []


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
