"""What the worker reads and writes in the database, statement by statement.

`@extschema@` stands for the schema of the extension, as in its script; PostgreSQL has quoted it.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..jobs.job import Job
from ..jobs.run import Names, Run, Target
from ..jobs.run_counts import COUNT, LAST_STATES, SAMPLES, rows, tally
from ..jobs.run_queue import QueuedRun, RunQueue
from ..version import VERSION

# Where a statement joins a table with its parameters, it also has the table's keys in an array:
# then the rows are found by index also where ANALYZE has seen the table empty. Otherwise PostgreSQL
# reads the whole table for each row of the parameters.

# The tables that statements write to, a row for each element of their first parameter or result.
WRITES = {
    "advance": ("job_state",),
    "count": ("job_statistic",),
    "define": ("job_state", "job_statistic"),
    "log_started": ("job_log",),
    "log_new": ("job_log",),
    "messages": ("worker_request",),
    "take_requests": ("worker_request",),
}
# A statement, and the types of its parameters.
Statement = tuple[str, list[str]]

LOG_STARTED = """INSERT INTO @extschema@.job_log
           (jl_id, job_id, rolname, datname, server, cause, scheduled_at, attempt, caused_by, job_command, state)
       SELECT r.jl_id, r.job_id, r.rolname, r.datname, r.server, r.cause, to_timestamp(r.scheduled_at), r.attempt,
              r.caused_by, r.job_command, 'running'
       FROM unnest($1) r"""

STATEMENTS: dict[str, Statement] = {
    "pulse": (
        """SELECT s.max_running_jobs, s.max_running_jobs_per_role, s.max_idle_sessions, s.spare_connections,
               s.connect_as, s.conninfo,
               date_part('epoch', s.session_idle_time) AS session_idle_time,
               date_part('epoch', s.session_lifetime) AS session_lifetime,
               date_part('epoch', s.cancel_grace) AS cancel_grace,
               date_part('epoch', s.start_grace) AS start_grace,
               s.paused_since IS NOT NULL AS paused, s.overrun_factor,
               date_part('epoch', s.log_max_age) AS log_max_age, s.log_max_rows,
               s.measure_cost,
               e.extversion AS version,
               EXISTS (SELECT FROM @extschema@.worker_request) AS inbox
           FROM @extschema@.worker_setting s, pg_extension e WHERE e.extname = 'elephant_worker'""",
        [],
    ),
    "register": (
        """UPDATE @extschema@.worker_state w
           SET pid = a.pid, backend_start = a.backend_start, host = $1, armed = true,
               spare_pid = NULL, spare_start = NULL,  -- one that is there was an earlier worker's
               system_identifier = c.system_identifier, data_directory = current_setting('data_directory')
           FROM pg_control_system() c, pg_stat_get_activity(pg_backend_pid()) a""",
        ["text"],
    ),
    "forget_stop": ("DELETE FROM @extschema@.worker_request i WHERE i.kind = 'stop'", []),
    "lock_state": ("SELECT FROM @extschema@.worker_state FOR UPDATE", []),
    "worker_pid": ("SELECT @extschema@.worker_pid() AS pid", []),
    "is_registered": (
        """SELECT EXISTS (SELECT FROM @extschema@.worker_state w WHERE w.pid = pg_backend_pid()) AS registered""",
        [],
    ),
    "is_armed": ("SELECT @extschema@.is_armed() AS armed", []),
    "spare_pid": (
        """SELECT w.spare_pid AS pid FROM @extschema@.worker_state w
           WHERE w.spare_pid IS NOT NULL  -- NULL would stand for all sessions
               AND EXISTS (SELECT FROM pg_stat_get_activity(w.spare_pid) a WHERE a.backend_start = w.spare_start)""",
        [],
    ),
    "nothing": ("SELECT", []),
    "register_spare": (
        """UPDATE @extschema@.worker_state w SET spare_pid = a.pid, spare_start = a.backend_start
           FROM pg_stat_get_activity(pg_backend_pid()) a""",
        [],
    ),
    "spare_status": (
        """SELECT @extschema@.worker_pid() AS worker, @extschema@.is_armed() AS armed
           FROM @extschema@.worker_state w, pg_extension e
           WHERE w.spare_pid = pg_backend_pid() AND e.extname = 'elephant_worker' AND e.extversion = $1""",
        ["text"],
    ),
    "unregister": (
        """UPDATE @extschema@.worker_state w SET pid = NULL, backend_start = NULL, host = NULL
           WHERE w.pid = pg_backend_pid()""",
        [],
    ),
    "close_lost": (
        """SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a
           JOIN pg_database d ON d.datname = current_database()
           WHERE a.usename ~ ('^elephant_worker_' || d.oid || '_[0-9]+$')""",
        [],
    ),
    "log_lost": (
        """WITH lost AS (
               UPDATE @extschema@.job_log l
               SET state = 'lost', job_finished = clock_timestamp(), job_sqlstate = '57P02',
                   exception_message = 'the worker or the server ended during the run',
                   exception_detail = 'How far the command had got is not known.',
                   exception_hint = 'The server''s log may say more.'
               WHERE l.state = 'running' AND l.jl_id >= (SELECT w.lowest_open_run FROM @extschema@.worker_state w)
               RETURNING l.job_id)
           UPDATE @extschema@.job_statistic s
           SET failure_count = s.failure_count + r.failures, failure_total = s.failure_total + r.failures,
               last_states = (array_fill('lost'::text, ARRAY[r.failures]) || s.last_states)[:$1],
               log_rows = s.log_rows + r.failures
           FROM (SELECT lost.job_id, count(*)::int4 AS failures FROM lost GROUP BY lost.job_id) r
           WHERE s.job_id = r.job_id""",
        ["int4"],
    ),
    "stranded": (
        """SELECT w.*, l.job_id, 0 AS jl_id, date_part('epoch', l.scheduled_at) AS scheduled_at
           FROM (SELECT r.job_id, max(r.scheduled_at) AS scheduled_at FROM @extschema@.job_log r
                 WHERE r.state = 'lost' AND r.jl_id >= (SELECT w.lowest_open_run FROM @extschema@.worker_state w)
                 GROUP BY r.job_id) l
           JOIN @extschema@.job_state s ON s.job_id = l.job_id AND s.next_run_at IS NULL AND s.disabled_at IS NULL
           JOIN @extschema@.job_for_worker w ON w.job_id = l.job_id AND w.enabled AND w.schedule IS NOT NULL""",
        [],
    ),
    "reboot": (
        """WITH seen AS (
               UPDATE @extschema@.worker_state w SET server_started = pg_postmaster_start_time()
               WHERE w.server_started IS DISTINCT FROM pg_postmaster_start_time() RETURNING w.only_row)
           INSERT INTO @extschema@.worker_request (kind, cause, job_id)
           SELECT 'run', 'reboot', j.job_id FROM @extschema@.job j, seen
           WHERE j.schedule LIKE '%@reboot%' AND j.enabled
               AND (j.starts_at <= clock_timestamp()) IS NOT FALSE AND (j.ends_at >= clock_timestamp()) IS NOT FALSE""",
        [],
    ),
    "newest_log_row": (
        """SELECT date_part('epoch', greatest(l.scheduled_at, l.job_started, l.job_finished)) AS moment
           FROM @extschema@.job_log l ORDER BY l.jl_id DESC LIMIT 1""",
        [],
    ),
    "waiting": (
        """SELECT w.*, s.job_id, 0 AS jl_id, coalesce(date_part('epoch', s.next_run_at), 0) AS scheduled_at
           FROM @extschema@.job_state s
           JOIN @extschema@.job_for_worker w ON w.job_id = s.job_id AND w.enabled AND w.schedule IS NOT NULL
           WHERE s.disabled_at IS NULL AND (NOT $1 OR (w.schedule LIKE '%@after%' AND s.next_run_at IS NOT NULL))""",
        ["bool"],
    ),
    "new_id": ("SELECT nextval('@extschema@.worker_inbox_request_id_seq') AS id", []),
    "move_lowest_open_run": (
        """UPDATE @extschema@.worker_state w
           SET lowest_open_run = greatest(
               w.lowest_open_run,
               (SELECT coalesce(min(l.jl_id) FILTER (WHERE l.state = 'running'), max(l.jl_id) + 1)
                FROM @extschema@.job_log l WHERE l.jl_id >= w.lowest_open_run))
           WHERE w.only_row IN (SELECT u.only_row FROM @extschema@.worker_state u FOR UPDATE SKIP LOCKED)""",
        [],
    ),
    "due": (
        # A job that is gone has no role; when it is claimed it is found to be gone.
        """SELECT s.job_id, date_part('epoch', s.next_run_at) AS due,
               coalesce(j.rolname, '') AS rolname, coalesce(j.datname, '') AS datname, j.server
           FROM @extschema@.job_state s LEFT JOIN ONLY @extschema@.job j ON j.job_id = s.job_id
           WHERE s.next_run_at <= to_timestamp($1) AND (s.next_run_at, s.job_id) >= (to_timestamp($3), $4)
               AND coalesce(j.rolname, '') <> ALL ($5)
           ORDER BY s.next_run_at, s.job_id LIMIT $2""",
        ["float8", "int4", "float8", "int8", "name[]"],
    ),
    "places_due": (
        """SELECT r.oid AS role_oid, j.rolname, j.datname, j.server
           FROM (SELECT s.job_id FROM @extschema@.job_state s
                 WHERE s.next_run_at <= to_timestamp($1) AND (s.next_run_at, s.job_id) >= (to_timestamp($3), $4)
                 ORDER BY s.next_run_at, s.job_id LIMIT $2) s
           JOIN ONLY @extschema@.job j ON j.job_id = s.job_id
           JOIN pg_roles r ON r.rolname = j.rolname
           WHERE j.server IS NOT NULL OR EXISTS (SELECT FROM pg_database d WHERE d.datname = j.datname)""",
        ["float8", "int4", "float8", "int8"],
    ),
    "claim_due": (
        # Of two columns of the same name the later one counts: a job that is gone still has its number.
        """SELECT w.*, s.job_id, nextval('@extschema@.worker_inbox_request_id_seq') AS jl_id, 'schedule' AS cause,
               date_part('epoch', s.next_run_at) AS scheduled_at,
               date_part('epoch', s.schedule_set_at) AS state_set_at, s.quarantined_reason
           FROM @extschema@.job_state s LEFT JOIN @extschema@.job_for_worker w ON w.job_id = s.job_id
           WHERE s.job_id = ANY ($1) AND s.next_run_at <= to_timestamp($2)""",
        ["int8[]", "float8"],
    ),
    "next_due": (
        """SELECT date_part('epoch', s.next_run_at) AS due, s.job_id FROM @extschema@.job_state s
           WHERE s.next_run_at IS NOT NULL AND (s.next_run_at, s.job_id) >= (to_timestamp($1), $2)
           ORDER BY s.next_run_at, s.job_id LIMIT 1""",
        ["float8", "int8"],
    ),
    "next_due_of_others": (
        """SELECT date_part('epoch', s.next_run_at) AS due
           FROM @extschema@.job_state s LEFT JOIN ONLY @extschema@.job j ON j.job_id = s.job_id
           WHERE s.next_run_at IS NOT NULL AND (s.next_run_at, s.job_id) >= (to_timestamp($1), $2)
               AND coalesce(j.rolname, '') <> ALL ($3)
           ORDER BY s.next_run_at, s.job_id LIMIT 1""",
        ["float8", "int8", "name[]"],
    ),
    "messages": (
        # One that is the worker no more, and has not noticed yet, leaves them to the other one.
        """DELETE FROM @extschema@.worker_request i
           WHERE i.kind <> 'run' AND EXISTS (SELECT FROM @extschema@.worker_state w WHERE w.pid = pg_backend_pid())
           RETURNING i.kind, coalesce(i.jl_id, i.job_id) AS number, i.request_id""",
        [],
    ),
    "requests": (
        """SELECT i.request_id, i.job_id, date_part('epoch', i.requested_at) AS due,
               coalesce(j.rolname, '') AS rolname, coalesce(j.datname, '') AS datname, j.server
           FROM @extschema@.worker_request i LEFT JOIN @extschema@.job j ON j.job_id = i.job_id
           WHERE i.kind = 'run' AND i.request_id > $1 AND coalesce(j.rolname, '') <> ALL ($3)
           ORDER BY i.request_id LIMIT $2""",
        ["int8", "int4", "name[]"],
    ),
    "claim_requests": (
        """SELECT w.*, i.job_id, i.request_id AS jl_id, i.cause, i.attempt, i.caused_by, i.withdrawn,
               date_part('epoch', coalesce(i.scheduled_at, i.requested_at)) AS scheduled_at, s.quarantined_reason
           FROM @extschema@.worker_request i LEFT JOIN @extschema@.job_for_worker w ON w.job_id = i.job_id
           LEFT JOIN @extschema@.job_state s ON s.job_id = i.job_id
           WHERE i.request_id = ANY ($1)""",
        ["int8[]"],
    ),
    "take_requests": (
        """WITH taken AS (DELETE FROM @extschema@.worker_request i WHERE i.request_id = ANY ($1)
                         RETURNING i.job_id)
           DELETE FROM @extschema@.once_job o USING taken t WHERE o.job_id = t.job_id""",
        ["int8[]"],
    ),
    "withdraw": (
        """UPDATE @extschema@.worker_request i SET withdrawn = true
           WHERE i.request_id = ANY ($1) AND i.kind = 'run'""",
        ["int8[]"],
    ),
    "define": (
        """INSERT INTO @extschema@.job_state (job_id, schedule_set_at, next_run_at)
           SELECT j.job_id, j.schedule_set_at, j.first_run_at FROM @extschema@.job j WHERE j.job_id = ANY ($1)
           ON CONFLICT (job_id) DO UPDATE
               SET schedule_set_at = excluded.schedule_set_at,
                   next_run_at = CASE WHEN job_state.schedule_set_at = excluded.schedule_set_at
                                      THEN job_state.next_run_at ELSE excluded.next_run_at END,
                   disabled_at = CASE WHEN job_state.schedule_set_at = excluded.schedule_set_at
                                      THEN job_state.disabled_at END,
                   quarantined_reason = NULL, quarantined_since = NULL
               WHERE job_state.schedule_set_at <> excluded.schedule_set_at OR job_state.quarantined_reason IS NOT NULL
           RETURNING date_part('epoch', next_run_at) AS due""",
        ["int8[]"],
    ),
    "begin_statistic": (
        """INSERT INTO @extschema@.job_statistic (job_id)
           SELECT j.job_id FROM ONLY @extschema@.job j WHERE j.job_id = ANY ($1) ON CONFLICT (job_id) DO NOTHING""",
        ["int8[]"],
    ),
    "forget": (
        """WITH forgotten AS (
               DELETE FROM @extschema@.job_state s
               WHERE s.job_id = ANY ($1) AND NOT EXISTS (SELECT FROM @extschema@.job j WHERE j.job_id = s.job_id)
               RETURNING s.job_id)
           DELETE FROM @extschema@.job_statistic s USING forgotten f WHERE s.job_id = f.job_id""",
        ["int8[]"],
    ),
    "advance": (
        """UPDATE @extschema@.job_state s SET next_run_at = to_timestamp(n.due)
           FROM unnest($1, $2) n (job_id, due) WHERE s.job_id = n.job_id AND s.job_id = ANY ($1)""",
        ["int8[]", "float8[]"],
    ),
    "quarantine": (
        """UPDATE @extschema@.job_state s
           SET quarantined_reason = q.reason,
               quarantined_since = CASE WHEN q.reason IS NOT NULL THEN coalesce(s.quarantined_since, now()) END
           FROM unnest($1, $2) q (job_id, reason) WHERE s.job_id = q.job_id""",
        ["int8[]", "text[]"],
    ),
    "log_started": (LOG_STARTED, ["@extschema@.started_run[]"]),
    "log_new": (f"{LOG_STARTED} ON CONFLICT DO NOTHING RETURNING jl_id", ["@extschema@.started_run[]"]),
    "log_ended": (
        """UPDATE @extschema@.job_log l
           SET state = r.state, job_started = to_timestamp(r.started), job_finished = to_timestamp(r.finished),
               job_sqlstate = r.sqlstate, exception_message = r.message, exception_detail = r.detail,
               exception_hint = r.hint, exception_context = r.context, command_tag = r.command_tag,
               row_count = r.row_count, notices = r.notices, missed_count = r.missed_count,
               missed_until = to_timestamp(r.missed_until), cpu_time = make_interval(secs => r.cpu_time),
               bytes_read = r.bytes_read, bytes_written = r.bytes_written
           FROM unnest($2) r
           WHERE l.jl_id = r.jl_id AND l.jl_id = ANY ($1)""",
        ["int8[]", "@extschema@.ended_run[]"],
    ),
    "count": COUNT,
    "prune_age": (
        # Runs that last as long as this are passed over, and found again when they have ended.
        """WITH oldest AS MATERIALIZED (
               SELECT l.jl_id, l.job_finished < to_timestamp($2) AS old FROM @extschema@.job_log l
               WHERE l.jl_id >= $1 AND l.state <> 'running' ORDER BY l.jl_id LIMIT $3),
           gone AS (
               DELETE FROM @extschema@.job_log l USING oldest o WHERE o.old AND l.jl_id = o.jl_id RETURNING l.jl_id)
           SELECT (SELECT count(*) FROM gone) AS gone,
               least(w.lowest_open_run, coalesce((SELECT min(o.jl_id) FROM oldest o WHERE NOT o.old),
                                                 (SELECT max(o.jl_id) + 1 FROM oldest o), $1)) AS lowest
           FROM @extschema@.worker_state w""",
        ["int8", "float8", "int4"],
    ),
    "overfull_jobs": (
        """SELECT s.job_id, s.log_rows > w.log_max_rows AS overfull
           FROM @extschema@.job_statistic s, @extschema@.worker_setting w
           WHERE s.job_id > $1 ORDER BY s.job_id LIMIT $2""",
        ["int8", "int4"],
    ),
    "prune_rows": (
        """WITH job AS MATERIALIZED (
               SELECT s.job_id, s.oldest_run,
                   (SELECT l.jl_id FROM @extschema@.job_log l WHERE l.job_id = s.job_id
                    ORDER BY l.jl_id DESC OFFSET $2 LIMIT 1) AS newest
               FROM @extschema@.job_statistic s WHERE s.job_id = ANY ($1)),
           surplus AS MATERIALIZED (
               SELECT j.job_id, l.jl_id FROM job j CROSS JOIN LATERAL (
                   SELECT o.jl_id FROM @extschema@.job_log o
                   WHERE o.job_id = j.job_id AND o.jl_id BETWEEN j.oldest_run AND j.newest AND o.state <> 'running'
                   ORDER BY o.jl_id LIMIT $3) l),
           gone AS (DELETE FROM @extschema@.job_log l USING surplus o WHERE l.jl_id = o.jl_id)
           UPDATE @extschema@.job_statistic s
           SET log_rows = CASE WHEN r.rows < $3 THEN $2 ELSE s.log_rows END,
               oldest_run = greatest(s.oldest_run, least(w.lowest_open_run, coalesce(r.last + 1, 0)))
           FROM (SELECT j.job_id, count(o.jl_id) AS rows, max(o.jl_id) AS last
                 FROM job j LEFT JOIN surplus o ON o.job_id = j.job_id GROUP BY j.job_id) r,
                @extschema@.worker_state w
           WHERE s.job_id = r.job_id
           RETURNING s.job_id, r.rows AS gone""",
        ["int8[]", "int4", "int4"],
    ),
    "run_again": (
        """UPDATE @extschema@.job_state s SET next_run_at = least(s.next_run_at, to_timestamp(r.due))
           FROM unnest($1, $2, $3) r (job_id, due, schedule_set_at)
           WHERE s.job_id = r.job_id AND s.job_id = ANY ($1) AND s.schedule_set_at = to_timestamp(r.schedule_set_at)
               AND s.disabled_at IS NULL""",
        ["int8[]", "float8[]", "float8[]"],
    ),
    "pg_cancel_backend": ("SELECT pg_cancel_backend($1)", ["int4"]),
    "pg_terminate_backend": ("SELECT pg_terminate_backend($1)", ["int4"]),
    "prepare_runner": ("SELECT @extschema@.prepare_runner($1, $2) AS runner", ["oid", "text"]),
    "server_login": (
        """SELECT l.obstacle, l.parameters::text AS parameters, l.password_required, l.version
           FROM @extschema@.server_login($1, $2) l""",
        ["name", "oid"],
    ),
    "runners": (
        """SELECT format('DROP ROLE %I', r.rolname) AS drop_it,
               format('ALTER ROLE %I NOLOGIN PASSWORD NULL', r.rolname) AS shut_it
           FROM pg_roles r, pg_database d
           WHERE d.datname = current_database() AND r.rolname ~ ('^elephant_worker_' || d.oid || '_[0-9]+$')""",
        [],
    ),
    "table_rows": (
        """SELECT '@extschema@.' || c.relname AS name, c.reltuples::float8 AS rows FROM pg_class c
           WHERE c.relnamespace = '@extschema@'::regnamespace AND c.relkind = 'r'""",
        [],
    ),
    "default_settings": ("INSERT INTO @extschema@.worker_setting DEFAULT VALUES", []),
    "connections": (
        "SELECT count(*) AS connections FROM pg_stat_get_activity(NULL) a WHERE a.backend_type = 'client backend'",
        [],
    ),
    "start_worker": ("SELECT @extschema@.start_worker()", []),
    "drop_kept_objects": ("SELECT @extschema@.drop_kept_objects()", []),
    "installed": ("SELECT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'elephant_worker') AS installed", []),
    "server": (
        """SELECT current_setting('port') AS port, current_setting('listen_addresses') AS listen_addresses,
               current_setting('data_directory') AS data_directory, current_database()::text AS datname,
               current_user::text AS rolname, r.oid AS role_oid,
               (SELECT sum(CASE WHEN c.name = 'max_connections' THEN 1 ELSE -1 END * c.setting::int8)::int8
                FROM pg_settings c
                WHERE c.name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections'))
                   AS max_connections
           FROM pg_roles r WHERE r.rolname = current_user""",
        [],
    ),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings, and whether something has been put into the inbox."""

    max_running_jobs: int
    max_running_jobs_per_role: int | None
    max_idle_sessions: int
    spare_connections: int
    connect_as: str
    conninfo: str
    session_idle_time: float
    session_lifetime: float
    cancel_grace: float
    start_grace: float
    paused: bool
    overrun_factor: float | None
    log_max_age: float | None
    log_max_rows: int | None
    measure_cost: bool
    version: str
    inbox: bool


@dataclass(frozen=True, slots=True)
class SpareStatus:
    """The worker that there is, and whether there should be one."""

    worker: int | None
    armed: bool | None


@dataclass(frozen=True, slots=True)
class Server:
    """The server, as one of its sessions sees it."""

    port: str
    listen_addresses: str
    data_directory: str
    datname: str
    rolname: str
    role_oid: int
    # Of ordinary roles.
    max_connections: int


@dataclass(frozen=True, slots=True)
class ServerLogin:
    """How a role logs in on a foreign server: parameters of libpq, with secrets."""

    obstacle: str | None
    parameters: dict[str, str] = field(repr=False)
    # Whether the server there must ask for the password.
    password_required: bool
    # Another one where anything has changed.
    version: str


LONG_AGO = float("-inf")
# How much of what waits is read at once: the more it is, the more runs of one role follow each other in its
# sessions. While roles have as many runs as they may, it is read again for each run of theirs that ends.
LOOKAHEAD = 10000
LOOKAHEAD_OF_OTHERS = 1000
# While there is more than can be done, what has become due since is read so often, in seconds.
EXTEND_AFTER = 0.1
# How many rows are written before all statements are planned anew, and then twice as many each time.
FEW_ROWS = 1000
# Above all numbers of jobs.
NO_JOB = 2**63 - 2


class Store:
    """The statements, prepared when they are first used."""

    def __init__(self, plpy: Any, schema: str) -> None:
        self._plpy = plpy
        self.schema = schema
        self._plans: dict[str, Any] = {}
        self._open = False
        self.backlog = RunQueue()
        # How many rows have been written to each table since it was vacuumed.
        self.written: Counter[str] = Counter()
        self._rows_written = 0
        self._plan_again = FEW_ROWS
        self.forget_scan_start()

    def forget_scan_start(self) -> None:
        """Look for due jobs from the very beginning next time.

        What has been due leaves dead entries at the front of the index, which VACUUM removes at
        its leisure; so the search begins where the first job was found last time.
        """
        self._scan_start = LONG_AGO, 0
        self.backlog.forget()

    def _due_again(self, job_id: int, due: float, target: Names) -> None:
        """Note when a job is due from now on."""
        self._scan_start = min(self._scan_start, (due, job_id))
        self.backlog.due_again(job_id, due, target)

    def _due_at(self, due_times: Iterable[float | None]) -> None:
        """Note that some jobs are due at these times from now on."""
        first = min((due for due in due_times if due is not None), default=None)
        if first is not None:
            self._scan_start = min(self._scan_start, (first, 0))
            if first <= self.backlog.until[0]:
                self.backlog.forget()

    def execute(self, statement: Statement, *values: Any) -> Any:
        """Execute a statement; its rows."""
        text, types = statement
        plan = self._plans.get(text)
        if plan is None:
            plan = self._plans[text] = self._plpy.prepare(
                text.replace("@extschema@", self.schema), [name.replace("@extschema@", self.schema) for name in types]
            )
        self._open = True
        return self._plpy.execute(plan, values)

    def _rows(self, name: str, *values: Any) -> Any:
        rows = self.execute(STATEMENTS[name], *values)
        for table in WRITES.get(name, ()):
            self._write(table, len(values[0] if values else rows))
        return rows

    def _write(self, table: str, rows: int) -> None:
        self.written[f"{self.schema}.{table}"] += rows
        self._rows_written += rows
        if self._rows_written >= self._plan_again:
            # PostgreSQL keeps a plan until ANALYZE comes by. Those of a time when the tables were small, or empty,
            # read the whole table for a row; a new plan knows how large it is now.
            self._plan_again = 2 * self._rows_written
            self._plans.clear()

    def commit(self) -> None:
        """End the transaction, if there is one: between turns the worker holds no snapshot."""
        if self._open:
            self._open = False
            self._plpy.commit()

    def rollback(self) -> None:
        self._open = False
        self.forget_scan_start()
        self._plpy.rollback()

    # --- the worker -------------------------------------------------------------------------

    def pulse(self) -> Settings:
        """The settings, and what else the worker looks at now and then."""
        rows = self._rows("pulse")
        if not rows:
            self._rows("default_settings")
            rows = self._rows("pulse")
        return Settings(**rows[0])

    def server(self) -> Server:
        return Server(**self._rows("server")[0])

    def register(self, host: str, attended: bool) -> int | None:
        """Become the worker, unless it was stopped and nobody attends; the process id of the one there is."""
        self._rows("lock_state")
        other: int | None = self._rows("worker_pid")[0]["pid"]
        if other is None and (attended or self._rows("is_armed")[0]["armed"]):
            self._rows("register", host)
            self._rows("forget_stop")  # was for an earlier worker
        return other

    def worker_pid(self) -> int | None:
        pid: int | None = self._rows("worker_pid")[0]["pid"]
        self.commit()
        return pid

    def has_spare(self) -> bool:
        return bool(self._rows("spare_pid"))

    def register_spare(self) -> int | None:
        """Become the spare; the process id of the one there is, where there is one."""
        self._rows("lock_state")
        rows = self._rows("spare_pid")
        if rows:
            other: int = rows[0]["pid"]
            return other
        self._rows("register_spare")
        return None

    def let_server_act(self) -> None:
        """A call into PostgreSQL, which acts then on what it has been told."""
        self._rows("nothing")
        self.commit()

    def spare_status(self) -> SpareStatus | None:
        """What the spare goes by; None where this process is not the spare of this version any more."""
        rows = self._rows("spare_status", VERSION)
        return SpareStatus(**rows[0]) if rows else None

    def unregister(self) -> None:
        self._rows("unregister")

    def start_worker(self) -> None:
        self._rows("start_worker")

    def drop_kept_objects(self) -> None:
        """Drop what an update has left to the worker before this one."""
        self._rows("drop_kept_objects")

    def installed(self) -> bool:
        """Whether the extension is still there."""
        return bool(self._rows("installed")[0]["installed"])

    def recover_orphaned_runs(self) -> list[Job]:
        """End the sessions and the runs that an earlier worker has left; the jobs that waited for such
        a run to end before they are due again."""
        self._rows("close_lost")
        self._rows("log_lost", LAST_STATES)
        return [Job(cause="schedule", **row) for row in self._rows("stranded")]

    def enqueue_reboot_jobs(self) -> None:
        """Have the @reboot jobs run, where the server has been started since they last were."""
        self._rows("reboot")

    def newest_moment(self) -> float | None:
        """The moment of the last entry of the log."""
        rows = self._rows("newest_log_row")
        return rows[0]["moment"] if rows else None

    def waiting(self, after_only: bool) -> list[Job]:
        """All jobs that have a schedule, or those only that wait as @after says."""
        return [Job(cause="schedule", **row) for row in self._rows("waiting", after_only)]

    def table_rows(self) -> dict[str, float]:
        """How many rows the tables have, as far as is known."""
        return {row["name"]: row["rows"] for row in self._rows("table_rows")}

    def is_registered(self) -> bool:
        """Whether this is the worker of its database still."""
        return bool(self._rows("is_registered")[0]["registered"])

    def new_id(self) -> int:
        """A number for a row of the log."""
        number: int = self._rows("new_id")[0]["id"]
        return number

    def move_lowest_open_run(self) -> None:
        self._rows("move_lowest_open_run")

    # --- jobs -------------------------------------------------------------------------------

    def fill_backlog(self, now: float, left_out: set[str], taken: Sequence[QueuedRun] = ()) -> None:
        """Read what waits, but for the jobs of some roles and what has been taken already."""
        limit = LOOKAHEAD_OF_OTHERS if left_out else LOOKAHEAD
        due, until = self._read_due(now, limit, self._scan_start, left_out)
        known = {(entry.job_id, entry.request_id) for entry in taken}
        waiting = [*due, *self._requests(0, left_out)]
        self.backlog.fill(
            (entry for entry in waiting if (entry.job_id, entry.request_id) not in known), left_out, until
        )

    def extend_backlog(self, now: float) -> None:
        """Read what has become due since, now and then."""
        backlog = self.backlog
        until, last = backlog.until
        if now - until >= EXTEND_AFTER and len(backlog) <= LOOKAHEAD / 2:
            due, backlog.until = self._read_due(now, LOOKAHEAD, (until, last + 1), backlog.left_out)
            backlog.add(due)

    def _read_due(
        self, now: float, limit: int, first: tuple[float, int], left_out: set[str]
    ) -> tuple[list[QueuedRun], tuple[float, int]]:
        """What is due, from one due time and job on; and up to which it has been read."""
        due = [QueuedRun(**row) for row in self._rows("due", now, limit, *first, list(left_out))]
        return due, due[-1].order if len(due) == limit else (now, NO_JOB)

    def targets_due(self, until: float, limit: int) -> list[Target]:
        """Where the jobs run that are due until then."""
        return [Target(**row) for row in self._rows("places_due", until, limit, *self._scan_start)]

    def add_requests(self) -> None:
        """Read the requests to run that have come since the backlog was filled.

        One that another has overtaken on its way here is found when the backlog is filled again.
        """
        if len(self.backlog) < LOOKAHEAD:
            self.backlog.add(self._requests(self.backlog.last_request, self.backlog.left_out))

    def _requests(self, after: int, left_out: set[str]) -> list[QueuedRun]:
        return [QueuedRun(**row) for row in self._rows("requests", after, LOOKAHEAD, list(left_out))]

    def claim(self, waiting: Sequence[QueuedRun], now: float) -> list[Job]:
        """What of it is due or asked for still; the requests are taken out of the inbox."""
        due = [entry.job_id for entry in waiting if entry.request_id is None]
        requests = [entry.request_id for entry in waiting if entry.request_id is not None]
        rows = [*(self._rows("claim_due", due, now) if due else ())]
        if requests:
            rows += self._rows("claim_requests", requests)
            self._rows("take_requests", requests)
        return sorted((Job(**row) for row in rows), key=lambda job: (job.scheduled_at, job.job_id))

    def next_due(self, left_out: set[str]) -> float | None:
        """When the next job is due, but for those of some roles."""
        if left_out:
            rows = self._rows("next_due_of_others", *self._scan_start, list(left_out))
            return rows[0]["due"] if rows else None
        rows = self._rows("next_due", *self._scan_start)
        if not rows:
            return None
        self._scan_start = rows[0]["due"], rows[0]["job_id"]
        return self._scan_start[0]

    def messages(self) -> dict[str, dict[int, int]]:
        """Take what is in the inbox, but for requests to run.

        By kind of message: the jobs or runs, each with the number of its last message. What has a
        lower number than a message came before it.
        """
        messages: dict[str, dict[int, int]] = defaultdict(dict)
        for row in self._rows("messages"):
            numbers = messages[row["kind"]]
            numbers[row["number"]] = max(row["request_id"], numbers.get(row["number"], 0))
        return messages

    def withdraw(self, jl_ids: Sequence[int]) -> None:
        """Have requests to run end, when their turn comes, as cancelled."""
        self._rows("withdraw", jl_ids)

    def define(self, job_ids: Sequence[int]) -> None:
        """Follow what has been defined, changed or deleted."""
        self._due_at(row["due"] for row in self._rows("define", job_ids))
        self._rows("begin_statistic", job_ids)
        self._rows("forget", job_ids)

    def advance(self, next_run_at: dict[int, float | None], claimed: Sequence[QueuedRun] = ()) -> None:
        """Have jobs be due at other times: those that have been claimed, or any."""
        self._rows("advance", list(next_run_at), list(next_run_at.values()))
        again = {entry.job_id: entry for entry in claimed if entry.request_id is None}
        self._due_at(due for job_id, due in next_run_at.items() if job_id not in again)
        for job_id, due in next_run_at.items():
            if due is not None and (entry := again.get(job_id)) is not None:
                self._due_again(job_id, due, entry.target)

    def quarantine(self, reasons: dict[int, str | None]) -> None:
        self._rows("quarantine", list(reasons), list(reasons.values()))

    # --- runs -------------------------------------------------------------------------------

    def log_started(self, runs: Sequence[Run]) -> list[Run]:
        """Begin the log of runs; returns those whose due time the log has already, which must not run."""
        begun = [
            (
                run.jl_id,
                run.job_id,
                *run.target.names,
                run.cause,
                run.scheduled_at,
                run.attempt,
                run.caused_by,
                run.command,
            )
            for run in runs
        ]
        try:
            self._rows("log_started", begun)
        except self._plpy.spiexceptions.UniqueViolation:
            # This looks for each of them before it inserts it, which takes longer.
            logged = {row["jl_id"] for row in self._rows("log_new", begun)}
            return [run for run in runs if run.jl_id not in logged]
        return []

    def log_ended(self, runs: Sequence[Run]) -> list[int]:
        """Complete the log of runs, and count them; returns the jobs with more rows than they may keep."""
        self._rows("log_ended", [run.jl_id for run in runs], [_ended(run) for run in runs])
        self.run_again(runs)
        tallies = tally(runs)
        overfull = self._rows("count", list(tallies), rows(tallies), LAST_STATES, SAMPLES)
        return [row["job_id"] for row in overfull]

    def run_again(self, runs: Sequence[Run]) -> None:
        """Have the jobs be due again that waited for these runs to end."""
        again = [run for run in runs if run.again_at is not None]
        if again:
            self._rows(
                "run_again",
                [run.job_id for run in again],
                [run.again_at for run in again],
                [run.schedule_set_at for run in again],
            )
            for run in again:
                self._due_again(run.job_id, run.again_at or 0.0, run.target.names)

    # --- the log's length -------------------------------------------------------------------

    def prune_age(self, lowest: int, before: float, limit: int) -> tuple[int, int]:
        """Delete the oldest rows that ended before this moment, from this one on; returns how many, and
        from which on the next ones are."""
        row = self._rows("prune_age", lowest, before, limit)[0]
        self._write("job_log", row["gone"])
        return row["gone"], row["lowest"]

    def overfull_jobs(self, after: int, limit: int) -> tuple[int | None, list[int]]:
        """Of the jobs after this one, those with more rows than they may keep; and up to which they have
        been looked at, None: all of them."""
        rows = self._rows("overfull_jobs", after, limit)
        last = rows[-1]["job_id"] if len(rows) == limit else None
        return last, [row["job_id"] for row in rows if row["overfull"]]

    def prune_rows(self, job_ids: Sequence[int], kept: int, limit: int) -> list[int]:
        """Delete the oldest rows of each of these jobs beyond the number to keep; returns the jobs that
        had more of them than the limit."""
        rows = self._rows("prune_rows", job_ids, kept, limit)
        self._write("job_log", sum(row["gone"] for row in rows))
        return [row["job_id"] for row in rows if row["gone"] == limit]

    # --- sessions ---------------------------------------------------------------------------

    def signal(self, function: str, pid: int) -> None:
        """Call pg_cancel_backend or pg_terminate_backend."""
        self._rows(function, pid)

    def prepare_runner(self, role_oid: int, verifier: str) -> str:
        runner: str = self._rows("prepare_runner", role_oid, verifier)[0]["runner"]
        return runner

    def server_login(self, server: str, role_oid: int) -> ServerLogin:
        """How a role logs in on a foreign server."""
        row = self._rows("server_login", server, role_oid)[0]
        return ServerLogin(**{**row, "parameters": json.loads(row["parameters"] or "{}")})

    def drop_runners(self) -> None:
        """Drop the login roles of this database's worker, also once the extension is gone."""
        for row in self._rows("runners"):
            try:
                self._plpy.execute(row["drop_it"])
            except self._plpy.SPIError:
                # A run has left something that belongs to it: that stays, the door is shut.
                try:
                    self._plpy.execute(row["shut_it"])
                except self._plpy.SPIError as error:
                    # Somebody keeps it locked; it cannot log in for long.
                    self._plpy.warning(f"elephant_worker could not {row['shut_it']}: {error}")

    def connections(self) -> int:
        """How many sessions the server has."""
        return int(self._rows("connections")[0]["connections"])


def _ended(run: Run) -> tuple[Any, ...]:
    """What the log says of the end of a run, as the type ended_run has it."""
    outcome, cost = run.outcome, run.cost
    assert outcome is not None
    return (
        run.jl_id,
        outcome.state,
        run.started,
        run.finished,
        outcome.sqlstate,
        outcome.message,
        outcome.detail,
        outcome.hint,
        outcome.context,
        outcome.command_tag,
        outcome.row_count,
        outcome.notices,
        run.missed_count,
        run.missed_until,
        cost and cost.cpu_time,
        cost and cost.bytes_read,
        cost and cost.bytes_written,
    )
