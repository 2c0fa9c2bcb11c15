"""Writes out, in the SQL on standard input, what is said once for all attributes of a job.

The attributes are the columns of tables/job.sql that do not end in `-- internal`. In the other files

    @attributes: {name} = coalesce(update_job.{name}, j.{name}){,}@

repeats the text between `:` and the last `@` for each attribute: `{name}`, `{type}` and `{default}` are those of the
column, `{parameter}` is the type of the parameter of functions, and `{,}` is a comma after each but the last.
`@required attributes` are NOT NULL, `@optional attributes` are not; `@attributes after enabled` are the columns that
follow this one in the table, and `but job_name` leaves one out.

A line `@one line of context@` at the end of a function in PL/pgSQL becomes what stands in one_line_of_context.sql.
A line `# load elephant` in one in PL/Python becomes what loads the package, with ../plpython/loader.py as a string: to
compile it takes longer than most that these functions do, and only the first one in a session needs it.

What users neither call nor read is created as `@internal@.name`, in a schema of its own. Wherever else it is named,
`@extschema@.name` finds it, in cron/ `@scheduler@.name`; but not in updates/, where things are still in the place that
a version has put them.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).parent / "tables/job.sql"
CONTEXT = Path(__file__).parent / "one_line_of_context.sql"
LOADER = Path(__file__).parents[1] / "plpython/loader.py"
# PL/Python begins each line with a tab, also in a string.
LOADED = r'''import sys
if "@PACKAGE@" not in sys.modules:
    exec("""{}load()""".replace("\n\t", "\n"))
elephant = sys.modules["@PACKAGE@"].module
'''
COLUMN = re.compile(r" {4}(?P<name>\w+) (?P<type>[\w\[\]]+)(?P<required> NOT NULL)?(?: DEFAULT (?P<default>.+?))?,?")
MARKER = re.compile(
    r"@(?P<which>required |optional )?attributes(?: after (?P<after>\w+))?(?: but (?P<but>\w+))?:(?P<text>[^@]*)@"
)
WIDTH = 120
INTERNAL = "elephant_worker_internal"
PART = re.compile(r"^(?=-- \S+\.sql$)", re.MULTILINE)
CREATED = re.compile(r"^CREATE \w+ @internal@\.(\w+)", re.MULTILINE)
# Parameters that take more than their column.
PARAMETERS = {"schedule": "@extschema@.job_schedule", "run_after": "@extschema@.job_list"}


class Attribute(NamedTuple):
    name: str
    type: str
    required: bool
    default: str


def attributes(table: str) -> list[Attribute]:
    """The attributes in the order of their columns."""
    columns = table.partition("CREATE TABLE @extschema@.job (\n")[2].partition("\n);")[0]
    found = []
    for line in columns.splitlines():
        if line.endswith("-- internal"):
            continue
        column = COLUMN.fullmatch(line)
        if column is None:
            sys.exit(f"{TABLE}: cannot read the column {line.strip()!r}")
        found.append(Attribute(column["name"], column["type"], bool(column["required"]), column["default"] or "NULL"))
    return found


def expand(sql: str, known: list[Attribute]) -> str:
    """The SQL with each marker replaced."""

    def repeat(marker: re.Match[str]) -> str:
        names = [attribute.name for attribute in known]
        for name in (marker["after"], marker["but"]):
            if name is not None and name not in names:
                raise ValueError(f"{name} is no attribute of a job")
        start = names.index(marker["after"]) + 1 if marker["after"] else 0
        wanted = {None: (True, False), "required ": (True,), "optional ": (False,)}[marker["which"]]
        chosen = [a for a in known[start:] if a.required in wanted and a.name != marker["but"]]
        line = sql[sql.rfind("\n", 0, marker.start()) + 1 : marker.start()]
        margin = " " * (len(line) - len(line.lstrip()))
        output, column = "", len(line)
        for number, attribute in enumerate(chosen, 1):
            comma = "," if number < len(chosen) else ""
            parameter = PARAMETERS.get(attribute.name, attribute.type)
            piece = marker["text"].strip().format(**attribute._asdict(), parameter=parameter, **{",": comma})
            if output and column + 1 + len(piece) > WIDTH:
                output, column = f"{output}\n{margin}{piece}", len(margin) + len(piece)
            else:
                piece = f" {piece}" if output else piece
                output, column = output + piece, column + len(piece)
        return output

    sql = MARKER.sub(repeat, sql).replace("@one line of context@\n", CONTEXT.read_text())
    return sql.replace("# load elephant\n", LOADED.format(LOADER.read_text()))


def internal_names() -> set[str]:
    """The names of what is created in the schema of the internals."""
    return {name for file in TABLE.parents[1].glob("*/*.sql") for name in CREATED.findall(file.read_text())}


def place(script: str, internal: set[str]) -> str:
    """The script with the schema of the internals where they are named."""

    def replace(name: re.Match[str]) -> str:
        return f"@internal@.{name[1]}" if name[1] in internal else name[0]

    parts = [
        part if part.startswith("-- updates/") else re.sub(r"@(?:extschema|scheduler)@\.(\w+)", replace, part)
        for part in PART.split(script)
    ]
    return "".join(parts).replace("@internal@", INTERNAL)


if __name__ == "__main__":
    script = expand(sys.stdin.read(), attributes(TABLE.read_text()))
    sys.stdout.write(place(script, internal_names()))
