"""The server, as the worker sees it from its session: settings, backends, the extension itself."""

from __future__ import annotations

from collections.abc import Sequence

from ..jobs.run import Gate
from ..records import record
from .spi import Spi, Statement

READ = Statement(
    """SELECT current_setting('port') AS port, current_setting('listen_addresses') AS listen_addresses,
           current_setting('data_directory') AS data_directory, current_database()::text AS datname,
           current_user::text AS rolname, r.oid AS role_oid, @internal@.ordinary_connections() AS max_connections
       FROM pg_roles r WHERE r.rolname = current_user"""
)


@record(frozen=True)
class Server:
    """Settings of the server that stay the same as long as it runs, and whom the worker's session belongs to."""

    port: str
    listen_addresses: str
    data_directory: str
    datname: str
    rolname: str
    role_oid: int
    # For ordinary roles.
    max_connections: int


def read(spi: Spi) -> Server:
    """The server of this session."""
    return Server(**spi.execute(READ)[0])


CATALOG_NAME = Statement("SELECT convert_to($1, getdatabaseencoding()) AS name", "text")


def catalog_name(spi: Spi, name: str) -> bytes:
    """The bytes of a name of a role or database. They are the same in all databases, whatever their encoding."""
    return name.encode() if name.isascii() else bytes(spi.execute(CATALOG_NAME, name)[0]["name"])


EXTENSION = Statement("SELECT e.oid::int8 AS oid FROM pg_extension e WHERE e.extname = 'elephant_worker'")


def extension(spi: Spi) -> int | None:
    """The OID of the extension, which is another one after a restore; None if it has been dropped."""
    rows = spi.execute(EXTENSION)
    return rows[0]["oid"] if rows else None


def is_installed(spi: Spi) -> bool:
    """Whether the extension is still there."""
    return extension(spi) is not None


DROP_KEPT_OBJECTS = Statement("SELECT @internal@.drop_kept_objects()")


def drop_kept_objects(spi: Spi) -> None:
    """Drop what an update has left to the worker of the earlier version."""
    spi.execute(DROP_KEPT_OBJECTS)


IS_STANDBY = Statement("SELECT pg_is_in_recovery() AS standby")


def is_standby(spi: Spi) -> bool:
    """Whether the server is a standby, or has not been promoted to the end yet."""
    return bool(spi.execute(IS_STANDBY)[0]["standby"])


NOTHING = Statement("SELECT")


def let_server_act(spi: Spi) -> None:
    """A call into PostgreSQL, during which it acts on what it has been told: to shut down, for example."""
    spi.execute(NOTHING)
    spi.commit()


# Within a transaction the server shows the sessions of the moment when it was first asked for them.
LOOK_ANEW = Statement("SELECT pg_stat_clear_snapshot()")
CONNECTIONS = Statement(
    "SELECT count(*) AS connections FROM pg_stat_get_activity(NULL) a WHERE a.backend_type = 'client backend'"
)


def connections(spi: Spi) -> int:
    """How many sessions of clients the server has."""
    spi.execute(LOOK_ANEW)
    return int(spi.execute(CONNECTIONS)[0]["connections"])


SESSIONS_OF_SUPERUSERS = Statement(
    """SELECT a.application_name AS name FROM pg_stat_get_activity(NULL) a
       WHERE starts_with(a.application_name, $1) AND a.usesysid IN (SELECT r.oid FROM pg_roles r WHERE r.rolsuper)""",
    "text",
)


def sessions_of_superusers(spi: Spi, beginning: str) -> list[str]:
    """What those sessions of superusers call themselves whose name begins like this."""
    return [row["name"] for row in spi.execute(SESSIONS_OF_SUPERUSERS, beginning)]


ROLE_OID = Statement("SELECT r.oid FROM pg_roles r WHERE r.rolname = $1", "name")


def role_oid(spi: Spi, role: str) -> int:
    """The number of a role."""
    return int(spi.execute(ROLE_OID, role)[0]["oid"])


# Roles and databases may have been named elsewhere, in no valid encoding. Such a name must not get into Python:
# PL/Python of PostgreSQL 18 crashes the server then.
GATE_NAME = Statement(
    """SELECT CASE WHEN convert_to(n.name::text, getdatabaseencoding()) IS NOT NULL THEN n.name::text END AS name
       FROM (SELECT r.rolname FROM pg_roles r WHERE $1 = 'pg_authid' AND r.oid = $2
             UNION ALL SELECT d.datname FROM pg_database d WHERE $1 = 'pg_database' AND d.oid = $2) n (name)""",
    *("text", "oid"),
)


def _gate(spi: Spi, catalog: str, oid: int) -> Gate | None:
    """A role or database; None if its name is none that a job could have."""
    try:
        with spi.subtransaction():
            rows = spi.execute(GATE_NAME, catalog, oid)
    except spi.exceptions.CharacterNotInRepertoire:
        return None
    return Gate(catalog, rows[0]["name"]) if rows else None


# What drops, renames or copies a database, or moves it to another tablespace, locks it so that nobody can connect, and
# then waits for those who are; in vain for this one, in which the worker itself always is. PostgreSQL asks for the lock
# before it looks at privileges: so anybody can wait for it, behind a lock that anybody can hold
# (ALTER ROLE ... IN DATABASE), and nobody can connect meanwhile either.
LOCKED_DATABASES = Statement(
    """SELECT d.oid, bool_or(l.granted AND d.datname <> current_database()) AS is_to_be_left
       FROM pg_locks l JOIN pg_database d ON d.oid = l.objid
       WHERE l.locktype = 'object' AND l.classid = 'pg_database'::regclass
           AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
       GROUP BY d.oid"""
)


def locked_databases(spi: Spi) -> dict[Gate, bool]:
    """The databases to which nobody can connect until somebody is done with them, and whether that one waits for those
    who are connected."""
    rows = ((_gate(spi, "pg_database", row["oid"]), row["is_to_be_left"]) for row in spi.execute(LOCKED_DATABASES))
    return {gate: is_to_be_left for gate, is_to_be_left in rows if gate is not None}


# A limit of 0 is an obstacle: no run waits for that to end. Superusers pass all limits; runners are none. Neither
# walsenders nor autovacuum count (since the minor releases of February 2025).
ROOM = Statement(
    """SELECT 'pg_database' AS catalog, d.oid, d.datconnlimit - (
               SELECT count(*) FROM pg_stat_get_activity(NULL) a
               WHERE a.datid = d.oid AND a.backend_type = 'client backend') AS room
       FROM pg_database d WHERE d.datconnlimit > 0
       UNION ALL
       SELECT 'pg_authid', r.oid, r.rolconnlimit - (
               SELECT count(*) FROM pg_stat_get_activity(NULL) a
               WHERE a.usesysid = r.oid AND a.backend_type = 'client backend')
       FROM pg_roles r WHERE $1 AND r.rolconnlimit > 0 AND NOT r.rolsuper""",
    "bool",
)


def room(spi: Spi, of_roles: bool) -> dict[Gate, int]:
    """How many more sessions may be opened in each database, or also of each role, that has a CONNECTION LIMIT."""
    spi.execute(LOOK_ANEW)
    rooms = {_gate(spi, row["catalog"], row["oid"]): int(row["room"]) for row in spi.execute(ROOM, of_roles)}
    return {gate: room for gate, room in rooms.items() if gate is not None}


# A pooler may have given the process to somebody else meanwhile.
SIGNALS = {
    "pg_cancel_backend": Statement(
        """SELECT pg_cancel_backend(a.pid) FROM pg_stat_get_activity($1) a
           WHERE a.usesysid = (SELECT r.oid FROM pg_roles r WHERE r.rolname = $2)""",
        *("int4", "name"),
    ),
    "pg_terminate_backend": Statement(
        """SELECT pg_terminate_backend(a.pid) FROM pg_stat_get_activity($1) a
           WHERE a.usesysid = (SELECT r.oid FROM pg_roles r WHERE r.rolname = $2)""",
        *("int4", "name"),
    ),
}


def signal(spi: Spi, function: str, pid: int, user: str) -> None:
    """Call pg_cancel_backend or pg_terminate_backend for a process in which this user is logged in."""
    spi.execute(SIGNALS[function], pid, user)


NOTIFY = Statement("SELECT pg_notify('elephant_worker', n.payload) FROM unnest($1) n (payload)", "text[]")


def notify(spi: Spi, payloads: Sequence[str]) -> None:
    """Send notifications on the channel elephant_worker."""
    spi.execute(NOTIFY, payloads)


TABLES = Statement(
    """SELECT c.relname::text AS name, format('%s.%I', c.relnamespace::regnamespace, c.relname) AS qualified_name,
              c.reltuples::float8 AS rows
       FROM pg_class c
       WHERE c.relnamespace IN ('@extschema@'::regnamespace, '@internal@'::regnamespace) AND c.relkind = 'r'"""
)


@record(frozen=True)
class Table:
    """A table of the extension: its name with its schema, quoted, and how many rows it has, as far as is known."""

    qualified_name: str
    rows: float


def tables(spi: Spi) -> dict[str, Table]:
    """The tables of the extension by their names, which differ between its schemas."""
    return {row["name"]: Table(row["qualified_name"], row["rows"]) for row in spi.execute(TABLES)}
