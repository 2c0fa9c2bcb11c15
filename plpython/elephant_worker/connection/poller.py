"""Waits for the sockets of all sessions and of the worker's own connections at once."""

from __future__ import annotations

import select
from typing import Protocol

from ..system.clock import Clock
from .connecting import EVENTS, Wait


class Socket(Protocol):
    """Something that waits for its socket."""

    wait: Wait
    more: bool

    @property
    def socket(self) -> int: ...

    @property
    def connects_here(self) -> bool:
        """Whether it is being connected to this server, which does not count it yet."""

    def step(self) -> None: ...

    def leave(self) -> bool:
        """Ask for nothing more; returns whether this server would still take its end for a fault: it is being
        connected, or has not been told all of an answer."""


class Poller:
    """Waits for many sockets at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._poll = select.poll()
        self._by_number: dict[int, Socket] = {}
        self._numbers: dict[Socket, int] = {}
        # What each number is waited for.
        self._waits: dict[int, Wait] = {}
        self._more: set[Socket] = set()

    def watch(self, socket: Socket) -> None:
        """Wait for what the socket says that it waits for, until told otherwise."""
        self._more.discard(socket)
        number = None if socket.wait is Wait.NOTHING else socket.socket
        known = self._numbers.get(socket)
        if known is not None and known != number:
            del self._numbers[socket]
            if self._by_number.get(known) is socket:
                del self._by_number[known]
                del self._waits[known]
                self._poll.unregister(known)
        if number is not None:
            self._numbers[socket] = number
            self._by_number[number] = socket
            if self._waits.get(number) is not socket.wait:
                self._waits[number] = socket.wait
                self._poll.register(number, EVENTS[socket.wait])
            if socket.more:
                self._more.add(socket)

    @property
    def connecting(self) -> int:
        """How many connections to this server are being made."""
        return sum(socket.connects_here for socket in self._numbers)

    def settle(self, seconds: float) -> None:
        """Let those come to where they can leave that can soon, at most for so long."""
        until = self._clock.steady() + seconds
        while (left := until - self._clock.steady()) > 0:
            busy = {socket for socket in self._numbers if socket.leave()}
            if not busy:
                return
            for socket in self.ready(left):
                if socket in busy:
                    socket.step()
                    self.watch(socket)

    def ready(self, seconds: float) -> list[Socket]:
        """The sockets that can do their next step, after a wait of at most so many seconds."""
        until = self._clock.steady() + seconds
        events = self._poll.poll(0 if self._more else int(seconds * 1000))
        if not events and not self._more and seconds:
            # poll() counts in milliseconds, which would have each run start half a one late.
            self._clock.sleep(min(until - self._clock.steady(), 0.001))
        found = [self._by_number[number] for number, _ in events]
        return [*self._more.difference(found), *found] if self._more else found
