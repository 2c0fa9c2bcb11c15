"""Whether a command is SQL, as far as that can be told without executing anything or looking anything up."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Statements are parsed all together and then analysed one after the other. The analysis ends at this one, whatever
# follows it: no table is locked, no type or function of the control database plays a part.
GUARD = "SELECT elephant_worker_looks_at_the_syntax_only;\n"
UNDEFINED_COLUMN = "42703"  # of the guard: what follows it has been parsed
SYNTAX_ERRORS = ("42", "22", "0A")  # classes of SQLSTATEs that the parser has
# Parsing takes some 20 ms for as many. Longer commands are taken as they are.
LONGEST = 1_000_000  # characters
SHOWN = 60  # characters of the command on either side of the mistake


def check(plpy: Any, attribute: str, command: str, on_this_server: bool) -> dict[str, str | None] | None:
    """Return the error for a command without a statement (a row of `user_error`), and warn of one that is not SQL.

    Another server may know other SQL.
    """
    if not has_statement(command):
        return empty(attribute)
    mistake = syntax_error(plpy, command) if on_this_server else None
    if mistake is not None:
        message, detail = mistake
        plpy.warning(
            f"{attribute} is not valid SQL: {message}",
            detail=detail,
            hint=meant(command)
            + (
                "The run will fail."
                if attribute == "command"
                else "It is kept as it is, and its runs will fail; update_job() corrects it, try_job() tries it."
            ),
        )
    return None


def empty(attribute: str) -> dict[str, str | None]:
    """The error for a command without a statement."""
    from ..errors import UserError

    return UserError(
        f"{attribute} cannot be empty",
        "There is nothing to run: it has only comments and semicolons.",
        "Give one or more SQL statements"
        + (", or NULL to run nothing after a failure." if attribute == "on_failure_command" else "."),
    ).as_row()


def has_statement(command: str) -> bool:
    """Whether there is more in a command than blanks, semicolons and comments.

    >>> [has_statement(command) for command in (";", " ; -- later", "/* a /* b */ c */;", "-- now\\nVACUUM")]
    [False, False, False, True]
    """
    text = command.strip()
    if text[:1] not in (";", "-", "/"):
        return True
    import re

    ignored = re.compile(r"[ \t\n\r\f\v;]+|--[^\n\r]*|/\*")
    end_of_comment = re.compile(r"/\*|\*/")  # or the beginning of one in it
    place = 0
    while part := ignored.match(text, place):
        place = part.end()
        depth = int(part[0] == "/*")
        while depth:
            mark = end_of_comment.search(text, place)
            if mark is None:
                return False
            place = mark.end()
            depth += 1 if mark[0] == "/*" else -1
    return place < len(text)


def meant(command: str) -> str:
    """A sentence about what is no SQL but something else, or nothing.

    >>> meant("refresh_reports();")
    'Did you mean SELECT refresh_reports() or CALL refresh_reports()? '
    """
    import re

    text = command.strip().rstrip(";")
    if len(text) <= SHOWN and re.fullmatch(r"[\w.\"]+\s*\(.*\)", text) and text.isprintable():
        return f"Did you mean SELECT {text} or CALL {text}? "
    if text.startswith("\\"):
        return "Commands that begin with a backslash are psql's, not the server's. "
    if re.match(r"(?:\.{0,2}/|(?:psql|pg_dump|vacuumdb|sh|bash|python3?)\s)", text):
        return "Jobs are SQL, not programs. "
    return ""


def syntax_error(plpy: Any, command: str) -> tuple[str, str] | None:
    """The message of the parser, and the place of the mistake; None if there is none."""
    if len(command) > LONGEST:
        return None
    try:
        plpy.prepare(GUARD + command)
    except plpy.SPIError as error:
        position = (error.spidata[4] or 0) - len(GUARD)
        if error.sqlstate == UNDEFINED_COLUMN or error.sqlstate[:2] not in SYNTAX_ERRORS or position <= 0:
            return None
        return str(error), place(command, position)
    return None


def place(command: str, position: int) -> str:
    """Where in a command a character is, counted from 1.

    >>> place("SELECT 1;\\nSELEC 2", 11)
    'Line 2, character 1: SELEC 2'
    """
    before = command[: position - 1]
    line_start = before.rfind("\n") + 1
    column = position - line_start
    line = command[line_start:].partition("\n")[0].rstrip("\r")
    start = max(0, column - 1 - SHOWN)
    end = column - 1 + SHOWN
    shown = ("..." if start else "") + line[start:end] + ("..." if len(line) > end else "")
    return f"Line {before.count(chr(10)) + 1}, character {column}: {shown}"
