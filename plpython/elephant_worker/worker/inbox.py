"""The inbox: what users, and the worker itself, have asked the worker to do."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import chain, islice, zip_longest

from ..database import worker_request
from ..database.spi import Spi
from ..database.worker_request import CANCELS, Batch, Messages, Unread
from ..jobs.number_ranges import Range, widen
from ..snapshot import Snapshot
from .requested_runs import RequestedRuns

# How many batches a look reads, and how many of messages are known before they are taken: many, so that those of others
# are found behind them. For as many as that a role has to commit as many transactions faster than they are read.
BATCHES_AT_ONCE = 1000  # batches
MOST_BATCHES = 100_000  # batches


class Inbox:
    """Is read only if something may have been put in, and then no more of it than has come since.

    What has come is what transactions have put in that have ended since the inbox was looked into last. So neither
    what is not committed is passed by, nor what has been taken and cannot be vacuumed while somebody's snapshot is old.

    What a transaction asks to run is noted once its cancellations have been taken, which may be about that.
    """

    def __init__(self, spi: Spi) -> None:
        self._spi = spi
        # The numbers of the messages that were taken last.
        self.taken: list[int] = []
        self.requested = RequestedRuns(spi, self._is_noted_later)
        self.forget()

    def forget(self) -> None:
        """Read all of it anew: a transaction has failed."""
        self.has_news = True
        # What had ended when the inbox was looked into last, and what of that has not been read.
        self._seen = Snapshot()
        self._unread: list[Unread] = []
        # The messages that have not been taken, by kind and role: batches, and the number of the first one of each. The
        # kind and role whose turn is next comes first.
        self._batches: dict[tuple[str, str], dict[Batch, int]] = {}
        # By transaction: how many batches of cancellations have not been taken, and where what it asks to run is.
        self._cancels = Counter[int]()
        self._behind_cancels: dict[int, dict[str, Range]] = defaultdict(dict)
        self.requested.forget()

    def note(self) -> None:
        """Note that something has been put in."""
        self.has_news = True

    def take_messages(self, limit: int) -> Messages:
        """Take about so many of the messages that have been found; requests to run stay until they are claimed."""
        self.taken = []
        messages: Messages = defaultdict(dict)
        if in_turn := self._in_turn(limit):
            each = -(-limit // len(in_turn))  # messages of each batch
            taken = Counter[Batch]()
            for batch, number, message in worker_request.take_messages(self._spi, in_turn, each):
                messages[batch.kind][number] = message
                self.taken.append(message.request_id)
                in_turn[batch] = message.request_id
                taken[batch] += 1
            for batch, number in in_turn.items():
                self._follow(batch, number if taken[batch] == each else None)
        self.has_news = bool(self._batches or self._unread)
        return messages

    def _follow(self, batch: Batch, number: int | None) -> None:
        """Note what has been taken of a batch: up to a number, or all of it. It is the turn of others then."""
        sender = batch.kind, batch.rolname
        batches = self._batches.pop(sender)
        if number is None:
            del batches[batch]
            if batch.kind in CANCELS:
                self._end_cancels(batch.transaction)
        else:
            batches[batch] = number
        if batches:
            self._batches[sender] = batches

    def _end_cancels(self, transaction: int) -> None:
        """Note that a batch of cancellations of a transaction has been taken; after the last, what it asks to run."""
        self._cancels[transaction] -= 1
        if not self._cancels[transaction]:
            del self._cancels[transaction]
            for rolname, (first, last) in self._behind_cancels.pop(transaction, {}).items():
                self.requested.note(rolname, first, last)

    def _is_behind_cancels(self, transaction: int, rolname: str, first: int, last: int) -> bool:
        """Whether this transaction, which asks for runs of a role, has cancellations that have not been taken; if so,
        they are noted after these."""
        if transaction not in self._cancels:
            return False
        widen(self._behind_cancels[transaction], rolname, first, last)
        return True

    def _is_noted_later(self, transaction: int, rolname: str, number: int) -> bool:
        """Whether what has not been taken may cancel a request that has been found by its number, as it may have been
        committed after the look."""
        return (
            self._is_behind_cancels(transaction, rolname, number, number)
            or not self._seen.has_ended(transaction)
            or any(part.may_cancel(transaction) for part in self._unread)
        )

    def look(self) -> None:
        """See what has been put in by transactions that have ended since. Requests to run are noted."""
        self.taken = []
        if not self.has_news or sum(map(len, self._batches.values())) >= MOST_BATCHES:
            return
        snapshot, transaction = worker_request.snapshot(self._spi)
        self._unread += [Unread(first, last) for first, last in snapshot.ended_since(self._seen)]
        self._seen = snapshot.while_running(transaction)
        found = worker_request.batches(self._spi, self._unread, BATCHES_AT_ONCE)
        for _, batch, first, last in found:
            if last is None:
                self._note_messages(batch, first)
            elif not self._is_behind_cancels(batch.transaction, batch.rolname, first, last):  # which have been found
                self.requested.note(batch.rolname, first, last)
        if len(found) < BATCHES_AT_ONCE:
            self._unread = []
        else:
            place, batch, *_ = found[-1]
            unread = [self._unread[place].after(batch), *self._unread[place + 1 :]]
            # What begins later is among what the next look finds.
            self._unread = [part.until(snapshot.xmax - 1) for part in unread if part.first < snapshot.xmax]

    def _note_messages(self, batch: Batch, first: int) -> None:
        batches = self._batches.setdefault((batch.kind, batch.rolname), {})
        if batch not in batches:
            batches[batch] = first
            if batch.kind in CANCELS:
                self._cancels[batch.transaction] += 1

    def _in_turn(self, limit: int) -> dict[Batch, int]:
        """So many of the batches, each kind and role in turn, so that none waits for all that others have to say."""
        in_turn = chain.from_iterable(zip_longest(*(batches.items() for batches in self._batches.values())))
        return dict(islice((item for item in in_turn if item is not None), limit))
