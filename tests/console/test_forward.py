"""elephant-console forward: alerts reach people, whatever was down meanwhile, and are not told twice."""

from __future__ import annotations

import logging
import re
import signal
from datetime import datetime, timezone
from email.message import EmailMessage

import pytest
from psycopg.conninfo import make_conninfo

from elephant_console.configuration import Receiver
from elephant_console.database import FETCHED_AT_ONCE, Alert, Database
from elephant_console.forward import forwarder as module
from elephant_console.forward.delivery import Outlet
from elephant_console.forward.message import compose
from harness.waiting import until
from tests.console.conftest import Alerts, Console, Forward, backends
from tests.console.receivers import MailServer, WebServer


def test_a_failed_run_reaches_people_by_mail_and_by_web(
    alerts: Alerts, mail: MailServer, web: WebServer, console: Console
) -> None:
    scheduler = alerts.scheduler
    console.configure(
        f'[receivers.ops]\nurl = "{mail.url()}"\nevents = ["failed"]\n[receivers.hook]\nurl = "{web.url()}"',
        forward='group_for = "0 seconds"',
    )
    process = console.start()
    scheduler.start()
    run = scheduler.run("SELECT 1/0", rolname=scheduler.role(), job_name="import orders")
    until(lambda: mail.mails and web.posted, "mail and request")
    (letter,) = mail.mails
    assert letter["Subject"] == "failed: import orders"
    assert letter["To"] == "ops@example.org"
    text = letter.get_content()
    for line in (
        "The run failed: division by zero (22012).",
        f"job: import orders ({run.job_id})",
        f"role: {run.rolname}",
        f"database: {run.datname}",
        f"run: {run.jl_id}, attempt 1",
    ):
        assert line in text.splitlines()
    (request,) = web.posted
    assert (request["title"], request["type"]) == ("failed: import orders", "failure")
    assert request["message"].splitlines() == text.splitlines()
    row = until(lambda: [row for row in alerts.rows() if len(row.delivered_to) == 2], "both marks")[0]
    assert sorted(row.delivered_to) == ["hook", "ops"]
    assert row.delivered_at > row.raised_at
    scheduler.execute("UPDATE member_job SET job_command = 'SELECT 1'")
    scheduler.value("SELECT run_job(%s)", run.job_id)
    until(lambda: [post for post in web.posted if post["title"] == "recovered: import orders"], "the end of it")
    assert web.posted[-1]["type"] == "success"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert "Traceback" not in console.said()


def test_what_came_while_the_forwarder_was_down(alerts: Alerts, web: WebServer, forward: Forward) -> None:
    alerts.raise_(3)
    alerts.raise_(event="overdue", job_name="heartbeat")
    alerts.raise_(ago="2 days", job_name="long ago")
    forward(web.url())
    until(lambda: web.posted)
    (post,) = web.posted
    assert post["title"] == "4 alerts: 3 failed, 1 overdue"
    assert "failed: import orders (app, weborder), 3 times" in post["message"]
    assert "overdue: heartbeat (app, weborder), " in post["message"]
    until(lambda: alerts.undelivered() == 1)


def test_what_the_forwarder_was_down_for_too_long_to_send(
    alerts: Alerts, web: WebServer, forward: Forward, caplog: pytest.LogCaptureFixture
) -> None:
    """Only a receiver that has been sent something before: a new one does not ask for what was before its time."""
    alerts.raise_(ago="6 days")
    stop = forward(web.url())
    alerts.raise_()
    until(lambda: alerts.undelivered() == 1)
    assert [row.delivery_error for row in alerts.rows()] == [None, None]
    stop.set()
    (missed,) = alerts.raise_(job_name="missed")
    alerts.scheduler.execute("UPDATE alert SET raised_at = raised_at - interval '2 days'")
    forward(web.url())
    until(lambda: any(row.delivery_error for row in alerts.rows()), "the note")
    (row,) = [row for row in alerts.rows() if row.alert_id == missed]
    assert row.delivery_error == "people: no forwarder was running in time"
    assert row.delivered_to == []
    until(lambda: "people: gave up 1 alerts" in caplog.text, "the line of the log")
    assert len(web.posted) == 1


def test_what_came_while_the_receiver_was_down(
    alerts: Alerts, mail: MailServer, web: WebServer, forward: Forward
) -> None:
    mail.refusal, web.status = "451 later", 503
    forward(mail.url(), "mail")
    forward(web.url(), "web")
    alerts.raise_()
    until(web.asked.is_set)
    alerts.raise_(job_name="second")
    assert alerts.undelivered() == 2
    mail.refusal, web.status = None, 200
    until(lambda: all(len(row.delivered_to) == 2 for row in alerts.rows()), "both to have both")
    for title in (web.posted[0]["title"], mail.mails[0]["Subject"]):
        assert title in ("2 alerts: 2 failed", "failed: import orders")


def test_one_receiver_does_not_hold_up_another(
    alerts: Alerts, mail: MailServer, web: WebServer, forward: Forward
) -> None:
    answer = web.hold()
    forward(web.url(), "deaf")
    forward(mail.url(), "well")
    alerts.raise_()
    until(web.asked.is_set)
    until(lambda: mail.mails)
    answer.set()
    until(lambda: web.posted)


def test_giving_up_is_visible(
    alerts: Alerts, web: WebServer, forward: Forward, caplog: pytest.LogCaptureFixture
) -> None:
    web.status = 500
    forward(web.url())
    alerts.raise_()
    until(lambda: "people: 1 alerts not sent, trying again in 0.1 s: " in caplog.text)
    alerts.scheduler.execute("UPDATE alert SET raised_at = raised_at - interval '2 days'")
    (row,) = until(lambda: [row for row in alerts.rows() if row.delivery_error], "the note")
    assert row.delivery_error.startswith("people: not confirmed in time: Failed to send JSON POST notification")
    assert (row.delivered_at, row.delivered_to) == (None, [])
    until(lambda: "people: gave up 1 alerts" in caplog.text)
    # What comes next is sent.
    web.status = 200
    alerts.raise_(job_name="next")
    until(lambda: [post["title"] for post in web.posted] == ["failed: next"])


def test_a_thousand_at_once(alerts: Alerts, mail: MailServer, forward: Forward) -> None:
    forward(mail.url(), group_for=1.0)
    until(lambda: backends(alerts))
    with alerts.scheduler.admin.transaction():
        alerts.raise_(700)
        for number in range(300):
            alerts.raise_(job_name=f"job number {number}")
    alerts.wait()
    assert len(mail.mails) <= 2
    assert sum(number_of_alerts(letter) for letter in mail.mails) == 1000
    assert all(len(text) < 25000 for text in mail.texts())
    told = "".join(mail.texts())
    assert "and " in told
    assert "SELECT * FROM all_alert WHERE alert_id BETWEEN " in told


def number_of_alerts(letter: EmailMessage) -> int:
    found = re.match(r"(\d+) alerts: ", letter["Subject"])
    return int(found[1]) if found else 1


def test_more_than_are_read_at_once(alerts: Alerts, web: WebServer, forward: Forward) -> None:
    """Those before are for somebody else."""
    alerts.raise_(FETCHED_AT_ONCE + 10, rolname="other")
    alerts.raise_(event="overdue")
    forward(web.url(), filters={"events": ("overdue",), "roles": ("app",), "jobs": ("import *",)})
    until(lambda: web.posted)
    assert web.posted[0]["title"] == "overdue: import orders"
    alerts.raise_(job_name="export orders", event="overdue")
    alerts.raise_(event="lost")
    alerts.raise_(job_name="import more", event="overdue")
    until(lambda: len(web.posted) == 2)
    assert web.posted[1]["title"] == "overdue: import more"


TEXTS = [
    *("x\r\nBcc: everybody@example.org\r\n\r\nbody", "a\x01\x1b[31m\x7f\u0085b", ".\r\n.\r\n", "\\r\\nSubject: y"),
    *("שלום עולם", "مرحبا بالعالم", "नमस्ते दुनिया", "你好，世界", "🐘👩‍👩‍👧", "z\u0301\u0302" * 40, "\u202egnp.exe"),
    *("<script>alert(1)</script> &amp;", "%s %(x)s {0} {name} ${HOME} \\N{DIGIT ONE}", "'; DROP TABLE alert; --"),
    *(":smile: *bold* _it_ `code`", "\ufeff\u200b", " ", "\t\v\f", "x" * 100000, "\U0010ffff\ufffe", "=?utf-8?q?x?="),
]


def test_every_script_and_length(alerts: Alerts, mail: MailServer, web: WebServer, forward: Forward) -> None:
    """As the name of a job, and in the explanation, alone and in a group."""
    for text in TEXTS:
        alerts.raise_(1, job_name=text, explanation=f"The run failed: {text}")
    with Database(alerts.conninfo) as database:
        rows = database.alerts("mail", 0, 1e6)
    forward(mail.url(), "mail")
    forward(web.url(), "web")
    done = "SELECT count(*) FROM alert WHERE cardinality(delivered_to) = 2"
    until(lambda: alerts.scheduler.value(done) == len(TEXTS), "the group")
    for outlet in (Outlet(Receiver("mail", mail.url())), Outlet(Receiver("web", web.url()))):
        for row in rows:
            assert outlet.send(compose([row])) is None
    assert len(web.posted[0]["message"]) > 2000
    for text, post, letter in zip(TEXTS, web.posted[-len(TEXTS) :], mail.mails[-len(TEXTS) :]):
        words = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u202e]", " ", text).split())
        name, explanation = post["title"].removeprefix("failed: "), post["message"].splitlines()[0]
        assert words.startswith(name.rstrip("…")) or name.startswith("job ")
        assert f"The run failed: {words}".startswith(explanation.rstrip("…"))
        assert len(post["title"]) <= 120
        assert len(post["message"]) <= 21000
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", post["title"] + post["message"])
        assert letter["Bcc"] is None
        assert len(letter.get_all("Subject")) == 1
        assert letter["To"] == "ops@example.org"


def test_alerts_of_one_role_do_not_crowd_out_those_of_others() -> None:
    def alert(number: int, role: str, job_id: int) -> Alert:
        at = datetime(2027, 1, 1, tzinfo=timezone.utc)
        said = "x" * 300
        return Alert(number, "failed", at, job_id, None, 1, role, "weborder", None, 1, said, False)

    alerts = [alert(number, "mallory", number) for number in range(1, 1001)]
    alerts += [alert(1001, "victim", 1001), alert(1002, "victim", 1002), alert(1003, "other", 1003)]
    for room in (20000, 2000):
        lines = compose(alerts, room).body.splitlines()
        assert [line.partition("(")[2].partition(",")[0] for line in lines[:5]] == [
            "mallory", "victim", "other", "mallory", "victim",
        ]  # fmt: skip
        shown = sum(line.startswith("failed: job ") for line in lines)
        assert f"and {len(alerts) - shown} more" in lines


def test_two_forwarders_send_each_alert_once(alerts: Alerts, web: WebServer, forward: Forward) -> None:
    for _ in range(2):
        forward(web.url(), group_for=0.0)
    until(lambda: len(backends(alerts)) == 2)
    sent = [number for _ in range(60) for number in alerts.raise_()]
    alerts.wait()
    single = re.findall(r"^alert: (\d+)$", "\n".join(post["message"] for post in web.posted), re.MULTILINE)
    grouped = [re.match(r"(\d+) alerts", post["title"]) for post in web.posted]
    assert len(single) == len(set(single))
    assert len(single) + sum(int(found[1]) for found in grouped if found) == len(sent)
    assert all(row.delivered_to == ["people"] for row in alerts.rows())


def test_the_other_takes_over_from_one_that_was_killed(
    alerts: Alerts, web: WebServer, forward: Forward, console: Console
) -> None:
    """kill -9 while the receiver has the request and has not confirmed it."""
    web.hold()
    console.configure(f'[receivers.people]\nurl = "{web.url()}"', forward='take_over_after = "1 second"')
    killed = console.start()
    until(lambda: backends(alerts))
    alerts.raise_()
    until(web.asked.is_set)
    killed.kill()
    killed.wait()
    web.let_in()
    forward(web.url())
    alerts.wait()
    assert len(web.posted) == 1


def test_the_one_gap(alerts: Alerts, web: WebServer, forward: Forward, console: Console) -> None:
    """kill -9 after the confirmation, and before the database knows it: told once more, and then never again."""
    console.configure(f'[receivers.people]\nurl = "{web.url()}"', forward='take_over_after = "1 second"')
    alerts.raise_()
    with alerts.scheduler.connect() as other, other.transaction():
        other.execute("SELECT FROM alert FOR UPDATE")
        killed = console.start()
        until(lambda: web.posted)
        until(lambda: alerts.scheduler.value("SELECT bool_or(NOT granted) FROM pg_locks"), "mark_delivered() to wait")
        killed.kill()
        killed.wait()
        for pid in backends(alerts):
            alerts.scheduler.value("SELECT pg_terminate_backend(%s, 10000)", pid)
    forward(web.url())
    alerts.wait()
    assert [post["title"] for post in web.posted] == ["failed: import orders"] * 2
    stop = forward(web.url())
    until(lambda: len(backends(alerts)) == 2)
    alerts.raise_(job_name="next")
    alerts.wait()
    assert [post["title"] for post in web.posted][2:] == ["failed: next"]
    stop.set()


def test_what_the_database_could_not_be_told_is_not_sent_again(
    alerts: Alerts, web: WebServer, forward: Forward, caplog: pytest.LogCaptureFixture
) -> None:
    """Its connection ends between the confirmation and the mark; another forwarder is there all the time."""
    alerts.raise_()
    with alerts.scheduler.connect() as other, other.transaction():
        other.execute("SELECT FROM alert FOR UPDATE")
        forward(web.url(), take_over_after=60.0)
        until(lambda: web.posted)
        forward(web.url(), take_over_after=60.0)
        waiting = "SELECT pid FROM pg_locks WHERE NOT granted"
        pid = until(lambda: alerts.scheduler.value(waiting), "mark_delivered() to wait")
        alerts.scheduler.value("SELECT pg_terminate_backend(%s, 10000)", pid)
    alerts.wait()
    assert "the database cannot be used, trying again: " in caplog.text
    alerts.raise_(job_name="next")
    until(lambda: len(web.posted) == 2)
    assert web.posted[1]["title"] == "failed: next"


def test_sending_that_takes_longer_than_the_claim(alerts: Alerts, web: WebServer, forward: Forward) -> None:
    """The claim is extended meanwhile: another forwarder does not send it too."""
    answer = web.hold()
    until_when = "SELECT claimed_until FROM alert_receiver"
    forward(web.url(), take_over_after=2.0)
    alerts.raise_()
    until(web.asked.is_set)
    web.asked.clear()
    forward(web.url(), take_over_after=2.0)
    first = alerts.scheduler.value(until_when)
    until(
        lambda: alerts.scheduler.value("SELECT claimed_until > %s + interval '2.1 seconds' FROM alert_receiver", first)
    )
    assert not web.asked.is_set()
    answer.set()
    alerts.wait()
    assert len(web.posted) == 1
    until(lambda: alerts.scheduler.value("SELECT count(*) = 0 FROM alert_receiver"), "the claim to be given back")


def test_a_fault_in_the_program_ends_it(
    alerts: Alerts, web: WebServer, forward: Forward, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever started it starts it again; a thread that is missing would be noticed by nobody."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(module, "compose", broken)
    stop = forward(web.url())
    alerts.raise_()
    assert stop.wait(30)
    until(lambda: stop.failed)
    stop.failed = False
    assert "ZeroDivisionError: a fault" in caplog.text
    assert logging.getLevelName(caplog.records[-1].levelno) == "ERROR"


def test_without_rights_it_says_which_are_missing(
    alerts: Alerts, web: WebServer, forward: Forward, caplog: pytest.LogCaptureFixture
) -> None:
    """And goes on as soon as they are there."""
    scheduler = alerts.scheduler
    scheduler.execute(f'REVOKE job_monitor FROM "{alerts.role}"')
    alerts.raise_()
    forward(web.url())
    remedy = f'GRANT job_monitor TO "{alerts.role}";'
    until(lambda: remedy in caplog.text)
    scheduler.execute(remedy)
    alerts.wait()


def test_a_database_without_an_encoding(alerts: Alerts, web: WebServer, forward: Forward) -> None:
    """Bytes that are no text in any encoding stop neither themselves nor what comes after them."""
    scheduler = alerts.scheduler
    with scheduler.cluster.connect() as admin:
        admin.execute("CREATE DATABASE bytes ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    try:
        with scheduler.cluster.connect("bytes") as session:
            session.execute("CREATE EXTENSION elephant_worker CASCADE")
            session.execute(
                """INSERT INTO alert (alert_id, event, raised_at, job_id, job_name, explanation, since, told_at)
                   SELECT i, 'failed', now(), i, n, n, now(), now()
                   FROM (VALUES (1, E'import \\xff\\xe9'), (2, 'export')) v (i, n)"""
            )
            alerts.conninfo = make_conninfo(alerts.conninfo, dbname="bytes")
            stop = forward(web.url())
            until(lambda: web.posted)
            assert web.posted[0]["title"] == "2 alerts: 2 failed"
            assert "failed: import \ufffd\ufffd" in web.posted[0]["message"]
            until(lambda: session.execute("SELECT bool_and(delivered_at IS NOT NULL) AS d FROM alert").fetchone().d)
            stop.set()
            session.execute("DROP EXTENSION elephant_worker")
    finally:
        with scheduler.cluster.connect() as admin:
            admin.execute("DROP DATABASE bytes WITH (FORCE)")
