"""Each hint is followed by a test."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.cluster import ROOT
from tests.integration.test_hints import HINTS

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
    "SELECT * FROM check_setup(); says how": "test_a_synchronous_standby_that_is_missing",
    "Commit first, then call it": "test_it_says_why_it_cannot_wait",
    "Repeat the transaction.": "test_two_sessions_at_once",
    "Give timezone and match_dom_and_dow": "test_settings_of_pg_cron",
    "SELECT mark_delivered(ARRAY[4711]": "test_the_answers_are_the_same",
    "SELECT claim_receiver('mail'": "test_the_answers_are_the_same",
    "If they may be this role's": "test_a_role_that_is_created_anew_inherits_nothing",
    "To change that: update_job()": "test_intervals_that_were_accepted_once_do_not_keep_a_dump_from_being_restored",
    "SELECT @extschema@.start_worker(); starts it here": "test_a_copy_of_the_database",
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
FOLDERS = tuple(f"sql/{name}" for name in ("api", "checks", "internal", "roles", "triggers", "views", "worker"))


def hints_of(script: str) -> Iterator[str]:
    """What the hints of a script begin with, up to what is put in."""
    for clause in re.findall(r"\bHINT = (.*?);\n", script, re.DOTALL):
        for literal in re.findall(r"'((?:[^'\n]|'')+[.:;%…)])'", clause):
            begin = literal.replace("''", "'").partition("%")[0]
            if " " in begin.strip():
                yield begin


def test_each_hint_is_followed() -> None:
    scripts = [path for folder in (*FOLDERS, "cron") for path in (ROOT / folder).glob("*.sql")]
    found = {begin for path in scripts for begin in hints_of(path.read_text())}
    here = [case.hint for case in HINTS.values()]
    assert [
        hint
        for hint in found
        if not any(hint in followed for followed in here) and not any(map(hint.startswith, FOLLOWED_ELSEWHERE))
    ] == []
    assert [begin for begin in FOLLOWED_ELSEWHERE if not any(hint.startswith(begin) for hint in found)] == []
    tests = "".join(path.read_text() for path in (ROOT / "tests/integration").glob("test_*.py"))
    assert [test for test in FOLLOWED_ELSEWHERE.values() if f"\ndef {test}(" not in tests] == []
