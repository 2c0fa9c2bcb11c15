"""A connection that is encrypted: what goes over it, libpq alone can write and read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..system.memory_limit import MemoryLimit, unread
from .libpq import Connection, ConnStatus, DiagnosticField, ExecStatus, OperationalError, Result, TransactionStatus
from .transport import NO_INPUT, Answer, Lost, Statement

# How many results are taken in one step: what returns many rows must not keep others waiting.
RESULTS_PER_STEP = 500
# Of a row of more bytes than this libpq keeps the memory.
BULKY = 1024 * 1024
# The server sends 8 kB at once where it has more: less than this cannot begin a large row.
SMALL = 4096
COPYING = (ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH)
FIELDS = {
    "S": DiagnosticField.SEVERITY,
    "V": DiagnosticField.SEVERITY_NONLOCALIZED,
    "C": DiagnosticField.SQLSTATE,
    "M": DiagnosticField.MESSAGE_PRIMARY,
    "D": DiagnosticField.MESSAGE_DETAIL,
    "H": DiagnosticField.MESSAGE_HINT,
    "W": DiagnosticField.CONTEXT,
}


class LibpqTransport:
    """A wire. The preparation is sent in libpq's pipeline mode, in which a query cannot be: that follows when all
    has gone well."""

    def __init__(self, connection: Connection, ceiling: MemoryLimit) -> None:
        self.more = False
        self.sending = False
        self.spent = False
        self.answer = Answer()
        self._connection = connection
        self._ceiling = ceiling
        self._socket = connection.socket
        self._begins: Callable[[], None] = _nothing
        self._command: Statement | None = None
        self._in_pipeline = False
        self._prepared = 0
        self._with_values = False
        self._read_value = False
        # How many bytes have come since the last result.
        self._arrived = 0
        connection.notice_handler = self._notice

    def send(
        self, preparation: Sequence[Statement], command: Statement | None, begins: Callable[[], None], read_value: bool
    ) -> None:
        self.answer = Answer()
        self._command, self._begins, self._read_value = command, begins, read_value
        self._with_values = command is not None and command.values is not None
        self._prepared = 0
        with _losing():
            if preparation:
                self._in_pipeline = True
                self._connection.enter_pipeline_mode()
                for text, values in preparation:
                    self._connection.send_query_params(text, values or ())
                self._connection.pipeline_sync()
                self._flush()
            else:
                self._send_command()

    def _send_command(self) -> None:
        command, self._command = self._command, None
        assert command is not None
        self._begins()
        if command.values is None:
            self._connection.send_query(command.text)
        else:
            self._connection.send_query_params(command.text, command.values)
        self._connection.set_single_row_mode()
        self._flush()

    def _flush(self) -> None:
        self.sending = bool(self._connection.flush())

    def receive(self) -> bool:
        self.more = False
        with _losing():
            self._arrived += unread(self._socket)
            if self._arrived <= SMALL:
                return self._take_in()
            with self._ceiling:
                return self._take_in()

    def last_words(self) -> None:
        connection = self._connection
        # libpq may have given up a row and not the connection: then it would wait for the next result.
        while self.answer.error is None and (connection.status == ConnStatus.BAD or not connection.is_busy()):
            result = connection.get_result()
            if result is None or result.status in COPYING:
                return
            if result.status == ExecStatus.FATAL_ERROR:
                self._error(result)
                return

    def _take_in(self) -> bool:
        connection = self._connection
        if self.sending:
            self._flush()
        connection.consume_input()
        while connection.notifies():
            pass  # a command may LISTEN; nobody is there to be told
        for _ in range(RESULTS_PER_STEP):
            if connection.is_busy():
                return False
            result = connection.get_result()
            self.spent = self.spent or self._arrived > BULKY
            self._arrived = 0
            if result is not None and result.status == ExecStatus.COPY_OUT:
                if not self._discard_copy():
                    return False
            elif result is not None:
                self._result(result)
            if self.answer.unprepared is not None:
                return True
            if result is None and not self._in_pipeline:
                if self.answer.is_fatal:
                    raise Lost(connection.get_error_message())
                self.answer.idle = connection.transaction_status == TransactionStatus.IDLE
                return True
            if result is not None and result.status == ExecStatus.PIPELINE_SYNC:
                self._in_pipeline = False
                connection.exit_pipeline_mode()
                if self._command is None:
                    self.answer.idle = connection.transaction_status == TransactionStatus.IDLE
                    return True
                self._send_command()
        self.more = True
        return False

    def _result(self, result: Result) -> None:
        status, answer = result.status, self.answer
        if status == ExecStatus.SINGLE_TUPLE:
            if self._read_value:
                answer.value = result.get_value(0, 0)
        elif status in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
            if self._in_pipeline:
                self._prepared += 1
            else:
                answer.tag = result.command_status
        elif status == ExecStatus.COPY_IN:
            self.spent = self.spent or self._with_values  # as in plain.py
            self._connection.put_copy_end(NO_INPUT)
            self._flush()
        elif status in (ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED) and answer.error is None:
            self._error(result)
            if answer.error is None:
                raise Lost(result.get_error_message())

    def _error(self, result: Result) -> None:
        """An error, unless it is libpq's own."""
        if result.error_field(DiagnosticField.SQLSTATE) is not None:
            named = {letter: result.error_field(field) for letter, field in FIELDS.items()}
            self.answer.error = {
                letter: value.decode(errors="replace") for letter, value in named.items() if value is not None
            }
            self.answer.unprepared = self._prepared if self._in_pipeline else None

    def _discard_copy(self) -> bool:
        """Pass over what is copied; returns whether that was all."""
        for _ in range(RESULTS_PER_STEP):
            size, _data = self._connection.get_copy_data(1)
            if size <= 0:
                return size < 0
        self.more = True
        return False

    def _notice(self, result: Result) -> None:
        if not self._in_pipeline:
            self.answer.notice(result.error_message)


@contextmanager
def _losing() -> Iterator[None]:
    """What libpq says of a connection that is gone."""
    try:
        yield
    except OperationalError as error:
        raise Lost(str(error)) from None
    except MemoryError:
        raise Lost("out of memory for what the server returned") from None


def _nothing() -> None:
    pass
