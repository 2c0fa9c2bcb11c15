"""Looks up host names without keeping anybody waiting."""

from __future__ import annotations

import os
import signal
import socket
import threading

from .transport import Lost

# How many may be unanswered: a thread waits for each, since the system's resolver can be asked in no other way.
MAX_LOOKUPS = 32  # threads
# How many of them may be one role's: who says which host it is says how long its name takes.
MAX_LOOKUPS_OF_ONE = 8  # threads
# By the end of the pipe that waits for the answer, the role.
_waiting: dict[int, int] = {}


class Lookup:
    """The addresses of a host. Its descriptor becomes readable when there is an answer.

    The thread calls the resolver and nothing else; a look-up that is given up leaves it alone with it.
    """

    def __init__(self, host: str, role_oid: int = 0) -> None:
        """`role_oid`: for whose jobs."""
        asked = [*_waiting.values()]
        if asked.count(role_oid) >= MAX_LOOKUPS_OF_ONE:
            raise Lost(f"{MAX_LOOKUPS_OF_ONE} look-ups of host names for this role are not answered: none is added")
        if len(asked) >= MAX_LOOKUPS:
            raise Lost(f"{len(asked)} look-ups of host names are not answered: none is added")
        self.host = host
        self.addresses: list[str] = []
        self.failure = ""
        self._answered, answers = os.pipe()
        _waiting[answers] = role_oid
        # The server's signals are for the thread that executes its code.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            threading.Thread(target=self._look_up, args=(answers,), daemon=True).start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def fileno(self) -> int:
        return self._answered

    def close(self) -> None:
        os.close(self._answered)

    def _look_up(self, answers: int) -> None:
        try:
            found = socket.getaddrinfo(self.host, None, type=socket.SOCK_STREAM)
            self.addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
        except (OSError, UnicodeError) as error:
            self.failure = f'could not translate host name "{self.host}" to address: {error}'
        finally:
            _waiting.pop(answers, None)
            os.close(answers)
