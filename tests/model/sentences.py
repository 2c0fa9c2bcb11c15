"""The sentences, list items and rows of tables of a document, and which of them nothing shows."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tests.model.oracle import RULES
from tests.model.shown_elsewhere import NO_PROMISE, SHOWN_ELSEWHERE

QUOTE = re.compile(r"(reference\.md|schedules\.md): (.*?)(?= (?:reference|schedules)\.md: |$)")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
END_OF_SENTENCE = re.compile(r"(?<=\.)\s+(?=\S)")
ITEM = re.compile(r"\n(?=- )")


@dataclass(frozen=True)
class Sentence:
    """A sentence, or what says as much; the heading of its section, and the first row of its table."""

    text: str
    section: str
    head: str = ""


def sentences(document: str) -> Iterator[Sentence]:
    """All that a document says, but for comments and code."""
    section = ""
    for block in re.split(r"\n\n+", CODE.sub("", COMMENT.sub("", document))):
        lines = block.strip("\n").split("\n")
        if lines[0].startswith("#"):
            section = lines[0]
        elif lines[0].startswith("|"):
            yield from (Sentence(" ".join(line.split()), section, lines[0]) for line in lines[2:])
        elif not lines[0].startswith("    "):
            items = ITEM.split(block) if lines[0].startswith("- ") else END_OF_SENTENCE.split(" ".join(lines))
            yield from (Sentence(" ".join(item.split()), section) for item in items if item.strip())


def unshown(document: str, quotes: Collection[str]) -> list[str]:
    """The sentences of which no quote is a part, nor a quote of their section or table."""
    return [
        sentence.text
        for sentence in sentences(document)
        if sentence.section not in quotes
        and sentence.head not in quotes
        and not any(quote in sentence.text or sentence.text in quote for quote in quotes)
    ]


def quotes_of_rules(document: str) -> list[str]:
    """What the rules of the oracle quote of a document: as "reference.md: …" or "schedules.md: …"."""
    texts = [" ".join((rule.__doc__ or "").split()) for rule in RULES]
    return [quote for text in texts for name, quote in QUOTE.findall(text) if name == document]


def quotes_of(document: str) -> list[str]:
    """What is quoted of it, by rules and elsewhere."""
    elsewhere = [*(quote for shown in SHOWN_ELSEWHERE.values() for quote in shown), *NO_PROMISE]
    begin = f"{document}: "
    return [*quotes_of_rules(document), *(text.removeprefix(begin) for text in elsewhere if text.startswith(begin))]
