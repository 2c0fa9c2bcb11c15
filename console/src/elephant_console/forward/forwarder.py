"""What a thread does for each receiver: finds its alerts, sends them, and notes what was confirmed.

What is confirmed is not sent again: by this process, since it remembers what it could not mark yet; by another one,
since it only sends while it holds the claim of the receiver, and looks again after it has got that. The gap: if this
process is killed, or cuts itself off from the database for longer than the claim lasts, after a receiver has confirmed
a message and before the database knows, that is sent once more. No program can close it, since the receiver confirms
in one place and the database notes it in another; sending nothing again would lose alerts instead.
"""

from __future__ import annotations

import logging
import math
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning

import psycopg

from ..configuration import Configuration, Receiver
from ..database import FETCHED_AT_ONCE, Alert, Database
from .delivery import Outlet
from .message import compose, one_line
from .stop import Stop

log = logging.getLogger(__name__)

POLL_INTERVAL = 10.0  # seconds; LISTEN tells it sooner
FIRST_RETRY = 1.0  # seconds
LAST_RETRY = 300.0  # seconds
LAST_RECONNECT = 30.0  # seconds
# What is below the first alert to look at is done with; now and then that is found out anew.
LOOK_BACK_INTERVAL = 3600.0  # seconds


class Forwarder:
    """Sends alerts to one receiver until it is told to stop."""

    def __init__(self, configuration: Configuration, receiver: Receiver, stop: Stop) -> None:
        self._configuration = configuration
        self._receiver = receiver
        self._name = receiver.name
        self._outlet = Outlet(receiver)
        self._stop = stop
        self._id = str(uuid.uuid4())
        self._confirmed: list[int] = []
        self._failures = 0
        self._last_error: str | None = None
        self._not_before = 0.0
        self._first = 0
        self._looked_back = -math.inf

    def run(self) -> None:
        """Connect, again and again; whatever is not an error of the database ends the program."""
        delay, said = FIRST_RETRY, ""
        with self._stop.on_failure(log), ThreadPoolExecutor(1) as sender:
            while not self._stop.is_set():
                try:
                    with Database(self._configuration.conninfo) as database:
                        database.listen()
                        self._looked_back = -math.inf
                        delay, said = FIRST_RETRY, ""
                        self._serve(database, sender)
                except psycopg.Error as error:
                    reason = one_line(str(error) or type(error).__name__, 1000)
                    if reason != said:
                        log.warning("%s: the database cannot be used, trying again: %s", self._name, reason)
                    said = reason
                    self._stop.wait(delay)
                    delay = min(delay * 2, LAST_RECONNECT)

    def _serve(self, database: Database, sender: ThreadPoolExecutor) -> None:
        while not self._stop.is_set():
            self._mark_confirmed(database)
            delay = self._deliver(database, sender)
            if delay > 0:
                database.wait(self._stop, delay)
                # One failure rarely comes alone: let the others join it in the same message.
                self._stop.wait(0.1)

    def _mark_confirmed(self, database: Database) -> None:
        if self._confirmed:
            database.mark(self._confirmed, self._name)
            self._confirmed = []

    def _deliver(self, database: Database, sender: ThreadPoolExecutor) -> float:
        """Send what there is to send; returns after how many seconds to look again, if nothing is heard before."""
        until_then = self._not_before - time.monotonic()
        if until_then > 0:
            self._stop.wait(until_then)
            return 0
        if not self._pending(database):
            return POLL_INTERVAL
        lease = self._configuration.take_over_after
        if not database.claim(self._name, self._id, lease):
            return min(lease, POLL_INTERVAL) / 3
        alerts = self._pending(database)  # the other one may have sent some
        expired = [alert for alert in alerts if alert.expired]
        fresh = [alert for alert in alerts if not alert.expired]
        if expired:
            self._give_up(
                database, expired, "not confirmed in time" + (f": {self._last_error}" if self._last_error else "")
            )
        if fresh:
            self._send(database, sender, fresh)
        database.release(self._name, self._id)
        return 0

    def _pending(self, database: Database) -> list[Alert]:
        """What is to be sent, or to be given up."""
        if time.monotonic() > self._looked_back + LOOK_BACK_INTERVAL:
            self._look_back(database)
        while True:
            alerts = database.alerts(self._name, self._first, self._configuration.give_up_after)
            wanted = self._wanted(alerts)
            if wanted or len(alerts) < FETCHED_AT_ONCE:
                if not wanted and alerts:
                    self._first = alerts[-1].alert_id + 1
                return wanted
            self._first = alerts[-1].alert_id + 1

    def _look_back(self, database: Database) -> None:
        first = database.first_alert(self._configuration.give_up_after)
        forgotten = self._wanted(database.forgotten_alerts(self._name, first))
        if forgotten:
            self._give_up(database, forgotten, "no forwarder was running in time")
        self._first = first
        self._looked_back = time.monotonic()

    def _wanted(self, alerts: list[Alert]) -> list[Alert]:
        return [alert for alert in alerts if self._receiver.wants(alert.event, alert.rolname, alert.job_name)]

    def _send(self, database: Database, sender: ThreadPoolExecutor, alerts: list[Alert]) -> None:
        sent: Future[str | None] = sender.submit(self._outlet.send, compose(alerts, self._outlet.room))
        error = self._last_error = self._await(database, sent)
        if error is None:
            self._confirmed = [alert.alert_id for alert in alerts]
            self._failures = 0
            self._not_before = time.monotonic() + self._configuration.group_for
            self._mark_confirmed(database)
            self._first = max(self._first, alerts[-1].alert_id + 1)
            log.info("%s: %d alerts confirmed, up to %d", self._name, len(alerts), alerts[-1].alert_id)
        else:
            delay = min(FIRST_RETRY * 2**self._failures, LAST_RETRY)
            self._failures = min(self._failures + 1, 30)
            self._not_before = time.monotonic() + delay
            log.warning("%s: %d alerts not sent, trying again in %g s: %s", self._name, len(alerts), delay, error)

    def _await(self, database: Database, sent: Future[str | None]) -> str | None:
        """Wait for the end of sending, and keep the claim meanwhile."""
        lease = self._configuration.take_over_after
        while True:
            try:
                return sent.result(timeout=lease / 3)
            except StillRunning:
                try:
                    database.claim(self._name, self._id, lease)
                except psycopg.Error:
                    # What is being sent is being sent; the next statement fails again.
                    return sent.result()

    def _give_up(self, database: Database, alerts: list[Alert], reason: str) -> None:
        database.mark([alert.alert_id for alert in alerts], self._name, reason)
        self._first = max(self._first, alerts[-1].alert_id + 1)
        log.error("%s: gave up %d alerts, up to %d: %s", self._name, len(alerts), alerts[-1].alert_id, reason)
