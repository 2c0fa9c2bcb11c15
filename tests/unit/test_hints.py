"""Each hint is followed by a test."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

import pytest

from elephant_worker.errors import UserError
from elephant_worker.schedule.doubts import doubt
from elephant_worker.schedule.parser import parse
from harness.cluster import ROOT
from tests.integration.test_hints import HINTS
from tests.unit.test_parser import INVALID
from tests.unit.test_rewording import DOUBTED, MEANT

# Hints that need more than a transaction, and the tests that follow them.
FOLLOWED_ELSEWHERE = {
    "Give one or more SQL statements, and leave": "test_the_hint_can_be_followed",
    "Give one or more SQL statements.": "test_the_hint_can_be_followed",
    "Name a database; current_catalog": "test_the_hint_can_be_followed",
    "? Case matters in a quoted name.": "test_names_in_another_case",
    "? Case matters.": "test_names_in_another_case",
    "? The order is command": "test_arguments_in_another_order",
    "It has ": "test_names_that_are_refused",
    "Functions accept the number or the name": "test_names_that_are_refused",
    "Leave job_name out": "test_names_that_are_refused",
    "It runs on the primary; after a promotion": "test_a_standby_is_quiet_and_takes_over_when_promoted",
    "SELECT * FROM <schema>.check_setup(); says how": "test_a_synchronous_standby_that_is_missing",
    "Commit first, then call it": "test_it_says_why_it_cannot_wait",
    "Change its run_after with update_job(), or have": "test_a_job_that_is_given_away_from_those_that_run_after_it",
    "The view job_chain shows all of them": "test_many_jobs_are_given_away",
    "Try again when it has ended": "test_who_shares_a_role_is_told_of_what_is_prepared",
    "Repeat the transaction.": "test_two_sessions_at_once",
    "SET session_replication_role = origin": "test_a_session_that_is_taken_for_a_subscription",
    "Give timezone and match_dom_and_dow": "test_settings_of_pg_cron",
    "SELECT <schema>.mark_delivered(ARRAY[4711]": "test_the_answers_are_the_same",
    "SELECT <schema>.claim_receiver('mail'": "test_the_answers_are_the_same",
    "If they may be this role's": "test_a_role_that_is_created_anew_inherits_nothing",
    "To change that: update_job()": "test_intervals_that_were_accepted_once_do_not_keep_a_dump_from_being_restored",
    "SELECT <schema>.start_worker(); starts it here": "test_a_copy_of_the_database",
    "To run them here all the same": "test_a_copy_of_the_database",
    "Drop it, the worker makes it again": "test_runners",
    "To remove them: ALTER ROLE": "test_defaults_of_a_role_that_are_too_long",
    "Use a schema of its own": "test_a_schema_in_which_others_have_left_something",
    "Rename it: ALTER ROLE": "test_a_role_that_can_do_more_is_not_adopted",
    "Bring its jobs over, and remove it": "test_where_pg_cron_is",
    "Update first: ALTER EXTENSION": "test_an_earlier_elephant_worker",
    "If no other database has elephant_worker": "test_a_role_made_beforehand_is_not_adopted",
    "If you do not need what the role owns": "test_a_role_made_beforehand_is_not_adopted",
}
# The same of those in Python.
FOLLOWED_ELSEWHERE_IN_PYTHON = {
    "Have it ask for scram-sha-256; or verify it": "test_a_password_for_a_server_that_is_not_known",
    "Its pg_hba.conf must ask this user": "test_only_a_password_lets_in",
    "Its pg_hba.conf must ask runners": "test_the_hint_of_a_runner_that_is_not_asked_for_its_password",
    "Such a statement must be the only one": "test_the_log_has_hints_where_postgresql_has_none",
    "COMMIT and ROLLBACK work if": "test_the_log_has_hints_where_postgresql_has_none",
    "Text must be in the encoding": "test_the_log_has_hints_where_postgresql_has_none",
    "The encoding named last": "test_the_log_has_hints_where_postgresql_has_none",
    "A run has the search_path": "test_the_log_has_hints_where_postgresql_has_none",
    "The values of $1": "test_a_command_without_its_parameters",
    "End it with COMMIT.": "test_the_hint_of_a_transaction_that_a_run_left_open",
    "A longer job_timeout, or": "test_the_hint_of_a_run_that_took_too_long",
    "Set parallel to true": "test_the_hint_of_a_run_that_was_skipped",
    "run_job() runs the job now.": "test_the_hints_of_runs_that_were_missed",
    "More max_running_jobs, or a longer": "test_the_hints_of_runs_that_were_missed",
    "A longer start_deadline lets it run late.": "test_what_is_not_connected_within_its_start_deadline_is_missed",
    "run_job() starts it again.": "test_the_hint_of_a_run_that_was_cancelled",
    "run_once() starts it again.": "test_the_hint_of_a_run_of_no_job_that_was_cancelled",
    "try_job() starts it again.": "test_cancelled_while_it_waits",
    "Did you mean ": "test_zones_by_their_abbreviations",
    "Try again when sessions have ended.": "test_without_a_free_connection",
    "The runs that begin when that transaction": "test_a_runner_that_is_being_changed_holds_up_nobody",
    "Try again when that has ended.": "test_a_database_that_lets_nobody_in",
    "Try again when some have ended.": "test_a_database_that_lets_nobody_in",
    "A superuser starts it": "test_without_a_worker",
    "A superuser ends the pause": "test_without_a_worker",
    "A connection must be free, and": "test_a_server_without_a_free_connection",
    "max_worker_processes may be too small": "test_the_hint_of_a_background_worker",
    # Where the state needs another system than Linux, this is the server as the hint wants it.
    "Set listen_addresses to localhost": "test_listen_addresses",
    "Call it by itself": "test_the_hints_of_run_worker",
    "SELECT <schema>.stop_worker(); ends": "test_the_hints_of_run_worker",
    "Turn it off for the session first": "test_a_timeout_that_would_end_the_worker",
    "Give one or more SQL statements": "test_the_hint_can_be_followed",
    ", or NULL to run nothing": "test_a_command_without_a_statement",
}
# Those that say where to look, or why something is so, and nothing to do.
EXPLANATIONS = (
    "The server's log ",
    "Please report it, ",
    "The session was terminated, ",
    "The job's quarantined_reason will say more.",
    "The run will fail.",
    "Look at what it holds.",
    # Of what no call of a user's leads to: an import without a source, an error without a hint, a race.
    "Give both.",
    "Try again.",
    "SELECT <schema>.start_worker(); does.",
    "catch_up says whether such runs are made up for",
)
FOLDERS = tuple(f"sql/{name}" for name in ("api", "checks", "internal", "roles", "triggers", "views", "worker"))


def hints_of(script: str) -> Iterator[str]:
    """What the hints of a script begin with, up to what is put in."""
    for clause in re.findall(r"\bHINT = (.*?);\n", script, re.DOTALL):
        for literal in re.findall(r"'((?:[^'\n]|'')+[.:;%)])'", clause):
            begin = literal.replace("''", "'").replace("@extschema@", "<schema>").partition("%")[0]
            if " " in begin.strip():
                yield begin


# Calls with a hint among their arguments, which is the one at this place unless it is named.
PLACES = {"UserError": 2, "Outcome": 4, "Mistake": 1, "Doubt": 2, "_refuse": 2}


class Module:
    """A module of the package: what is said in it, with what names stand for there or, in capitals, elsewhere."""

    def __init__(self, text: str, constants: dict[str, list[ast.expr]]) -> None:
        self.tree = ast.parse(text)
        self._constants = constants
        self._assigned: dict[str, list[ast.expr]] = defaultdict(list)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign):
                for name in (name for target in node.targets for name in ast.walk(target)):
                    if isinstance(name, ast.Name):
                        self._assigned[name.id].append(node.value)
        for name, values in self._assigned.items():
            if name.isupper():
                constants.setdefault(name, []).extend(values)

    def hints(self) -> Iterator[str]:
        """What hints begin with, up to what is put in."""
        for name, values in self._assigned.items():
            if name.endswith(("HINT", "HINTS")):
                yield from self._begins(values)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                place = PLACES.get(getattr(node.func, "id", ""), len(node.args))
                yield from self._begins(node.args[place : place + 1])
                yield from self._begins(keyword.value for keyword in node.keywords if keyword.arg == "hint")

    @staticmethod
    def _with_schema(part: ast.expr) -> str:
        """What a part of an f-string says; nothing of values, but which one is the schema of the extension."""
        if isinstance(part, ast.Constant):
            return str(part.value)
        value = getattr(part, "value", None)
        return "<schema>" if isinstance(value, ast.Attribute) and value.attr == "schema" else ""

    def _begins(self, expressions: Iterable[ast.expr], followed: frozenset[str] = frozenset()) -> Iterator[str]:
        for one in expressions:
            if isinstance(one, ast.Constant) and " " in str(one.value).strip():
                yield str(one.value)
            elif isinstance(one, ast.JoinedStr):
                parts = [self._with_schema(part) for part in one.values]
                said = "".join(part or "%" for part in parts)
                yield from [begin for begin in said.split("%") if " " in begin.strip()][:1]
            elif isinstance(one, ast.Name) and one.id not in followed:
                yield from self._begins(self._assigned[one.id] or self._constants.get(one.id, ()), followed | {one.id})
            elif isinstance(one, (ast.BinOp, ast.BoolOp, ast.IfExp, ast.Dict, ast.Subscript)):
                parts = [node for node in ast.iter_child_nodes(one) if isinstance(node, ast.expr)]
                yield from self._begins(parts, followed)


def hints_in_python() -> set[str]:
    constants: dict[str, list[ast.expr]] = {}
    paths = [path for path in (ROOT / "plpython/elephant_worker").rglob("*.py") if path.name != "pg_timetable.py"]
    return {hint for module in [Module(path.read_text(), constants) for path in paths] for hint in module.hints()}


def hints_of_schedules() -> Iterator[str]:
    """Those that the tests of schedules get, which look at what they suggest."""
    for text in [*(text for text, *_ in INVALID), *MEANT]:
        with pytest.raises(UserError) as refused:
            parse(text)
        yield refused.value.hint or ""
    for text in DOUBTED:
        doubted = doubt(text)
        assert doubted is not None
        yield doubted.hint


# What a hint writes as an example: a nickname, an interval, a moment, an array, or a line of five or six fields.
EXAMPLE = re.compile(
    r"""(@(?!every|after)[a-z]+ | (?:@every[ ]|@after[ ])?\d+[ ](?:second|minute|hour|day)s?(?:[ ]\d+[ ][a-z]+)*
        | \d{4}-\d\d-\d\d[ ]\d\d:\d\d | \{(?:"[^"a-z]+",?)+\}
        | (?<!\S)[\d*][\d*/,-]*
          (?:[ ](?:[\d*][\d*/,-]*|(?:sun|mon|tue|wed|thu|fri|sat)(?:[,-][a-z]{3})*)){4,5}(?=[ ,.?)]|$)
        )""",
    re.VERBOSE,
)


def test_examples_in_hints_are_schedules() -> None:
    shown = {example.rstrip(",") for hint in hints_of_schedules() for example in EXAMPLE.findall(hint)}
    assert {"30 4 * * *", "@daily", "30 seconds", "@every 90 minutes", "2027-03-28 02:30", "@after 1 hour 30 minutes",
            '{"0 9 * * 1-5","0 12 * * 6"}', "0 0 1 */3 *"} <= shown  # fmt: skip
    for example in shown:
        assert parse(example), example


def test_each_hint_is_followed() -> None:
    scripts = [path for folder in (*FOLDERS, "cron") for path in (ROOT / folder).glob("*.sql")]
    found = {begin for path in scripts for begin in hints_of(path.read_text())}
    here = [case.hint for case in HINTS.values()]
    assert not_followed(found, here, FOLLOWED_ELSEWHERE) == []
    found = hints_in_python()
    here += hints_of_schedules()
    assert not_followed(found, here, [*FOLLOWED_ELSEWHERE_IN_PYTHON, *EXPLANATIONS]) == []
    tests = "".join(path.read_text() for path in (ROOT / "tests/integration").glob("test_*.py"))
    followed = [*FOLLOWED_ELSEWHERE.values(), *FOLLOWED_ELSEWHERE_IN_PYTHON.values()]
    assert [test for test in followed if f"\ndef {test}(" not in tests] == []


def test_statements_in_hints_name_the_schema() -> None:
    """They can be pasted by who has not set search_path."""
    scripts = [path.read_text() for folder in FOLDERS for path in (ROOT / folder).glob("*.sql")]
    said = [*hints_in_python(), *(begin for script in scripts for begin in hints_of(script))]
    obstacles = (ROOT / "sql/internal/describe_obstacle.sql").read_text()
    said += re.findall(r"'((?:[^'\n]|'')*)'", obstacles)
    ours = {path.stem for folder in ("api", "views") for path in (ROOT / "sql" / folder).glob("*.sql")}
    named = [name for hint in said for name in re.findall(r"\b(?:SELECT|FROM|UPDATE|CALL) (\w+)", hint)]
    assert "pg_database" in named  # nobody's but PostgreSQL's
    assert ours & set(named) == set()


def not_followed(found: set[str], here: list[str], elsewhere: Collection[str]) -> list[str]:
    """The hints that no test follows, and what is listed of others that are no more."""
    missing = [
        hint
        for hint in sorted(found)
        if not any(hint in followed for followed in here) and not any(map(hint.startswith, elsewhere))
    ]
    return missing + [begin for begin in elsewhere if not any(hint.startswith(begin) for hint in found)]
