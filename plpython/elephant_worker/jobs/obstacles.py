"""What keeps a job from running, and what its log says about that."""

from __future__ import annotations

from ..errors import UserError
from .job import Job
from .run import Outcome, RunState


def obstacle_of(job: Job) -> Outcome | None:
    """What keeps a job from running, whether it is due or was asked for; None: nothing."""
    if job.obstacle_error is None:
        try:
            if job.schedule is not None:
                _ = job.timing
        except UserError as user_error:  # it was valid once: the time zone database has changed
            return Outcome.of(user_error)
        return None
    error = job.obstacle_error
    return Outcome(RunState.FAILED, error["sqlstate"], error["message"], error["detail"], error["hint"])
