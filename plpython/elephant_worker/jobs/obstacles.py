"""What keeps a job from running, and what its log says about that."""

from __future__ import annotations

from ..errors import UserError
from .job import Job
from .run import Outcome, RunState

RESPONSIBLE = "A job runs only while the role that has defined it may define it."
TAKE_OVER = "who may define it can take it over: UPDATE member_job SET defined_by = current_user WHERE job_id = …;"

# What the view `job_for_worker` may find in the way of a job: SQLSTATE, message, DETAIL, HINT.
OBSTACLES = {
    "role": (
        "42704",
        'role "{rolname}" does not exist',
        "The role of the job has been dropped or renamed.",
        "Give the job another role, or create the role again.",
    ),
    "database": (
        "3D000",
        'database "{datname}" does not exist',
        "The database of the job has been dropped or renamed.",
        "Give the job another database, or delete it.",
    ),
    "closed": (
        "55000",
        'database "{datname}" accepts no connections',
        "Its datallowconn is false.",
        "ALTER DATABASE … ALLOW_CONNECTIONS true; lets the job run again.",
    ),
    "connect": (
        "42501",
        'role "{rolname}" may not connect to database "{datname}"',
        "A job runs in a session of its role.",
        "The owner of the database can GRANT CONNECT on it.",
    ),
    "server": (
        "42704",
        'foreign server "{server}" does not exist',
        "The server of the job has been dropped or renamed.",
        "Give the job another server, or create the server again.",
    ),
    "usage": (
        "42501",
        'role "{rolname}" may not use foreign server "{server}"',
        "The role of a job must have USAGE on the server that the job runs on.",
        "The owner of the server can GRANT USAGE ON FOREIGN SERVER to it.",
    ),
    "mapping": (
        "42704",
        'role "{rolname}" has no user mapping for foreign server "{server}"',
        "A mapping of the role, or one for PUBLIC, says as whom the job logs in there.",
        "CREATE USER MAPPING … OPTIONS (user …, password …); lets the job run again.",
    ),
    "option": (
        "42501",
        'foreign server "{server}" would make the worker use what is its own',
        "It, or the user mapping, has an option that names a file or service of this server, or lends credentials.",
        "Drop that option, or have a superuser own the foreign server.",
    ),
    "password": (
        "2F003",
        'the user mapping of role "{rolname}" for foreign server "{server}" has no password',
        "Without one the worker would log in by what it is itself, not by what the role has.",
        "Give it one; or a superuser can set its option password_required to false (postgres_fdw).",
    ),
    "login": (
        "28000",
        'role "{rolname}" is not permitted to log in',
        "With worker_setting.connect_as = 'role', runs connect as the job's role itself.",
        "ALTER ROLE … LOGIN; lets the job run again.",
    ),
    "definer": (
        "42704",
        'role "{defined_by}", which has defined the job, does not exist',
        RESPONSIBLE,
        f"Create it again; or {TAKE_OVER}",
    ),
    "scheduler": (
        "42501",
        'role "{defined_by}", which has defined the job, is not a member of job_scheduler',
        RESPONSIBLE,
        f"Make it a member; or {TAKE_OVER}",
    ),
    "member": (
        "42501",
        'role "{defined_by}", which has defined the job, may not act as role "{rolname}"',
        RESPONSIBLE,
        f"Make it a member of that role; or {TAKE_OVER}",
    ),
}


def obstacle_of(job: Job) -> Outcome | None:
    """What keeps a job from running, whether it is due or was asked for; None: nothing."""
    if job.obstacle is None:
        try:
            if job.schedule is not None:
                _ = job.timing
        except UserError as user_error:  # it was valid once: the time zone database has changed
            return Outcome.of(user_error)
        return None
    sqlstate, message, detail, hint = OBSTACLES[job.obstacle]
    message = message.format(rolname=job.rolname, datname=job.datname, server=job.server, defined_by=job.defined_by)
    return Outcome(RunState.FAILED, sqlstate, message, detail, hint)
