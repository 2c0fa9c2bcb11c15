"""What psql, vacuumdb and reindexdb do, as commands of jobs.

>>> perform(["vacuumdb", "--analyze", "shop"], {}, "app", "5432", str, None)[0]
Work(command='VACUUM (ANALYZE)', database='shop', role='app', ...)
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from getopt import GetoptError, gnu_getopt

from .target import Elsewhere, is_connection_string, parameters_of, target


class NotSql(Exception):
    """Why a program does what no job can do."""


@dataclass
class Work:
    """What one job is to do. `database` None: none is named."""

    command: str
    database: str | None
    role: str
    settings: dict[str, str] = field(default_factory=dict)
    name: str | None = None
    notes: list[str] = field(default_factory=list)
    run_when: str = "on_success"
    timeout: str | None = None


# Returns what the file with a path has in it. Raises NotSql where it cannot be read.
ReadFile = Callable[[str], str]

# The variables that libpq looks at, and its parameters; PGPASSWORD and those of encryption are for the client alone.
LIBPQ = {
    "PGDATABASE": "dbname", "PGUSER": "user", "PGHOST": "host", "PGHOSTADDR": "hostaddr", "PGPORT": "port",
    "PGSERVICE": "service", "PGOPTIONS": "options", "PGAPPNAME": "application_name",
}  # fmt: skip
SESSION_VARIABLES = {"PGTZ": "TimeZone", "PGDATESTYLE": "DateStyle", "PGGEQO": "geqo"}

CONNECTION_LONG = ["host=", "port=", "username=", "no-password", "password", "help", "version"]
PSQL_SHORT = "ac:d:eEf:F:h:Hlo:L:np:P:qR:sStT:U:v:VwWxXz01Ab?"
PSQL_LONG = [
    *CONNECTION_LONG, "echo-all", "no-align", "command=", "csv", "dbname=", "echo-queries", "echo-errors",
    "echo-hidden", "file=", "field-separator=", "field-separator-zero", "html", "list", "log-file=", "no-readline",
    "single-transaction", "output=", "pset=", "quiet", "record-separator=", "record-separator-zero", "single-step",
    "single-line", "tuples-only", "table-attr=", "set=", "variable=", "expanded", "no-psqlrc",
]  # fmt: skip
VACUUM_SHORT = "ad:efFh:j:n:N:p:P:qt:U:vVwWzZ?"
VACUUM_LONG = [
    *CONNECTION_LONG, "all", "dbname=", "echo", "full", "freeze", "jobs=", "schema=", "exclude-schema=", "parallel=",
    "quiet", "table=", "verbose", "analyze", "analyze-only", "analyze-in-stages", "disable-page-skipping",
    "skip-locked", "min-xid-age=", "min-mxid-age=", "maintenance-db=", "no-index-cleanup", "force-index-cleanup",
    "no-process-main", "no-process-toast", "no-truncate", "buffer-usage-limit=", "missing-stats-only",
]  # fmt: skip
REINDEX_SHORT = "ad:eh:i:j:p:qsS:t:U:vVwW?"
REINDEX_LONG = [
    *CONNECTION_LONG, "all", "concurrently", "dbname=", "echo", "index=", "jobs=", "quiet", "schema=", "system",
    "table=", "tablespace=", "verbose", "maintenance-db=",
]  # fmt: skip
# Options of vacuumdb, and of VACUUM; those with an argument take it over.
VACUUM_OPTIONS = {
    "-f": "FULL", "--full": "FULL", "-F": "FREEZE", "--freeze": "FREEZE", "-v": "VERBOSE", "--verbose": "VERBOSE",
    "-z": "ANALYZE", "--analyze": "ANALYZE", "--disable-page-skipping": "DISABLE_PAGE_SKIPPING",
    "--skip-locked": "SKIP_LOCKED", "--no-index-cleanup": "INDEX_CLEANUP off",
    "--force-index-cleanup": "INDEX_CLEANUP on",
    "--no-truncate": "TRUNCATE off", "--no-process-main": "PROCESS_MAIN off", "--no-process-toast": "PROCESS_TOAST off",
    "-P": "PARALLEL", "--parallel": "PARALLEL",
}  # fmt: skip
ANALYZE_OPTIONS = ("VERBOSE", "SKIP_LOCKED")
CONNECTION_OPTIONS = {
    "-h": "host", "--host": "host", "-p": "port", "--port": "port", "-U": "user", "--username": "user",
    "-d": "dbname", "--dbname": "dbname",
}  # fmt: skip

# What psql does itself, and what no statement of a job can do.
META_COMMAND = re.compile(r"^[ \t]*\\(\S*)(.*)$", re.MULTILINE)
META_COMMAND_INSIDE = re.compile(r"\\(?:gx?|gset|gexec|gdesc|watch|crosstabview|bind|parse)\b")
HARMLESS = {"timing", "echo", "qecho", "pset", "x", "t", "a", "q"}
SPECIAL_VARIABLES = {
    "ON_ERROR_STOP", "QUIET", "ECHO", "ECHO_HIDDEN", "VERBOSITY", "SHOW_CONTEXT", "HISTFILE", "PROMPT1", "PROMPT2",
}  # fmt: skip
COPY = re.compile(r"\b(?:FROM\s+STDIN|TO\s+STDOUT)\b", re.IGNORECASE)
# Statements that cannot be one of several, and those that may end the transaction they are in.
NOT_IN_TRANSACTION = (
    r"VACUUM|ALTER\s+SYSTEM|(?:CREATE|DROP)\s+(?:DATABASE|TABLESPACE)|REINDEX\s[^;]*?\b(?:DATABASE|SYSTEM)"
    r"|(?:CREATE|DROP|REINDEX|ALTER)\s[^;]*?\bCONCURRENTLY"
)
BY_ITSELF = re.compile(rf"\s*(?:{NOT_IN_TRANSACTION})\b", re.IGNORECASE)
ALONE = re.compile(rf"\s*(?:{NOT_IN_TRANSACTION}|CALL|DO|BEGIN|START|COMMIT|END)\b", re.IGNORECASE)
COMMENT = re.compile(r"--.*$", re.MULTILINE)
SET = re.compile(
    r"\s*SET\s+(?:SESSION\s+)?([A-Za-z_][\w.]*)(?:\s*=\s*|\s+TO\s+)('(?:[^']|'')*'|[\w.+-]+)\s*;?\s*", re.IGNORECASE
)
SEVERAL = re.compile(r";\s*\S")
NAME = r'(?:[A-Za-z_]\w*|"(?:[^"]|"")+")'
RELATION = re.compile(rf"{NAME}(?:\.{NAME})?(?:\s*\([^();]*\))?")

SENT_AS_A_WHOLE = "It is sent as a whole: an error undoes whatever it has not committed"


def perform(
    words: list[str], variables: Mapping[str, str], user: str, port: str, read_file: ReadFile, given_input: str | None
) -> list[Work]:
    """What a program does, one work after the other. `user` is that of the operating system, `given_input` what the
    program reads. Raises NotSql, Elsewhere."""
    program = posixpath.basename(words[0])
    if program not in PROGRAMS:
        raise NotSql(f"it runs {program}, which is not SQL")
    return PROGRAMS[program](words, variables, user, port, read_file, given_input)


def path_of(name: str, directory: str | None) -> str:
    """The path of a file. Raises NotSql where that cannot be known."""
    if not name.startswith("/") and directory is None:
        raise NotSql(f'the directory of "{name}" is not known: write its whole path')
    return posixpath.normpath(posixpath.join(directory or "/", name))


def _psql(
    words: list[str], variables: Mapping[str, str], user: str, port: str, read_file: ReadFile, given_input: str | None
) -> list[Work]:
    options, operands = _options(words, PSQL_SHORT, PSQL_LONG)
    connection: dict[str, str] = {}
    parts: list[tuple[str, str]] = []
    psql_variables: dict[str, str] = {}
    notes: list[str] = []
    single = False
    for option, value in options:
        if option in CONNECTION_OPTIONS:
            connection[CONNECTION_OPTIONS[option]] = value
        elif option in ("-c", "--command"):
            parts.append(("command", value))
        elif option in ("-f", "--file"):
            parts.append(("file", value))
        elif option in ("-v", "--set", "--variable"):
            name, _, assigned = value.partition("=")
            psql_variables[name] = assigned
        elif option in ("-1", "--single-transaction"):
            single = True
        elif option in ("-o", "--output", "-L", "--log-file"):
            notes.append(output_note(value))
        elif option in ("-l", "--list", "-?", "--help", "-V", "--version"):
            raise NotSql(f"psql {option} is not SQL")
    for name, operand in zip(("dbname", "user"), operands):
        connection.setdefault(name, operand)
    if not parts and given_input is not None:
        parts.append(("input", given_input))
    if not parts:
        raise NotSql("psql is given nothing to run")
    database, role, settings = _connection(connection, variables, user, port)
    stop = psql_variables.get("ON_ERROR_STOP", "").lower() in ("1", "on", "true", "yes")
    named = [name for name in psql_variables if name not in SPECIAL_VARIABLES]
    works: list[Work] = []
    for kind, given in parts:
        title, text = _text(kind, given, named, read_file)
        if (setting := SET.fullmatch(text)) and kind == "command" and not works:
            value = setting[2]
            settings[setting[1]] = value[1:-1].replace("''", "'") if value.startswith("'") else value
            continue
        work = Work(text, database, role, settings, title, list(notes))
        if kind != "command" and SEVERAL.search(bare := COMMENT.sub("", text)):
            if found := next(filter(None, map(BY_ITSELF.match, bare.split(";"))), None):
                raise NotSql(f"{' '.join(found[0].split())} cannot be one of several statements: split it")
            if not single:
                work.notes.append(_sent_as_a_whole(stop))
        works.append(work)
    if not works:
        raise NotSql("it only changes settings of its own session")
    if len(works) == 1:
        return works
    if single or not any(ALONE.match(work.command) for work in works):
        joined = "\n;\n".join(work.command for work in works)
        together = [*notes] if single else [*notes, _sent_as_a_whole(stop)]
        return [Work(joined, database, role, settings, works[0].name, together)]
    if any(SET.fullmatch(work.command) for work in works):
        raise NotSql("a SET between its statements counts for those behind it alone")
    for work in works[1:]:
        work.run_when = "on_success" if stop else "always"
    return works


def _text(kind: str, given: str, named: list[str], read_file: ReadFile) -> tuple[str | None, str]:
    """A name for what psql is given to run, and what it sends."""
    title = None
    if kind == "command":
        text = given
        if text.lstrip().startswith("\\"):
            raise NotSql(f"{text.split()[0]} is a command of psql itself")
    elif kind == "file":
        title = posixpath.basename(given).removesuffix(".sql")
        text = _script(read_file(given).removeprefix("\ufeff"), named)
    else:
        text = _script(given, named)
    if COPY.search(text):
        raise NotSql("it copies data from or to psql")
    return title, text


def _sent_as_a_whole(stop: bool) -> str:
    return f"{SENT_AS_A_WHOLE}." if stop else f"{SENT_AS_A_WHOLE}; psql went on with the next statement."


def _script(text: str, named: list[str]) -> str:
    """What psql sends of a file. Raises NotSql."""

    def without(match: re.Match[str]) -> str:
        command, rest = match[1], match[2].split()
        if command in HARMLESS or (command == "set" and rest and rest[0] in SPECIAL_VARIABLES):
            return ""
        raise NotSql(f"\\{command} is a command of psql itself")

    text = META_COMMAND.sub(without, text).strip()
    if inside := META_COMMAND_INSIDE.search(text):
        raise NotSql(f"{inside[0]} is a command of psql itself")
    for name in named:
        if re.search(rf":['\"]?{re.escape(name)}\b", text):
            raise NotSql(f"it uses the variable {name} of psql")
    if not text:
        raise NotSql("there is nothing in it to run")
    return text


def _vacuumdb(
    words: list[str], variables: Mapping[str, str], user: str, port: str, read_file: ReadFile, given_input: str | None
) -> list[Work]:
    options, operands = _options(words, VACUUM_SHORT, VACUUM_LONG)
    connection: dict[str, str] = {}
    chosen: list[str] = []
    tables: list[str] = []
    notes: list[str] = []
    analyze_only = False
    for option, value in options:
        if option in CONNECTION_OPTIONS:
            connection[CONNECTION_OPTIONS[option]] = value
        elif option in ("-t", "--table"):
            tables.append(_relation(value))
        elif option in VACUUM_OPTIONS:
            chosen.append(f"{VACUUM_OPTIONS[option]} {_number(value)}" if value else VACUUM_OPTIONS[option])
        elif option in ("-Z", "--analyze-only"):
            analyze_only = True
        elif option in ("-j", "--jobs"):
            notes.append("It uses one connection.")
        elif option not in QUIET:
            raise NotSql(f"vacuumdb {option} is more than one statement")
    for operand in operands:
        connection.setdefault("dbname", operand)
    if analyze_only and set(chosen) - set(ANALYZE_OPTIONS):
        raise NotSql("its options exclude one another")
    database, role, settings = _connection(connection, variables, user, port)
    statement = "ANALYZE" if analyze_only else "VACUUM"
    command = statement + (f" ({', '.join(chosen)})" if chosen else "") + (f" {', '.join(tables)}" if tables else "")
    return [Work(command, database, role, settings, None, notes)]


def _reindexdb(
    words: list[str], variables: Mapping[str, str], user: str, port: str, read_file: ReadFile, given_input: str | None
) -> list[Work]:
    options, operands = _options(words, REINDEX_SHORT, REINDEX_LONG)
    connection: dict[str, str] = {}
    chosen: list[str] = []
    notes: list[str] = []
    objects: list[tuple[str, str]] = []
    concurrently = ""
    for option, value in options:
        if option in CONNECTION_OPTIONS:
            connection[CONNECTION_OPTIONS[option]] = value
        elif option in REINDEX_OBJECTS:
            objects.append((REINDEX_OBJECTS[option], _relation(value)))
        elif option in ("-s", "--system"):
            objects.append(("SYSTEM", ""))
        elif option == "--concurrently":
            concurrently = " CONCURRENTLY"
        elif option in ("-v", "--verbose"):
            chosen.append("VERBOSE")
        elif option == "--tablespace":
            chosen.append(f"TABLESPACE {_relation(value)}")
        elif option in ("-j", "--jobs"):
            notes.append("It uses one connection.")
        elif option not in QUIET:
            raise NotSql(f"reindexdb {option} is more than one statement")
    for operand in operands:
        connection.setdefault("dbname", operand)
    if len(objects) > 1:
        raise NotSql("it is more than one statement")
    database, role, settings = _connection(connection, variables, user, port)
    kind, name = objects[0] if objects else ("DATABASE", "")
    if not name:
        # Which REINDEX must be told: it takes no other one.
        name = '"' + (database or role).replace('"', '""') + '"'
    listed = f" ({', '.join(chosen)})" if chosen else ""
    return [Work(f"REINDEX{listed} {kind}{concurrently} {name}", database or role, role, settings, None, notes)]


PROGRAMS: dict[str, Callable[[list[str], Mapping[str, str], str, str, ReadFile, str | None], list[Work]]] = {
    "psql": _psql,
    "vacuumdb": _vacuumdb,
    "reindexdb": _reindexdb,
}
QUIET = ("-e", "--echo", "-q", "--quiet", "-w", "--no-password", "-W", "--password", "--maintenance-db")
REINDEX_OBJECTS = {
    "-i": "INDEX", "--index": "INDEX", "-t": "TABLE", "--table": "TABLE", "-S": "SCHEMA", "--schema": "SCHEMA",
}  # fmt: skip


def output_note(file: str) -> str:
    """What is said of output that goes into a file."""
    return f"What it prints went to {file}; a job keeps none of it."


def _options(words: list[str], short: str, long: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    try:
        return gnu_getopt(words[1:], short, long)
    except GetoptError as error:
        raise NotSql(f"{posixpath.basename(words[0])}: {error}") from None


def _connection(
    given: dict[str, str], variables: Mapping[str, str], user: str, port: str
) -> tuple[str | None, str, dict[str, str]]:
    """Database, role and settings, as libpq finds them: parameters first, then the environment."""
    parameters = {LIBPQ[name]: value for name, value in variables.items() if name in LIBPQ and value}
    database = given.pop("dbname", "")
    if database and is_connection_string(database):
        # What it says counts more than options.
        given = {**given, **parameters_of(database)}
    elif database:
        given["dbname"] = database
    found = target({**parameters, **{name: value for name, value in given.items() if value}}, port)
    settings = {SESSION_VARIABLES[name]: value for name, value in variables.items() if name in SESSION_VARIABLES}
    return found.database, found.role or user, {**settings, **found.settings}


def _relation(name: str) -> str:
    if not RELATION.fullmatch(name):
        raise NotSql(f'"{name}" cannot be read as a name')
    return name


def _number(text: str) -> str:
    if not (text.isascii() and text.isdigit()):
        raise NotSql(f'"{text}" is not a number')
    return text


__all__ = ["Elsewhere", "NotSql", "ReadFile", "Work", "output_note", "path_of", "perform"]
