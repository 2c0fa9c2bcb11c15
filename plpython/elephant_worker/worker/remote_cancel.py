"""Cancels and terminates sessions on other servers, where pg_cancel_backend() of this one does not reach."""

from __future__ import annotations

from ..connection.client import Client
from ..connection.login import Login
from ..connection.poller import Poller
from ..system.clock import Clock

# How long another server may take to accept a cancellation.
ANSWER_TIMEOUT = 30.0  # seconds


class Signal(Client):
    """Logs in as the session's own user, who may end it, and calls one function."""

    is_here = False
    limit = 64 * 1024

    def __init__(self, login: Login, function: str, pid: int) -> None:
        self._statement = f"SELECT pg_catalog.{function}({pid})"
        super().__init__(login)

    def begin(self) -> None:
        self.query(self._statement)

    def answered(self) -> None:
        self.close()


class RemoteCancel:
    """Those that are on their way. A server that does not answer holds up nobody."""

    def __init__(self, poller: Poller, clock: Clock) -> None:
        self._poller = poller
        self._clock = clock
        self._sent: list[tuple[float, Signal]] = []

    def send(self, login: Login, function: str, pid: int) -> None:
        """Have the server call pg_cancel_backend or pg_terminate_backend."""
        signal = Signal(login, function, pid)
        self._poller.watch(signal)
        self._sent.append((self._clock.steady(), signal))

    def sweep(self, patience: float = ANSWER_TIMEOUT) -> None:
        """Forget those that have arrived, and give up those that take too long."""
        for sent, signal in self._sent.copy():
            if signal.ended or self._clock.steady() - sent >= patience:
                self._sent.remove((sent, signal))
                if not signal.ended:
                    signal.close()
                    self._poller.watch(signal)

    def close(self) -> None:
        self.sweep(patience=0.0)
