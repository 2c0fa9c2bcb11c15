"""The roles as which runs log in: runners on this server, what user mappings say on others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field

from ..records import record
from .spi import Spi, Statement

PREPARE_RUNNER = Statement("SELECT @internal@.prepare_runner($1, $2, $3) AS runner", *("oid", "text", "int4"))


def prepare_runner(spi: Spi, role_oid: int, verifier: str, most: int) -> str:
    """Have a login role that can only become this role, in so many sessions; its name."""
    runner: str = spi.execute(PREPARE_RUNNER, role_oid, verifier, most)[0]["runner"]
    return runner


# What is set by ALTER ROLE or ALTER DATABASE replaces a row, the one of role 0 for all roles in a database.
VERSIONS = Statement(
    """SELECT s.setrole::text AS name,
           string_agg(concat(s.setdatabase, ':', s.xmin), ' ' ORDER BY s.setdatabase) AS version
       FROM pg_db_role_setting s WHERE s.setrole = ANY ($1 || 0::oid) GROUP BY s.setrole
       UNION ALL SELECT r.rolname, r.oid::text FROM pg_authid r WHERE r.rolname = ANY ($2)""",
    *("oid[]", "name[]"),
)


def versions(spi: Spi, runners: Mapping[int, str]) -> dict[int, str]:
    """What changes for a role when its runner is made anew, or settings change that its sessions begin with."""
    rows = spi.execute(VERSIONS, list(runners), list(runners.values()))
    found = {row["name"]: row["version"] for row in rows}
    return {
        role_oid: f"{found.get(runner)} {found.get(str(role_oid))} {found.get('0')}"
        for role_oid, runner in runners.items()
    }


SERVER_LOGIN = Statement(
    """SELECT l.obstacle, l.parameters::text AS parameters, l.password_required, l.is_lenient, l.version
       FROM @internal@.server_login($1, $2) l""",
    *("name", "oid"),
)


@record(frozen=True)
class ServerLogin:
    """How a role logs in on a foreign server: parameters of libpq, with secrets."""

    obstacle: str | None
    parameters: dict[str, str] = field(repr=False)
    # Whether the server there must ask for the password.
    password_required: bool
    # Whether a superuser lets it do so in another way than SCRAM.
    is_lenient: bool
    # Changes whenever something else here does.
    version: str


def server_login(spi: Spi, server: str, role_oid: int) -> ServerLogin:
    """How a role logs in on a foreign server."""
    row = spi.execute(SERVER_LOGIN, server, role_oid)[0]
    return ServerLogin(**{**row, "parameters": json.loads(row["parameters"] or "{}")})


CLOSE_IDLE_RUNNERS = Statement("SELECT @internal@.close_idle_runners()")


def close_idle_runners(spi: Spi) -> None:
    """Let nobody log in through runners that have not been needed for ten minutes."""
    spi.execute(CLOSE_IDLE_RUNNERS)


TERMINATE_RUNNERS = Statement(
    """SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a
       JOIN pg_database d ON d.datname = current_database()
       WHERE a.usename ~ ('^elephant_worker_' || d.oid || '_[0-9]+$')"""
)


def terminate_runners(spi: Spi) -> None:
    """End the sessions that an earlier worker has left."""
    spi.execute(TERMINATE_RUNNERS)


RUNNERS = Statement(
    """SELECT format('DROP ROLE %I', r.rolname) AS drop_it,
           format('ALTER ROLE %I NOLOGIN PASSWORD NULL', r.rolname) AS shut_it
       FROM pg_roles r, pg_database d
       WHERE d.datname = current_database() AND r.rolname ~ ('^elephant_worker_' || d.oid || '_[0-9]+$')"""
)


BE_PATIENT = Statement("SELECT set_config('lock_timeout', $1, true)", "text")
# How long each of them is waited for: whoever grants something to it and does not commit keeps it locked.
DROP_PATIENCE = "10ms"
# Each that is dropped stays locked to the end of the transaction, and the server has room for some thousand locks: who
# may create roles, or restore a dump of them, can have left many more.
DROPPED_AT_ONCE = 100  # roles


def drop_runners(spi: Spi) -> None:
    """Drop the login roles of this database's worker, even if the extension is gone, and commit that."""
    runners = list(spi.execute(RUNNERS))
    for first in range(0, len(runners), DROPPED_AT_ONCE):
        spi.execute(BE_PATIENT, DROP_PATIENCE)
        for row in runners[first : first + DROPPED_AT_ONCE]:
            try:
                spi.plpy.execute(row["drop_it"])
            except spi.Error:
                # A run has left something that belongs to it: the role stays, but nobody can log in.
                try:
                    spi.plpy.execute(row["shut_it"])
                except spi.Error as error:
                    # Somebody keeps it locked; its password is valid for a short time only.
                    spi.warning(f"elephant_worker could not {row['shut_it']}: {error}")
        spi.commit()
