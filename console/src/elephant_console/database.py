"""The database that holds the jobs: what this program reads there, and the two functions that it calls.

The role is an ordinary one with job_monitor. Names are qualified and operators are those of pg_catalog, whatever the
database's search_path is.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import psycopg
from psycopg import sql
from psycopg.adapt import Loader
from psycopg.rows import class_row

APPLICATION_NAME = "elephant-console"
FETCHED_AT_ONCE = 5000  # alerts
# Whatever the role or the database sets. A statement that waits for a lock must not hold up alerts for ever.
SETTINGS = {
    "search_path": "pg_catalog",
    "statement_timeout": "60s",
    "lock_timeout": "20s",
    "idle_session_timeout": "0",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "client_min_messages": "error",
}


class NotReadyError(psycopg.Error):
    """The database lacks something, which a person must change."""


class Alert(NamedTuple):
    """A row of all_alert."""

    alert_id: int
    event: str
    raised_at: datetime
    job_id: int
    job_name: str | None
    jl_id: int | None
    rolname: str | None
    datname: str | None
    server: str | None
    attempt: int | None
    explanation: str
    expired: bool


class Condition(NamedTuple):
    """Why the worker starts nothing (None: it is well), and whether it has looked around in the last minute."""

    reason: str | None
    ticking: bool


class Wakeable(Protocol):
    """What has a descriptor that becomes readable."""

    def fileno(self) -> int: ...


class _LenientText(Loader):
    """In a database without an encoding (SQL_ASCII) texts are bytes of any kind: none of them stops the rest."""

    def load(self, data: Any) -> str:
        return bytes(data).decode("utf-8", "replace")


class Database:
    """A session that also listens. Raises psycopg.Error."""

    def __init__(self, conninfo: str) -> None:
        self._session = psycopg.connect(
            conninfo,
            autocommit=True,
            application_name=APPLICATION_NAME,
            connect_timeout=10,
            keepalives_idle=20,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=30000,
        )
        try:
            self._session.prepare_threshold = None
            self._session.add_notify_handler(self._hear)
            self.heard = False
            for name, value in SETTINGS.items():
                self._session.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))
            if self._session.info.parameter_status("server_encoding") == "SQL_ASCII":
                self._session.execute("SET client_encoding = 'SQL_ASCII'")
                for name in ("text", "name", "varchar"):
                    self._session.adapters.register_loader(name, _LenientText)
            else:
                self._session.execute("SET client_encoding = 'UTF8'")
            self._schema = sql.Identifier(self._find_schema())
        except BaseException:
            self._session.close()
            raise

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def _hear(self, _: psycopg.Notify) -> None:
        self.heard = True

    def _find_schema(self) -> str:
        row = self._session.execute(
            """SELECT n.nspname, e.extversion, pg_is_in_recovery(), to_regrole('job_monitor') IS NOT NULL
                   AND pg_has_role('job_monitor', 'USAGE'), quote_ident(current_user), quote_ident(current_database()),
                   EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = n.oid AND p.proname = 'claim_receiver'),
                   has_schema_privilege(n.oid, 'USAGE'), quote_ident(n.nspname)
               FROM (SELECT) one LEFT JOIN (pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace)
                    ON e.extname = 'elephant_worker'"""
        ).fetchone()
        assert row is not None
        schema, version, standby, monitors, role, database, knows_receivers, may_use, quoted = row
        if schema is None:
            raise NotReadyError(f"the database {database} has no extension elephant_worker; is it the right database?")
        if not knows_receivers:
            raise NotReadyError(
                f"elephant_worker {version} in {database} is too old: ALTER EXTENSION elephant_worker UPDATE;"
            )
        if standby:
            raise NotReadyError(
                "the server is a standby, where nothing can be marked as delivered; with several servers in host,"
                " target_session_attrs=read-write finds the primary"
            )
        if not monitors:
            raise NotReadyError(f"the role {role} may not see all alerts: GRANT job_monitor TO {role};")
        if not may_use:
            raise NotReadyError(f"the role {role} may not use the schema: GRANT USAGE ON SCHEMA {quoted} TO {role};")
        return str(schema)

    def _qualified(self, statement: str) -> sql.Composed:
        return sql.SQL(statement).format(self._schema)

    def listen(self) -> None:
        """Hear of alerts from now on."""
        self._session.execute("LISTEN elephant_worker")

    def wait(self, wakeable: Wakeable, timeout: float) -> None:
        """Wait until there may be an alert, or until the other one is readable, for at most so many seconds."""
        if not self.heard:
            select.select([self._session.fileno(), wakeable.fileno()], [], [], timeout)
        self.heard = False

    def first_alert(self, seconds: float) -> int:
        """The number of the first alert that is not older than this, or of the next one."""
        row = self._session.execute(
            self._qualified(
                """SELECT coalesce(min(alert_id) FILTER (WHERE raised_at > now() - make_interval(secs => %s)),
                                   max(alert_id) + 1, 0) FROM {}.all_alert"""
            ),
            (seconds,),
        ).fetchone()
        return int(row[0]) if row else 0

    def alerts(self, receiver: str, first: int, seconds: float) -> list[Alert]:
        """Alerts for people, from this number on, that the receiver has not confirmed; those that were raised more than
        so many seconds ago are expired. At most FETCHED_AT_ONCE."""
        return self._alerts("a.alert_id >= %(first)s", receiver, first, seconds)

    def forgotten_alerts(self, receiver: str, first: int) -> list[Alert]:
        """Alerts before this number that nobody has tried to send to the receiver, since what it last confirmed; none
        if it has never confirmed anything."""
        return self._alerts(
            """a.alert_id < %(first)s AND a.delivery_error IS NULL AND a.alert_id > (
                   SELECT max(b.alert_id) FROM {schema}.all_alert b WHERE %(receiver)s = ANY (b.delivered_to))""",
            receiver, first, 0.0,
        )  # fmt: skip

    def _alerts(self, condition: str, receiver: str, first: int, seconds: float) -> list[Alert]:
        statement = """SELECT a.alert_id, a.event, a.raised_at, a.job_id, a.job_name, a.jl_id, a.rolname, a.datname,
                              a.server, a.attempt, a.explanation,
                              a.raised_at <= now() - make_interval(secs => %(seconds)s) AS expired
                       FROM {schema}.all_alert a
                       WHERE {condition} AND NOT a.muted AND %(receiver)s <> ALL (a.delivered_to)
                       ORDER BY a.alert_id LIMIT %(limit)s"""
        composed = sql.SQL(statement).format(
            schema=self._schema, condition=sql.SQL(condition).format(schema=self._schema)
        )
        with self._session.cursor(row_factory=class_row(Alert)) as cursor:
            return cursor.execute(
                composed, {"receiver": receiver, "first": first, "seconds": seconds, "limit": FETCHED_AT_ONCE}
            ).fetchall()

    def claim(self, receiver: str, forwarder: str, seconds: float) -> bool:
        """Claim that no other forwarder sends to the receiver for so long; returns whether that is so."""
        row = self._session.execute(
            self._qualified("SELECT {}.claim_receiver(%s, %s, make_interval(secs => %s))"),
            (receiver, forwarder, seconds),
        ).fetchone()
        return bool(row and row[0])

    def release(self, receiver: str, forwarder: str) -> None:
        """Let others send to the receiver."""
        self.claim(receiver, forwarder, 0.0)

    def mark(self, alert_ids: Sequence[int], receiver: str, error: str | None = None) -> None:
        """Note that the receiver has confirmed these or, with an error, that their delivery was given up."""
        self._session.execute(
            self._qualified("SELECT {}.mark_delivered(%s::bigint[], %s, %s)"), (list(alert_ids), receiver, error)
        )

    def condition(self) -> Condition:
        """How the worker is."""
        statement = "SELECT reason, coalesce(last_tick > now() - interval '1 minute', false) FROM {}.worker_status"
        row = self._session.execute(self._qualified(statement)).fetchone()
        return Condition(*row) if row else Condition("there is no answer", False)

    def unknown_roles(self, names: Sequence[str]) -> list[str]:
        """Which of these roles do not exist."""
        return [
            str(name)
            for (name,) in self._session.execute(
                "SELECT n FROM unnest(%s::text[]) n WHERE n NOT IN (SELECT rolname::text FROM pg_roles)", (list(names),)
            )
        ]
