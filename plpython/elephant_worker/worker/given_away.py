"""Jobs that have been given to other roles: what waits for them becomes those roles'."""

from __future__ import annotations

from collections.abc import Iterable

from ..database import worker_request
from ..database.spi import Spi
from ..jobs.number_ranges import LAST_NUMBER
from ..jobs.requests_of_jobs import RequestsOfJobs
from ..system.clock import Clock
from .inbox import Inbox
from .timers import Portion

# How many requests one transaction looks at, and for how long.
REQUESTS_AT_ONCE = 2000  # requests
REQUESTS_TIME = 0.02  # seconds


class GivenAway:
    """Has the requests to run these jobs count as the roles' to which the jobs belong now, some in each transaction.

    A request runs as the role of its job at any time; until it counts as that role's it waits among those of the other
    role. What is followed is known here only: a worker that begins looks for it among all requests.
    """

    def __init__(self, spi: Spi, inbox: Inbox) -> None:
        self._spi = spi
        self._inbox = inbox
        self._portion = Portion(REQUESTS_AT_ONCE, REQUESTS_TIME)
        # What is yet to be followed.
        self._requests = RequestsOfJobs()
        # The jobs that this transaction has come to the end of.
        self._ended: set[int] = set()

    @property
    def has_more(self) -> bool:
        """Whether some requests are yet to be followed."""
        return bool(self._requests)

    def begin(self) -> None:
        """Take up what an earlier worker has left."""
        self.add(worker_request.given_away(self._spi))

    def add(self, job_ids: Iterable[int]) -> None:
        """Follow the requests to run these jobs, all of them."""
        self._requests.add(dict.fromkeys(job_ids, (0, LAST_NUMBER)))

    def go_on(self, clock: Clock) -> None:
        """Follow some more requests."""
        if not self._requests:
            return
        began = clock.steady()
        limit = self._portion.size
        asked = self._requests.first(limit)
        followed = worker_request.follow_roles(self._spi, asked, limit)
        for job in followed:
            if job.first is not None:
                self._inbox.requested.note(job.rolname, job.first, job.last)
        self._ended.update(self._requests.follow(asked, followed, limit))
        self._portion.took(sum(job.looked_at for job in followed) + len(asked), clock.steady() - began)

    def settle(self) -> None:
        """Keep what has been followed: it is committed."""
        self._ended.clear()

    def forget(self) -> None:
        """Begin with all of these jobs anew: a transaction has failed."""
        self.add([*self._requests, *self._ended])
        self._ended.clear()
