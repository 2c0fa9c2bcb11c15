"""No single row stops the worker, whatever it holds: each column of the tables that the loop reads is given values
that no check would let pass, as a damaged or forged row might have them."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.scheduler import Scheduler
from harness.waiting import until

# By type: values as literals of PostgreSQL.
EXTREMES: dict[str, list[str]] = {
    "text": ["", "\x01", "x" * 100_000, "@after 178000000 years", "1 second"],
    "name": ["", "\x01", "x" * 60],
    "bool": ["t", "f"],
    "int4": ["-2147483648", "2147483647", "0"],
    "int8": ["-9223372036854775808", "9223372036854775807", "0"],
    "timestamptz": ["infinity", "-infinity", "0001-01-01", "294276-12-31"],
    "interval": ["-178000000 years", "178000000 years", "-1 year 361 days", "0"],
    "jsonb": ["null", "[]", "{}", '"x"', "[" * 900 + "]" * 900, '{"a": {"b": [1]}}'],
    "_text": ["{}", "{NULL}", '{"\x01"}'],
    "_int8": ["{}", "{NULL}", "{-9223372036854775808}"],
    "_float4": ["{}", "{NULL}", "{NaN,Infinity}"],
    "_float8": ["{}", "{NULL}", "{NaN,Infinity}"],
    "oid": ["0", "4294967295"],
    "xid8": ["0", "18446744073709551615"],
}
TABLES = ["job", "job_state", "job_statistic", "pending_run", "worker_request", "finished_dependency"]
KEYS = {"job_id", "request_id", "after_job_id"}
COLUMNS = """SELECT a.attname, t.typname, a.attnotnull FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''"""


def cases(scheduler: Scheduler) -> list[tuple[str, str, str | None]]:
    found: list[tuple[str, str, str | None]] = []
    for table in TABLES:
        for name, type_name, not_null in scheduler.admin.execute(COLUMNS, (f'"Elephant Test".{table}',)).fetchall():
            if name not in KEYS:
                assert type_name in EXTREMES, f"values for {type_name} are missing"
                found += [(table, name, value) for value in EXTREMES[type_name]]
                found += [(table, name, None)] * (not not_null)
    return found


@pytest.mark.slow
def test_no_row_stops_the_worker(scheduler: Scheduler) -> None:
    victim = scheduler.insert("SELECT 1", schedule="1 second")
    scheduler.start()
    pid = scheduler.value("SELECT worker_pid()")

    def succeeded() -> Any:
        return scheduler.value("SELECT count(*) FROM job_log WHERE job_id = %s AND state = 'succeeded'", victim)

    until(lambda: succeeded() > 0, "the victim to run")
    before = scheduler.insert("SELECT 1")
    refused = 0
    for table, column, value in cases(scheduler):
        job_id = scheduler.insert("SELECT 1/0", schedule="1 second", max_retries=1, retry_delay="1 hour",
                                  max_retry_delay="1 hour", run_after=[before])  # fmt: skip
        with scheduler.admin.transaction():
            scheduler.execute("SET LOCAL session_replication_role = replica")
            if table == "pending_run":
                scheduler.execute("INSERT INTO pending_run VALUES ({}, now(), now(), 2, 1)", sql.Literal(job_id))
            elif table == "worker_request":
                scheduler.execute(
                    "INSERT INTO worker_request (kind, cause, job_id) VALUES ('run', 'retry', {})", sql.Literal(job_id)
                )
            elif table == "finished_dependency":
                scheduler.execute(
                    "INSERT INTO finished_dependency VALUES ({}, {}, 1, true)",
                    sql.Literal(job_id),
                    sql.Literal(before),
                )
            elif table != "job":
                scheduler.execute(
                    "INSERT INTO job_state (job_id, schedule_set_at, next_run_at) SELECT job_id, schedule_set_at, now()"
                    " FROM job WHERE job_id = {} ON CONFLICT DO NOTHING",
                    sql.Literal(job_id),
                )
                scheduler.execute(
                    "INSERT INTO job_statistic (job_id) VALUES ({}) ON CONFLICT DO NOTHING", sql.Literal(job_id)
                )
            try:
                with scheduler.admin.transaction():
                    scheduler.admin.execute(
                        sql.SQL("UPDATE {} SET {} = {} WHERE job_id = {}").format(
                            sql.Identifier(table), sql.Identifier(column), sql.Literal(value), sql.Literal(job_id)
                        )
                    )
            except psycopg.Error:
                refused += 1  # a constraint of the table keeps that out
        scheduler.execute(
            "INSERT INTO worker_request (kind, job_id) VALUES ('run', {0}), ('define', {0})", sql.Literal(job_id)
        )
    print(f"{len(cases(scheduler))} values, {refused} refused by the tables")
    # They are all looked at, but for what an earlier transaction is said to have sent, and the victim goes on.
    messages = "SELECT count(*) FROM worker_request WHERE kind <> 'run'"
    until(lambda: not scheduler.value(f"{messages} AND transaction_id > '0'"), "all messages", 120)
    count = succeeded()
    until(lambda: succeeded() >= count + 3, "the victim to go on")
    last_words = "\n".join(scheduler.cluster.log.rpartition(f"[{pid}]")[0].splitlines()[-40:])
    assert scheduler.value("SELECT worker_pid()") == pid, last_words
    # Also after a restart, when everything is read.
    scheduler.stop()
    scheduler.start()
    until(lambda: not scheduler.value(messages), "all messages", 120)
    count = succeeded()
    until(lambda: succeeded() >= count + 2, "the victim to go on")


@pytest.mark.slow
def test_no_lost_run_stops_the_next_worker(scheduler: Scheduler) -> None:
    """When it begins, it works out when the runs that the one before has left are tried again."""
    jobs = []
    for column in ("retry_delay", "max_retry_delay", "max_retries", "job_timeout", "job_name", "disable_after"):
        kind = scheduler.value("SELECT typname FROM pg_attribute a JOIN pg_type t ON t.oid = atttypid "
                               "WHERE attrelid = 'job'::regclass AND attname = %s", column)  # fmt: skip
        for value in EXTREMES[kind]:
            number = scheduler.insert("SELECT pg_sleep(60)", max_retries=3, retry_on=["lost"], retry_delay="1 hour")
            jobs.append((number, column, value))
    scheduler.execute("UPDATE worker_setting SET max_running_jobs = 40")
    scheduler.start()
    scheduler.execute("SELECT run_job(job_id) FROM member_job")
    running = "SELECT count(*) FROM job_log WHERE state = 'running'"
    until(lambda: scheduler.value(running) == len(jobs), "the runs to start")
    with scheduler.admin.transaction():
        scheduler.execute("SET LOCAL session_replication_role = replica")
        for number, column, value in jobs:
            scheduler.execute(
                "UPDATE job SET {} = {} WHERE job_id = {}",
                *(sql.Identifier(column), sql.Literal(value), sql.Literal(number)),
            )
    scheduler.kill()
    scheduler.start()
    until(lambda: not scheduler.value(running + " AND attempt = 1"), "the next worker to end them")
    assert scheduler.run("SELECT 1").state == "succeeded"
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        scheduler.insert("SELECT 1", retry_on=["lost"], max_retries=3, retry_delay="-1 year 361 days")
