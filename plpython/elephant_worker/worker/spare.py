"""The spare: a session that becomes the worker when the worker's process ends unasked."""

from __future__ import annotations

import math
import os
import select
from collections.abc import Callable
from typing import TypeVar

from ..database import server, worker_state
from ..database.spi import Spi
from ..errors import UserError
from ..system.clock import STALL, Clock
from ..system.postmaster import exit_if_dead, is_stopping

# PostgreSQL acts on a shutdown only when the session makes a call into it.
LONGEST_WAIT = 2.0  # seconds
# How often it looks at the worker if it is not told of the end of the worker's process.
POLL_INTERVAL = 1.0  # seconds
# A worker that ends sooner than this after its start is followed no sooner than that: if each one fails at once,
# the server must not be kept busy.
SHORT_LIFE = 2.0  # seconds
# SQLSTATEs of what locks of others are in the way of: a deadlock, or lock_timeout.
LOCKED = ("40P01", "55P03")

Result = TypeVar("Result")


def past_locks(spi: Spi, step: Callable[[], Result]) -> Result:
    """Try again for as long as others keep locked what a step needs that begins a transaction: where no other process
    would be the worker."""
    while True:
        try:
            return step()
        except spi.Error as error:
            spi.rollback()
            if error.sqlstate not in LOCKED:
                raise
            exit_if_dead()


class Spare:
    """Waits; if no process can be watched (before Linux 5.3), it looks every second."""

    def __init__(self, spi: Spi, clock: Clock) -> None:
        self._spi = spi
        self._clock = clock
        # When it was last found that the machine had stood still, by the steady clock.
        self.stalled_at = -math.inf

    def wait(self, worker: int, attended: bool, announce: Callable[[bool], None]) -> bool:
        """Wait until this process is to be the worker (True) or is not needed any more (False).

        `announce` is told when the wait begins: whether it is for a worker that was told to stop, to which this
        process is the successor. Raises UserError (55006) if there is a spare already.
        """
        successor, other = worker_state.register_spare(self._spi, attended)
        directory = server.read(self._spi).data_directory
        self._spi.commit()
        if other is not None:
            raise UserError(
                "a worker is running already, and a spare",
                f"Their process ids are {worker} and {other}.",
                f"SELECT {self._spi.schema}.stop_worker(); ends both.",
                "55006",
            )
        announce(successor)
        began = self._clock.steady()
        poll = select.poll()
        process = _process(worker)
        if process is not None:
            poll.register(process, select.POLLIN)
        try:
            while True:
                ended = self._poll(poll, POLL_INTERVAL if process is None else LONGEST_WAIT)
                exit_if_dead()
                if process is not None and not ended and not is_stopping(directory):
                    server.let_server_act(self._spi)
                    continue
                status = past_locks(self._spi, lambda: worker_state.spare_status(self._spi))
                self._spi.commit()
                if status is None or is_stopping(directory):
                    return False
                if status.worker is None:
                    if not status.armed:
                        return False
                    if successor or self._clock.steady() - began >= SHORT_LIFE:
                        return True
                    if process is not None:
                        poll.unregister(process)
                        os.close(process)
                        process = None
                elif status.worker != worker:
                    return False
        finally:
            if process is not None:
                os.close(process)

    def _poll(self, poll: select.poll, seconds: float) -> bool:
        """Wait for the end of the worker's process; returns whether it has ended."""
        steady, now = self._clock.steady(), self._clock.now()
        ended = poll.poll(seconds * 1000)
        # As the worker finds it, whose waits are as long: what is a stall to it is one to its spare.
        stood = self._clock.steady() - steady
        jump = self._clock.now() - now - stood
        if max(stood, jump) >= STALL:
            self.stalled_at = self._clock.steady()
        return bool(ended)


def _process(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None
