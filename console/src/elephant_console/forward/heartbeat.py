"""A sign of life: a dead man's switch elsewhere raises the alarm when it stays away."""

from __future__ import annotations

import logging

import psycopg
import requests

from ..configuration import Configuration, Heartbeat
from ..database import Database
from .message import one_line
from .stop import Stop

log = logging.getLogger(__name__)

TIMEOUT = 10.0  # seconds
LONGEST_RETRY = 10.0  # seconds


def ping(url: str) -> str | None:
    """Call the URL; returns None, or why there was no answer that means yes. Nothing of the URL is in it."""
    try:
        with requests.get(url, timeout=TIMEOUT, headers={"User-Agent": "elephant-console"}, stream=True) as answer:
            return None if answer.ok else f"the answer was HTTP {answer.status_code}"
    except requests.RequestException as error:
        # Its message has the URL.
        return f"no answer ({type(error).__name__})"


class Beating:
    """Calls the URL while the worker is well, and not while nothing is known of it."""

    def __init__(self, configuration: Configuration, heartbeat: Heartbeat, stop: Stop) -> None:
        self._configuration = configuration
        self._heartbeat = heartbeat
        self._stop = stop
        self._said: str | None = None

    def run(self) -> None:
        with self._stop.on_failure(log):
            delay = 0.0
            while not self._stop.wait(delay):
                try:
                    with Database(self._configuration.conninfo) as database:
                        delay = self._beat(database)
                        while not self._stop.wait(delay):
                            delay = self._beat(database)
                except psycopg.Error as error:
                    self._say(f"the database cannot be used: {one_line(str(error), 1000)}")
                    delay = min(self._heartbeat.every, LONGEST_RETRY)

    def _beat(self, database: Database) -> float:
        """Call the URL if all is well; returns after how many seconds to do that again."""
        condition = database.condition()
        reason = condition.reason or (None if condition.ticking else "the worker has not looked around for a minute")
        problem = f"no heartbeat, since the worker is not well: {reason}" if reason else ping(self._heartbeat.url)
        self._say(problem)
        return min(self._heartbeat.every, LONGEST_RETRY) if problem else self._heartbeat.every

    def _say(self, problem: str | None) -> None:
        if problem != self._said:
            if problem:
                log.warning("heartbeat: %s", problem)
            else:
                log.info("heartbeat: the worker is well")
        self._said = problem
