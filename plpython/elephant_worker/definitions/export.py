"""export_jobs(): jobs as a document for apply_jobs(), or as calls of define_job()."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import groupby
from typing import Any

from ..database import job_definition
from ..database.spi import Spi
from ..errors import UserError
from .document import Entry, Key, in_order
from .references import References

# The parameters of define_job() that are given without their names.
POSITIONAL = ("job_name", "job_command", "datname")


def write_document(plpy: Any, schema: str, form: str | None, part: str | None) -> dict[str, Any]:
    """The function `write_document`."""
    if form not in ("json", "sql"):
        error = UserError(
            f'jobs cannot be exported as "{form}"' if form else "the format is missing",
            "There are two formats.",
            "Choose json, a document for apply_jobs(), or sql, calls of define_job().",
        )
        return {"document": None, "user_error": error.as_row()}
    spi = Spi(plpy, schema)
    try:
        return {"document": _write(plpy, spi, form, part), "user_error": None}
    except spi.Error as error:
        return {"document": None, "user_error": UserError.of(error).as_row()}


def _write(plpy: Any, spi: Spi, form: str, part: str | None) -> str:
    jobs = {
        key: {row["attribute"]: (row["value"], row["literal"]) for row in rows}
        for key, rows in groupby(job_definition.export(spi, part), lambda row: (row["rolname"], row["job_name"]))
    }
    nameless = job_definition.nameless(spi, part)
    if nameless:
        listed = ", ".join(map(str, nameless[:10])) + (" ..." if nameless[10:] else "")
        plpy.warning(
            f"jobs without a name are left out: {listed}",
            hint=f"To name one: SELECT {spi.schema}.update_job({nameless[0]}, job_name => '...');",
        )
    lists = [attributes["run_after"][0] for attributes in jobs.values() if "run_after" in attributes]
    references = References(spi, lists)
    return _as_json(jobs, references) if form == "json" else _as_sql(jobs, references, plpy.quote_literal)


Jobs = dict[Key, dict[str, tuple[str, str]]]


def _as_json(jobs: Jobs, references: References) -> str:
    written = []
    for (role, name), attributes in jobs.items():
        lines = [f'    "job_name": {json.dumps(name, ensure_ascii=False)}']
        for attribute, (value, _) in attributes.items():
            if attribute == "run_after":
                lines.append(f'    "run_after": {references.written(value, role)}')
            elif attribute != "job_name":
                lines.append(f'    "{attribute}": {value}')
        written.append("  {\n" + ",\n".join(lines) + "\n  }")
    return "[\n" + ",\n".join(written) + "\n]\n" if written else "[]\n"


def _as_sql(jobs: Jobs, references: References, quote: Callable[[str], str]) -> str:
    entries = []
    for key, attributes in jobs.items():
        after = json.loads(attributes["run_after"][0]) if "run_after" in attributes else []
        entries.append(Entry(key, "", [], None, [references.keys.get(number, number) for number in after]))
    ordered, in_cycles = in_order(entries)
    assert not in_cycles
    calls = ["-- Calls of functions of elephant_worker: have its schema in the search_path.\n"]
    for entry in ordered:
        attributes = jobs[entry.key]
        given = [attributes[name][1] for name in POSITIONAL]
        for name, (_, literal) in attributes.items():
            if name == "run_after":
                numbers = ", ".join(_number(key, quote) for key in entry.run_after)
                given.append(f"run_after => ARRAY[{numbers}]::bigint[]")
            elif name not in POSITIONAL:
                given.append(f"{name} => {literal}")
        arguments = ",\n    ".join(given)
        calls.append(f"SELECT job_id FROM define_job(\n    {arguments});\n")  # noqa: S608 - each is quoted
    return "\n".join(calls)


def _number(key: Key | int, quote: Callable[[str], str]) -> str:
    """What finds the number of a job in another cluster."""
    if isinstance(key, int):
        return str(key)
    role, name = map(quote, key)
    return f"(SELECT job_id FROM member_job WHERE rolname = {role} AND job_name = {name})"  # noqa: S608 - quoted
