"""The code blocks of the documents, and how a reader, or a test, runs them.

A block of SQL is for psql, as a superuser in the database postgres; one for the shell is for the operating system's
user of the server. An HTML comment before a block, which readers do not see, says what is different:

    <!-- as app -->              the block of SQL is for this role
    <!-- fails: 55000 -->        it ends with this SQLSTATE
    <!-- until: succeeded -->    it shows this text, at the latest when it has been repeated for a while
    <!-- not run: why -->        it is not run
    <!-- run by tests/… -->      another test runs it

A comment that begins with a line `sql` or `sh` is a block that nobody sees, for what a reader has already. A comment
`<!-- blocks: run by tests/… -->` speaks of all blocks of a document. Blocks in other languages than SQL, the shell's
and Python are no commands; an indented block is, if it begins with one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

COMMANDS = ("sql", "sh", "python")
# A comment, a fenced block, or indented lines of which the first is a command.
PART = re.compile(
    r"""<!--[ ](?P<comment>.*?)-->
    | ^[ ]*```(?P<language>\w*)\n(?P<code>.*?)^[ ]*```$
    | (?<=\n\n)(?P<indented>[ ]{4}(?:make|sudo|git|psql|PG\w+=|[A-Z]{4,}[ ])[^\n]*\n(?:[ ]{4}[^\n]*\n)*)""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)


@dataclass(frozen=True)
class Block:
    """Some commands of a document."""

    language: str
    code: str
    line: int
    role: str | None = None
    fails: str | None = None
    until: str | None = None
    not_run: str | None = None
    run_by: str | None = None

    @property
    def is_run_here(self) -> bool:
        """Whether it is to be run as it stands."""
        return self.not_run is None and self.run_by is None


def blocks(document: Path) -> Iterator[Block]:
    """The blocks with commands, in their order; an indented block is one of an unknown language."""
    text = document.read_text()
    for_all: dict[str, str] = {}
    said: dict[str, str] = {}
    end = 0
    for part in PART.finditer(text):
        line = text.count("\n", 0, part.start()) + 1
        if text[end : part.start()].strip():
            said = {}
        end = part.end()
        comment = part["comment"]
        if comment is not None:
            language, _, code = comment.partition("\n")
            if language.strip() in COMMANDS:
                yield Block(language.strip(), dedent(code), line)
            elif comment.startswith("blocks: "):
                for_all = _directive(comment.removeprefix("blocks: "))
            else:
                said |= _directive(comment)
        elif part["indented"] is not None:
            yield Block("", part["indented"], line, **(for_all | said))
        elif part["language"] in COMMANDS or not part["language"]:
            yield Block(part["language"], dedent(part["code"]), line, **(for_all | said))


def _directive(comment: str) -> dict[str, str]:
    for name, pattern in (
        ("role", r"as (.+?)"),
        ("fails", r"fails: (\w{5})"),
        ("until", r"until: (.+?)"),
        ("not_run", r"not run: (.+?)"),
        ("run_by", r"run by (\S+)"),
    ):
        if found := re.fullmatch(pattern + r"\s*", comment, re.DOTALL):
            return {name: found[1]}
    return {}
