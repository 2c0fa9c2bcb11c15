"""Command lines of sh, as far as they can be understood without running anything.

Words are split by shlex. What it does not know - that a quoted `;` is no operator, that `$` has a meaning inside double
quotes - is settled before: each such character that stands for itself is hidden from it.

>>> [command.words for command in read("psql -c 'SELECT 1; SELECT 2' shop > /dev/null 2>&1", {})[0].pipeline]
[['psql', '-c', 'SELECT 1; SELECT 2', 'shop']]
>>> read('psql -c "SELECT $(date +%s)"', {})
Traceback (most recent call last):
elephant_worker.imports.shell.Unreadable: the shell works out $(...)
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

# Characters that may mean something to the shell or to shlex; hidden, they are moved to an area that no text uses.
SPECIAL = "|&;<>()#$`~*?[\"'\\ \t"
HIDDEN_FROM = 0xF0000  # code point
_HIDE = {ord(character): chr(HIDDEN_FROM + ord(character)) for character in SPECIAL}
_SHOW = {HIDDEN_FROM + ord(character): character for character in SPECIAL}
# Before a redirection: the number of what is redirected.
DESCRIPTOR = chr(HIDDEN_FROM)

OPERATORS = "|&;<>()"
CONNECTORS = ("&&", "||", ";", "&")
REDIRECTIONS = ("<", ">", ">>", ">&", "&>", "&>>", ">|")
# Words that begin something else than a command.
RESERVED = {"if", "for", "while", "until", "case", "{", "!", "function", "select", "[["}
PARAMETER = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})", re.ASCII)
EXPANSION = re.compile(r"\$(?:[A-Za-z_]\w*|\{[^}]*\}?|[(]|[$?!@#*0-9-])|`", re.ASCII)
PLAIN = re.compile(r"[\w./:@%+,=-]*", re.ASCII)
PATTERN = re.compile(r"[*?\[]")
ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.ASCII | re.DOTALL)


class Unreadable(Exception):
    """Why a command line cannot be understood."""


@dataclass
class Command:
    """A program with its arguments; `read_from` is a file, `written_to` what else its input and output are."""

    words: list[str]
    variables: dict[str, str] = field(default_factory=dict)
    read_from: str | None = None
    written_to: list[str] = field(default_factory=list)


class Step(NamedTuple):
    """Commands joined by `|`, and the operator that joins them with the step before: && || ; or nothing."""

    connector: str
    pipeline: list[Command]


def read(line: str, variables: Mapping[str, str]) -> list[Step]:
    """The commands of a line; `variables` are those whose values are known. Raises Unreadable."""
    if any(ord(character) >= HIDDEN_FROM for character in line):
        raise Unreadable("it has characters that cannot be read")
    lexer = shlex.shlex(_mark(line, variables), posix=True, punctuation_chars=OPERATORS)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError:
        raise Unreadable("its quotes do not match") from None
    steps: list[Step] = []
    connector = ""
    pipeline: list[Command] = []
    part: list[str] = []
    for token in [*tokens, ";"]:
        if token == "|" or token in CONNECTORS:
            if part or token == "|":
                pipeline.append(_command(part))
            part = []
            if token != "|" and pipeline:
                steps.append(Step(connector, pipeline))
                pipeline, connector = [], token
        else:
            part.append(token)
    if (connector == "||" and not steps) or any(step.connector == "&" for step in steps):
        raise Unreadable("it starts programs in the background")
    return steps


def _mark(line: str, variables: Mapping[str, str]) -> str:
    """The line with each character hidden that stands for itself, and with the values of variables."""
    marked: list[str] = []
    quote = ""
    at = 0
    while at < len(line):
        character = line[at]
        at += 1
        if quote == "'" and character != quote:
            marked.append(character.translate(_HIDE))
        elif character == "\\" and quote != "'" and at < len(line):
            following = line[at]
            at += 1
            # Inside double quotes the backslash stands for itself, but before these.
            kept = "\\".translate(_HIDE) if quote and following not in '$`"\\' else ""
            marked.append(kept + following.translate(_HIDE))
        elif character == quote or (character in "'\"" and not quote):
            quote = "" if quote else character
            marked.append(character)
        elif character in "$`" and (expansion := EXPANSION.match(line, at - 1)):
            marked.append(_value(expansion[0], quote, variables))
            at = expansion.end()
        elif quote:
            marked.append(character.translate(_HIDE))
        elif character == "#" and (not marked or marked[-1] in OPERATORS + " \t"):
            break
        elif character in "<>" and marked and marked[-1].isdigit() and (len(marked) == 1 or marked[-2] in " \t"):
            marked.append(f"{DESCRIPTOR} {character}")
        elif character == "$":
            marked.append(character.translate(_HIDE))
        else:
            marked.append(character)
    return "".join(marked)


def _value(expansion: str, quote: str, variables: Mapping[str, str]) -> str:
    parameter = PARAMETER.fullmatch(expansion)
    value = variables.get(parameter[1] or parameter[2]) if parameter else None
    if value is not None and (quote or PLAIN.fullmatch(value)):
        return value.translate(_HIDE)
    if expansion == "$$":
        raise Unreadable("in double quotes the shell replaces $$ by a number; single quotes would keep it")
    raise Unreadable(f"the shell works out {expansion + '...)' if expansion.endswith('(') else expansion}")


def _command(tokens: list[str]) -> Command:
    command = Command([])
    descriptor = ""
    rest = iter(tokens)
    for token in rest:
        if token.endswith(DESCRIPTOR):
            descriptor = token[:-1]
            continue
        if token in REDIRECTIONS:
            target = _shown(next(rest, ""))
            if not target:
                raise Unreadable(f"nothing follows {token}")
            if token == "<" and descriptor in ("", "0"):
                command.read_from = target
            elif token not in (">&", "&>") or not target.isdigit():
                command.written_to.append(target)
            descriptor = ""
        elif token and token[0] in OPERATORS:
            raise Unreadable(f"{token} is more than can be understood here")
        else:
            word = _shown(token)
            assignment = ASSIGNMENT.fullmatch(word)
            if assignment and not command.words:
                command.variables[assignment[1]] = assignment[2]
            else:
                command.words.append(word)
    if command.words and command.words[0] in RESERVED:
        raise Unreadable("it is a script of the shell")
    return command


def _shown(token: str) -> str:
    """A word as the program gets it."""
    if (PATTERN.search(token) and "://" not in token and token != "[") or token.startswith("~"):
        raise Unreadable("the shell looks for files where *, ?, [ or ~ is not quoted")
    return token.translate(_SHOW)
