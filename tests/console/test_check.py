"""elephant-console check, the configuration file, and docs/alerts.md, from nothing to a mail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from psycopg import sql

from elephant_console.configuration import EVENTS, ConfigurationError, read
from elephant_console.forward.message import one_line
from elephant_worker.jobs.alerts import AlertEvent
from harness.cluster import ROOT
from harness.documents import blocks
from harness.waiting import until
from tests.console.conftest import Alerts, Console
from tests.console.receivers import MailServer, WebServer

DATABASE = '[database]\nconninfo = "host=db password=hidden-word"\n'
RECEIVER = '[receivers.mail]\nurl = "json://localhost"\n'
WRONG = {
    "": ["database.conninfo must be given", "there is no receiver"],
    "x = = hidden-word": ["is not valid TOML (at line 1, column 5)"],
    "[database": ["is not valid TOML (at "],
    "\xff": ["is not valid TOML (UTF-8)"],
    DATABASE: ["there is no receiver; one is [receivers.mail]"],
    '[database]\nconninfo = "hidden-word"\n' + RECEIVER: ["database.conninfo is no connection string"],
    '[database]\nconninfo = "host=db pasword=hidden-word"\n' + RECEIVER: ["database.conninfo is no connection string"],
    DATABASE + "[receivers.mail]\nurl = 7": ["receivers.mail.url must be given"],
    "receivers = 7\n" + DATABASE: ["there is no receiver"],
    DATABASE + RECEIVER + 'event = ["failed"]': ["receivers.mail.event is not known; did you mean events?"],
    DATABASE + RECEIVER + 'events = ["fail"]': ["receivers.mail.events: 'fail' is not known; did you mean 'failed'?"],
    DATABASE + RECEIVER + 'events = "failed"': ["receivers.mail.events must be a list of texts"],
    DATABASE + RECEIVER + "jobs = []": ["receivers.mail.jobs must be a list of texts"],
    DATABASE + RECEIVER + "[forward]\ngroup_for = 10": ["forward.group_for must be a length of time"],
    DATABASE + RECEIVER + '[forward]\ngroup_for = "1 month"': ["forward.group_for must be a length of time"],
    DATABASE + RECEIVER + '[forward]\ntake_over_after = "2 hours"': ["forward.take_over_after must be at most 1 hour"],
    DATABASE + RECEIVER + '[forward]\ngive_up_after = "400 days"': ["forward.give_up_after must be at least 1 seconds"],
    DATABASE + RECEIVER + '[heartbeat]\nurl = "ftp://hidden-word"': ["heartbeat.url must begin with https://"],
    DATABASE + RECEIVER + "heartbeats = 1": ["receivers.mail.heartbeats is not known"],
    "database = 7\n" + RECEIVER: ["database must be a table", "database.conninfo must be given"],
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_with_a_file(text: str, tmp_path: Path) -> None:
    """Everything at once, and nothing of what is secret."""
    file = tmp_path / "console.toml"
    file.write_bytes(text.encode("latin-1"))
    file.chmod(0o600)
    with pytest.raises(ConfigurationError) as raised:
        read(file)
    assert len(raised.value.problems) == len(WRONG[text])
    for problem, expected in zip(raised.value.problems, WRONG[text]):
        assert expected in problem
    assert "hidden-word" not in str(raised.value)


def test_a_file_that_others_can_read(tmp_path: Path) -> None:
    file = tmp_path / "console.toml"
    file.write_text(DATABASE + RECEIVER)
    file.chmod(0o604)
    with pytest.raises(ConfigurationError, match=f"chmod o= {file}"):
        read(file)
    file.chmod(0o640)  # a group may
    assert read(file).receivers[0].name == "mail"
    with pytest.raises(ConfigurationError, match="cannot be read: No such file or directory"):
        read(tmp_path / "nowhere")


def test_events_are_those_of_the_worker() -> None:
    assert set(EVENTS) == {event.value for event in AlertEvent}


def test_check_sends_a_test_and_names_every_problem(
    alerts: Alerts, mail: MailServer, web: WebServer, console: Console
) -> None:
    web.status = 403
    console.configure(
        f"""[receivers.mail]
        url = "{mail.url()}"
        roles = ["nobody at all"]
        [receivers.web]
        url = "{web.url("me:hidden-word@", "hidden-path")}"
        [receivers.nothing]
        url = "nosuchservice://hidden-word"
        [receivers.two]
        url = "{mail.url(to="a@example.org,b@example.org")}"
        """,
        heartbeat=f'url = "http://127.0.0.1:{web.port}/hidden-path"',
    )
    done = console.run("check")
    assert done.exit_code == 2
    assert [letter["Subject"] for letter in mail.mails] == ["test of elephant-console"]
    assert done.stdout.splitlines()[0] == "ok: database: alerts can be read"
    assert "ok: worker: " in done.stdout
    assert "ok: receivers.mail: test message sent" in done.stdout
    for line in (
        'receivers.mail.roles: role "nobody at all" does not exist',
        "receivers.web: no test message: ",
        "error=403",
        "receivers.nothing.url: Apprise does not understand this URL of the scheme 'nosuchservice'",
        "receivers.two.url: it is for 2 recipients",
        "heartbeat: the answer was HTTP 403",
    ):
        assert line in done.stderr
    assert "hidden" not in done.stdout + done.stderr
    # It does not start with that.
    started = console.run("forward")
    assert started.exit_code == 2
    assert "the URL of a receiver" in started.stderr
    assert "hidden" not in started.stderr


def test_check_of_a_database_that_is_not_ready(alerts: Alerts, web: WebServer, console: Console) -> None:
    console.configure(f'[receivers.web]\nurl = "{web.url()}"')
    alerts.scheduler.execute("REVOKE job_monitor FROM {}", sql.Identifier(alerts.role))
    done = console.run("check", "--no-send")
    assert (done.exit_code, web.posted) == (2, [])
    assert f'wrong: database: the role "{alerts.role}" may not see all alerts: GRANT job_monitor TO' in done.stderr
    assert "ok: receivers.web: the URL can be used" in done.stdout


def test_the_page_from_nothing_to_a_mail(
    alerts: Alerts, mail: MailServer, web: WebServer, console: Console, tmp_path: Path
) -> None:
    """The blocks of docs/alerts.md as they stand, with servers and places that are there."""
    page = ROOT / "docs/alerts.md"
    written, tried = [block.code for block in blocks(page) if block.run_by == "tests/console/test_check.py"]
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "elephant-console"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH={ROOT}/console/src exec {sys.executable} -m elephant_console -c {console.file} "$@"\n'
    )
    program.chmod(0o755)
    for given, here in (
        ("sudo ", ""),
        ("/etc/elephant_worker/console.toml", str(console.file)),
        ("host=/var/run/postgresql dbname=postgres user=elephant-console", alerts.conninfo),
        ("mailtos://cron%40example.org:password@smtp.example.org?from=cron@example.org&to=ops@example.org", mail.url()),
        ("pagerduty://INTEGRATION_KEY@API_KEY", web.url()),
        ("https://hc-ping.com", f"http://127.0.0.1:{web.port}"),
        ('"billing"', f'"{alerts.role}"'),
    ):
        assert given in written
        written = written.replace(given, here)
    for code in (written, tried.removeprefix("sudo ")):
        done = subprocess.run(
            ["sh", "-eu", "-c", code],
            env={"PATH": f"{programs}:{os.environ['PATH']}", "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, one_line(done.stderr + done.stdout, 1000)
    assert console.file.stat().st_mode & 0o777 == 0o600
    assert (len(mail.mails), len(web.posted), len(web.pings)) == (1, 1, 1)
    alerts.scheduler.start()
    alerts.scheduler.tick()
    console.start()
    alerts.raise_()
    until(lambda: len(mail.mails) == 2)
    until(lambda: len(web.pings) == 2, "the sign of life")
    assert len(web.posted) == 1
