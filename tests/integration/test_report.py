"""The report: what is in it, for whom, how large it is, and that texts stay texts."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from html.parser import HTMLParser
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.cluster import ROOT, USER
from harness.scheduler import SCHEMA, Scheduler
from harness.settings import settable
from harness.waiting import until

FILES = ROOT / "plpython/elephant_worker/report"
NAMES = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "<!--",
    "]]> & &amp; \" ' \\ \\u0041 @document@",
    "line\u2028and\u2029paragraph",
    "\u202eright to left\u202c \u0645\u0632\u0627\u0645\u0646\u0629",
    "\U0001f418" * 63,
    "\u6bcf" * 63,
]


class Page(HTMLParser):
    """The elements of a page as a browser finds them, and the document in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.contents: dict[str, list[str]] = {"script": [], "style": []}
        self._within = ""
        self.feed(text)
        self.close()
        self.document: dict[str, Any] = json.loads(self.contents["script"][0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._within = tag

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within in self.contents:
            self.contents[self._within].append(data)


def data(session: psycopg.Connection[Any], since: str = "1 day") -> dict[str, Any]:
    row = session.execute("SELECT report_data(%s::interval)", (since,)).fetchone()
    assert row is not None
    document: dict[str, Any] = row[0]
    return document


def html(session: psycopg.Connection[Any], since: str = "1 day") -> str:
    row = session.execute("SELECT report_html(%s::interval)", (since,)).fetchone()
    assert row is not None
    return str(row[0])


def job_of(document: dict[str, Any], name: str) -> dict[str, Any]:
    (job,) = (job for job in document["jobs"] if job.get("job") == name)
    found: dict[str, Any] = job
    return found


def far_from_now(scheduler: Scheduler) -> str:
    """The schedule of a job that is due each hour, and not while the test takes place."""
    minute = scheduler.value("SELECT date_part('minute', clock_timestamp() + interval '30 minutes')::int")
    return f"{minute} * * * *"


def test_what_has_run(scheduler: Scheduler) -> None:
    scheduler.start()
    for number in (1, 22):
        scheduler.run(f"DO $$BEGIN RAISE EXCEPTION 'order {number} is gone'; END$$", job_name=f"broken {number}")
    hourly = far_from_now(scheduler)
    job = scheduler.insert("SELECT pg_sleep(0.1)", schedule=hourly, timezone="Asia/Tokyo", job_name="orders")
    for _ in range(6):
        scheduler.ended(scheduler.value("SELECT run_job(%s)", job))
    scheduler.ended(scheduler.value("SELECT run_once('SELECT 1')"))
    gone = scheduler.insert("SELECT 1", job_name="gone")
    scheduler.ended(scheduler.value("SELECT run_job(%s)", gone))
    scheduler.execute("SELECT delete_job('gone')")
    sleeping = scheduler.insert("SELECT pg_sleep(1000)", job_name="long")
    scheduler.value("SELECT run_job(%s)", sleeping)
    until(lambda: scheduler.value("SELECT count(*) FROM job_log WHERE state = 'running'"))

    document = data(scheduler.admin)
    assert (document["running"], document["reason"]) == (True, None)
    version = scheduler.value("SELECT extversion FROM pg_extension WHERE extname = 'elephant_worker'")
    assert (document["role"], document["cluster"], document["version"]) == (USER, "", version)
    assert (document["database"], document["jobs_total"], document["sees_all"]) == (scheduler.dbname, 6, True)
    assert document["runs"] == {"failed": 2, "succeeded": 8, "running": 1}
    # What needs attention comes first, and there its problems.
    assert [problem["problem"] for problem in document["problems"]] == ["failing", "failing"]
    assert {job["job"] for job in document["jobs"][:2]} == {"broken 1", "broken 22"}
    (failure,) = document["failures"]
    assert (failure["message"], failure["sqlstate"], failure["runs"]) == ("order 22 is gone", "P0001", 2)
    assert [document["jobs"][place]["job"] for place in failure["jobs"]] == ["broken 22", "broken 1"]
    assert document["since"] <= failure["first"] < failure["last"] <= document["made_at"]
    orders = job_of(document, "orders")
    assert (orders["schedule"], orders["timezone"]) == (hourly, "Asia/Tokyo")
    runs = orders["runs"]["succeeded"]
    assert len(runs["due"]) == 6
    assert runs["due"] == sorted(runs["due"])
    assert all(0.1 <= took < 100 for took in runs["took"])
    assert document["since"] + runs["due"][0] <= document["made_at"]
    assert job_of(document, "gone")["deleted"]
    assert job_of(document, "long")["runs"].keys() == {"running"}
    (nameless,) = (job for job in document["jobs"] if "job_id" not in job)
    assert len(nameless["runs"]["succeeded"]["due"]) == 1
    (trend,) = document["durations"]
    assert (document["jobs"][trend["job"]]["job"], trend["runs"], trend["slowest"]) == ("orders", 6, True)
    # The job that is due every hour, for a week.
    assert sum(document["coming"]["runs"]) == 168
    assert sum(document["ran"]["runs"]) == 11
    assert sum(document["ran"]["failures"]) == 2
    page = Page(html(scheduler.admin)).document
    assert page.keys() == document.keys()
    assert page["runs"] == document["runs"]


def test_what_was_missed(scheduler: Scheduler) -> None:
    job = scheduler.insert("SELECT 1", schedule="@hourly", job_name="late")
    _log(scheduler, job, "missed", "now() - interval '3 hours'", "NULL", "now()")
    scheduler.execute("UPDATE job_log SET missed_count = 3, missed_until = scheduled_at + interval '2 hours'")
    (runs,) = job_of(data(scheduler.admin), "late")["runs"].values()
    assert (runs["count"], runs["took"], runs["late"]) == ([3], [7200], [None])


def _log(scheduler: Scheduler, job: int, state: str, due: str, started: str, ended: str, runs: int = 1) -> None:
    """Rows of the log that nobody has waited for; `n` numbers them."""
    scheduler.execute(
        f"""INSERT INTO job_log (jl_id, job_id, rolname, datname, cause, scheduled_at, job_started, job_finished, state,
                                 job_command, exception_message)
            SELECT (SELECT coalesce(max(jl_id), 0) FROM job_log) + n, {job}, 'postgres', current_catalog, 'request',
                {due}, {started}, {ended}, '{state}', 'SELECT 1', CASE WHEN '{state}' = 'failed' THEN 'no' END
            FROM generate_series(1, {runs}) n"""
    )


def test_durations_that_have_changed(scheduler: Scheduler) -> None:
    for name, growth in (("steady", 0), ("slower", 1), ("faster", -0.4)):
        job = scheduler.insert("SELECT 1", job_name=name)
        due = "now() - interval '1 minute' * (101 - n)"
        took = f"interval '1 second' * (50 + {growth} * n)"
        _log(scheduler, job, "succeeded", due, due, f"{due} + {took}", 100)
    document = data(scheduler.admin)
    trends = {document["jobs"][trend["job"]]["job"]: trend for trend in document["durations"]}
    assert {name for name, trend in trends.items() if trend["changed"]} == {"slower", "faster"}
    slower = trends["slower"]
    assert (slower["median"], slower["before"], slower["after"]) == (100, 75.5, 126)
    assert len(slower["took"]) == 40
    assert slower["took"] == sorted(slower["took"])


def test_how_far_back(scheduler: Scheduler) -> None:
    sinces: list[str | None] = ["0", "-1 day", "-100 years", "11 years", "1 millisecond", None]
    if scheduler.value("SELECT current_setting('server_version_num')::int >= 170000"):
        sinces.append("infinity")
    for since in sinces:
        for function in ("report_data", "report_html"):
            with pytest.raises(psycopg.errors.InvalidParameterValue, match=rf"^{function}\(\) cannot look") as caught:
                scheduler.execute("SELECT {}({}::interval)", sql.SQL(function), sql.Literal(since))
            # What the hint says works.
            call = re.search(rf"{function}\(.+?\)", caught.value.diag.message_hint or "")
            assert call is not None
            assert scheduler.value(f"SELECT {call[0]}")


def test_what_is_too_much_is_counted(scheduler: Scheduler) -> None:
    """Of each part as much is there as the reference says, and the number of all."""
    with scheduler.admin.transaction():
        scheduler.execute("SET LOCAL session_replication_role = replica")
        # The first 250 are overdue; each of the first 40 waits for the end of a run.
        scheduler.execute(
            """INSERT INTO job (job_id, job_command, schedule, job_name, defined_by, schedule_set_at, first_run_at,
                                expect_success_within)
               OVERRIDING SYSTEM VALUE
               SELECT n, 'SELECT 1', CASE WHEN n <= 40 THEN '@after 1 hour' ELSE '@hourly' END, format('job %s', n),
                   'postgres', now() - interval '2 hours', now() + interval '1 hour',
                   CASE WHEN n <= 250 THEN interval '1 hour' END
               FROM generate_series(1, 10040) n"""
        )
        # Each of 60 messages is that of a job more than the one before, and has a number in it.
        scheduler.execute(
            """INSERT INTO job_log (jl_id, job_id, rolname, datname, cause, scheduled_at, job_started, job_finished,
                                    state, job_command, job_sqlstate, exception_message)
               SELECT row_number() OVER (), 1000 + job, 'postgres', current_catalog, 'request', m, m, m, 'failed',
                   'SELECT 1', 'P0001', format('%s %s', repeat('x', kind), job)
               FROM generate_series(1, 60) kind, generate_series(1, kind) job, LATERAL (SELECT now()) x (m)"""
        )
        # Ten jobs take a thousand seconds; ten others have become slower, each more than the one before; one has run
        # less often.
        scheduler.execute(
            """INSERT INTO job_log (jl_id, job_id, rolname, datname, cause, scheduled_at, job_started, job_finished,
                                    state, job_command)
               SELECT 10000 + row_number() OVER (), 2000 + job, 'postgres', current_catalog, 'request', m, m,
                   m + CASE WHEN job <= 10 THEN 1000 + job WHEN job = 21 THEN 5000 WHEN n <= 3 THEN 1 ELSE job END
                       * interval '1 second', 'succeeded', 'SELECT 1'
               FROM generate_series(1, 21) job, generate_series(1, CASE WHEN job <= 20 THEN 6 ELSE 5 END) n,
                   LATERAL (SELECT now() - interval '3 hours' + n * interval '1 minute') x (m)"""
        )
    document = data(scheduler.admin, "60 days")
    assert len(document["problems"]) == 200
    assert document["problems_total"] == scheduler.value("SELECT count(*) FROM problem") >= 250
    assert (len(document["jobs"]), document["jobs_total"]) == (1000, 10040)
    # Those with problems that are shown, then those that failed most.
    shown = [problem["job_id"] for problem in document["problems"] if problem["job_id"]]
    assert [job["job_id"] for job in document["jobs"][: len(shown) + 60]] == [*shown, *range(1001, 1061)]
    assert len(document["ran"]["runs"]) == len(document["ran"]["failures"]) == 28 * 24
    assert document["coming"]["from"] % 3600 == 0
    assert (sum(document["coming"]["runs"]), document["coming"]["not_counted"]) == ((10000 - 40) * 168, 40)
    assert (len(document["failures"]), document["failures_total"]) == (50, 60)
    assert [failure["runs"] for failure in document["failures"]] == list(range(60, 10, -1))
    assert document["failures"][0]["job_count"] == 60
    assert len(document["failures"][0]["jobs"]) == 20
    names = {
        kind: {document["jobs"][trend["job"]]["job"] for trend in document["durations"] if trend[kind]}
        for kind in ("slowest", "changed")
    }
    assert names == {
        "slowest": {f"job {2000 + job}" for job in range(3, 11)},
        "changed": {f"job {2000 + job}" for job in range(13, 21)},
    }


def test_runs_before_are_not_shown(scheduler: Scheduler) -> None:
    job = scheduler.insert("SELECT 1", job_name="old")
    _log(scheduler, job, "failed", *["now() - interval '2 days'"] * 3)
    assert data(scheduler.admin)["runs"] == {}
    assert data(scheduler.admin, "3 days")["runs"] == data(scheduler.admin, "10 years")["runs"] == {"failed": 1}


def test_without_jobs(scheduler: Scheduler) -> None:
    document = Page(html(scheduler.connect_as(scheduler.role()))).document
    assert (document["jobs"], document["failures"], document["durations"]) == ([], [], [])
    assert set(document["coming"]["runs"]) == {0}


def test_who_sees_what(scheduler: Scheduler) -> None:
    mine, other, monitor = scheduler.role(), scheduler.role(), scheduler.role("monitor", scheduler=False)
    scheduler.execute("GRANT job_monitor TO {}", sql.Identifier(monitor))
    scheduler.start()
    for role in (mine, other):
        for command in ("SELECT 1", "DO $$BEGIN RAISE EXCEPTION 'secret of %', current_user; END$$"):
            scheduler.run(command, rolname=role, job_name=f"{role}: {command[:6]}", schedule=far_from_now(scheduler))
    session = scheduler.connect_as(mine)
    for document in (data(session), Page(html(session)).document):
        assert other not in json.dumps(document)
        assert {job["rolname"] for job in document["jobs"]} == {mine}
        assert "RAISE" not in json.dumps(document)  # no commands
        assert document["runs"] == {"succeeded": 1, "failed": 1}
        assert sum(document["ran"]["runs"]) == 2
        assert sum(document["coming"]["runs"]) == 2 * 168
        assert (document["role"], document["sees_all"], document["jobs_total"]) == (mine, False, 2)
    seen = data(scheduler.connect_as(monitor))
    assert {job["rolname"] for job in seen["jobs"]} == {mine, other}
    assert seen["sees_all"]
    stranger = scheduler.role("stranger", scheduler=False)
    for missing in ("schema", "function"):
        for function in ("report_data", "report_html"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match=f"permission denied for {missing}"):
                scheduler.connect_as(stranger).execute(
                    sql.SQL("SELECT {}.{}()").format(sql.Identifier(SCHEMA), sql.Identifier(function))
                )
        scheduler.execute("GRANT USAGE ON SCHEMA {} TO {}", sql.Identifier(SCHEMA), sql.Identifier(stranger))


def test_texts_stay_texts(scheduler: Scheduler) -> None:
    for name in NAMES:
        job = scheduler.insert("SELECT 1", job_name=name, schedule="@hourly")
        _log(scheduler, job, "failed", "now()", "now()", "now()")
    message = "</script><b> & \u2028 &lt; \u202e" + NAMES[6]
    scheduler.execute("UPDATE job_log SET exception_message = {}", sql.Literal(message))
    text = html(scheduler.admin)
    page = Page(text)
    assert page.tags.count("script") == 2
    assert not {"img", "b"} & set(page.tags)
    assert [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href", "style")] == []
    assert {job["job"] for job in page.document["jobs"]} == set(NAMES)
    assert page.document["failures"][0]["message"] == message
    assert not set("\u2028\u2029") & set(text)
    # In any encoding of the client's.
    scheduler.execute("SET client_encoding = 'LATIN1'")
    foreign = html(scheduler.admin)
    assert foreign.isascii()
    assert {job["job"] for job in Page(foreign).document["jobs"]} == set(NAMES)


def test_the_page_needs_nothing_and_fetches_nothing(scheduler: Scheduler) -> None:
    text = html(scheduler.admin)
    page = Page(text)
    policy = next(value for name, value in page.attributes if name == "content" and value and "default-src" in value)
    sums = {
        kind: b64encode(hashlib.sha256(content.encode()).digest()).decode()
        for kind, content in (("script", page.contents["script"][1]), ("style", page.contents["style"][0]))
    }
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{sums['script']}'; style-src 'sha256-{sums['style']}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert set(re.findall(r"\w+://[^\s\"']+", text)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    for file in ("page.js", "page.css", "page.html"):
        code = (FILES / file).read_text("ascii")
        for word in ("innerHTML", "insertAdjacent", "document.write", "eval(", "fetch(", "import(", "url(", "XMLHttp"):
            assert word not in code, (file, word)


def test_it_is_read_only(scheduler: Scheduler) -> None:
    scheduler.insert("SELECT 1", schedule="@hourly")
    with scheduler.admin.transaction():
        scheduler.execute("SET TRANSACTION READ ONLY")
        assert data(scheduler.admin)["jobs_total"] == 1
        assert Page(html(scheduler.admin)).document["jobs_total"] == 1


def test_settings_of_the_session_change_nothing(scheduler: Scheduler) -> None:
    scheduler.insert("SELECT 1", schedule="*/5 * * * *", timezone="UTC", starts_at="2020-01-01")
    call = sql.SQL("SELECT {}.report_data()").format(sql.Identifier(SCHEMA)).as_string()
    before = scheduler.value(call)
    for settings in (
        ("IntervalStyle = 'sql_standard'", "DateStyle = 'SQL, DMY'"),
        ("TimeZone = 'UTC-3'", "standard_conforming_strings = off"),
        ("extra_float_digits = -15", "LOCAL search_path = ''"),
    ):
        with scheduler.admin.transaction():
            for setting in settable(scheduler.admin, settings):
                scheduler.execute(f"SET {setting}")
            after = scheduler.value(call)
        assert after["jobs"] == before["jobs"]
        assert sum(after["coming"]["runs"]) == sum(before["coming"]["runs"]) == 2016


@pytest.fixture
def many(scheduler: Scheduler) -> Scheduler:
    """1001 jobs, with 100,000 runs in the last day, of which some have failed, started late or were skipped."""
    with scheduler.admin.transaction():
        scheduler.execute("SET LOCAL session_replication_role = replica")
        scheduler.execute(
            """INSERT INTO job (job_command, schedule, job_name, defined_by, schedule_set_at, first_run_at)
               SELECT 'SELECT 1', (ARRAY['* * * * *', '*/15 * * * *', '0 9 * * 1-5', '5 minutes'])[1 + n % 4],
                   format('job %s that does something useful', n), 'postgres', now(), now() + interval '1 hour'
               FROM generate_series(0, 1000) n"""
        )
        scheduler.execute(
            """INSERT INTO job_log (jl_id, job_id, rolname, datname, cause, scheduled_at, job_started, job_finished,
                                    state, job_command, job_sqlstate, exception_message)
               SELECT n, job_id, 'postgres', 'postgres', 'schedule', due, due + 0.01 * random() * interval '1 s',
                   due + random() * 300 * interval '1 s', state, 'SELECT 1', '00000',
                   CASE state WHEN 'failed' THEN format('order %s is gone', n) END
               FROM (SELECT n, (SELECT min(job_id) FROM job) + n % 1000 AS job_id,
                         now() - (100001 - n) * interval '0.8 s' AS due,
                         CASE WHEN n % 97 = 0 THEN 'failed' WHEN n % 89 = 0 THEN 'skipped' ELSE 'succeeded' END AS state
                     FROM generate_series(1, 100000) n) r"""
        )
    scheduler.execute("ANALYZE job_log")
    return scheduler


def test_long_texts_are_bounded_too(scheduler: Scheduler) -> None:
    """In whatever script; what has no room is counted."""
    with scheduler.admin.transaction():
        scheduler.execute("SET LOCAL session_replication_role = replica")
        scheduler.execute(
            """INSERT INTO job (job_command, schedule, job_name, defined_by, schedule_set_at, first_run_at)
               SELECT repeat('x', 1000), array_fill('0 4 31 12 *'::text, ARRAY[100])::text,
                   left(n || repeat(U&'\\+01F418', 100), 100), 'postgres', now(), now() + interval '1 hour'
               FROM generate_series(1, 1000) n"""
        )
        scheduler.execute(
            """INSERT INTO job_log (jl_id, job_id, rolname, datname, cause, scheduled_at, job_started, job_finished,
                                    state, job_command, job_sqlstate, exception_message)
               SELECT row_number() OVER (), (SELECT min(job_id) FROM job) + n % 1000, 'postgres', 'postgres',
                   'request', m, m, m, state, 'SELECT 1', 'P0001', left(repeat(chr(20000 + n), 2000), 2000)
               FROM generate_series(1, 2000) n, unnest(ARRAY['failed', 'lost', 'skipped']) state,
                   LATERAL (SELECT now() - n * interval '1 second') x (m)"""
        )
    for encoding in ("UTF8", "LATIN1"):
        with scheduler.admin.transaction():
            scheduler.execute("SET LOCAL client_encoding = {}", sql.Literal(encoding))
            text = html(scheduler.admin)
        assert len(text.encode()) < 500_000
        document = Page(text).document
        assert 100 < len(document["jobs"]) < document["jobs_total"] == 1000
        assert 1 <= len(document["failures"]) < document["failures_total"] == 2000
        # What is there belongs together.
        assert all(set(job["runs"]) == {"failed", "lost", "skipped"} for job in document["jobs"])
        assert all(0 <= job < len(document["jobs"]) for failure in document["failures"] for job in failure["jobs"])
        assert all(len(job["schedule"]) <= 501 for job in document["jobs"])


@pytest.mark.slow
def test_size(many: Scheduler) -> None:
    """It is bounded; nothing is lost but what is counted."""
    text = html(many.admin)
    assert len(text.encode()) < 490_000
    document = Page(text).document
    assert (len(document["jobs"]), document["jobs_total"]) == (1000, 1001)
    counted: dict[str, int] = {}
    for job in document["jobs"]:
        for state, runs in job["runs"].items():
            counted[state] = counted.get(state, 0) + sum(runs.get("count", [1] * len(runs["due"])))
            assert len(runs["due"]) == len(runs["late"]) == len(runs["took"])
    assert counted == document["runs"]
    assert sum(counted.values()) == 100_000
    (failure,) = document["failures"]
    assert failure["runs"] == counted["failed"] == 100_000 // 97
