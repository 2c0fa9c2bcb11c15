"""The inbox: what users, and the worker itself, have asked the worker to do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import chain, islice, zip_longest

from ..database import worker_request
from ..database.spi import Spi
from ..database.worker_request import Batch, Messages, Unread
from ..snapshot import Snapshot

# How many batches of messages are known before they are taken.
BATCHES_AT_ONCE = 1000  # batches


class Inbox:
    """Is read only if something may have been put in, and then no more of it than has come since.

    What has come is what transactions have put in that have ended since the inbox was looked into last. So neither
    what is not committed is passed by, nor what has been taken and cannot be vacuumed while somebody's snapshot is old.
    """

    def __init__(self, spi: Spi) -> None:
        self._spi = spi
        # The numbers of the messages that were taken last.
        self.taken: list[int] = []
        self.forget()

    def forget(self) -> None:
        """Read all of it anew: a transaction has failed."""
        self.has_news = True
        # What had ended when the inbox was looked into last, and what of that has not been read.
        self._seen = Snapshot()
        self._unread: list[Unread] = []
        # The messages that have not been taken: batches, and the number of the first one of each.
        self._batches: dict[Batch, int] = {}
        # The roles for which runs may have been asked for, and a number that is not above the first one of each.
        self.requested: dict[str, int] = {}

    def note(self) -> None:
        """Note that something has been put in."""
        self.has_news = True

    def note_requests(self, first: Iterable[tuple[str, int]]) -> None:
        """Note that runs with these numbers, and maybe later ones, have been asked for, for these roles."""
        for rolname, request_id in first:
            self.requested[rolname] = min(request_id, self.requested.get(rolname, request_id))

    def take_messages(self, limit: int) -> Messages:
        """Take about so many of the messages; requests to run are noted, and stay until they are claimed."""
        self.taken = []
        messages: Messages = defaultdict(dict)
        if not self.has_news:
            return messages
        if len(self._batches) < BATCHES_AT_ONCE:
            self._look()
        if in_turn := self._in_turn(limit):
            each = -(-limit // len(in_turn))  # messages of each batch
            taken = Counter[Batch]()
            for batch, number, message in worker_request.take_messages(self._spi, in_turn, each):
                messages[batch.kind][number] = message
                self.taken.append(message.request_id)
                self._batches[batch] = message.request_id
                taken[batch] += 1
            for batch in in_turn:
                if taken[batch] < each:
                    del self._batches[batch]
        self.has_news = bool(self._batches or self._unread)
        return messages

    def _look(self) -> None:
        """See what has been put in by transactions that have ended since."""
        snapshot, transaction = worker_request.snapshot(self._spi)
        self._unread += [Unread(first, last) for first, last in snapshot.ended_since(self._seen)]
        self._seen = snapshot.while_running(transaction)
        found = worker_request.batches(self._spi, self._unread, BATCHES_AT_ONCE)
        for _, batch, first in found:
            if batch.kind == "run":
                self.note_requests([(batch.rolname, first)])
            else:
                self._batches.setdefault(batch, first)
        if len(found) < BATCHES_AT_ONCE:
            self._unread = []
        else:
            place, batch, _ = found[-1]
            self._unread = [self._unread[place].after(batch), *self._unread[place + 1 :]]

    def _in_turn(self, limit: int) -> dict[Batch, int]:
        """So many of the batches, each kind and role in turn, so that none waits for all that others have to say."""
        senders: dict[tuple[str, str], list[Batch]] = defaultdict(list)
        for batch in self._batches:
            senders[batch.kind, batch.rolname].append(batch)
        in_turn = (batch for batch in chain.from_iterable(zip_longest(*senders.values())) if batch is not None)
        return {batch: self._batches[batch] for batch in islice(in_turn, limit)}
