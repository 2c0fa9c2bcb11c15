"""The server's messages are read however they are cut into pieces on their way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elephant_worker.connection.messages import (
    COPY_DATA,
    DATA,
    DATA_ROW,
    ERROR_RESPONSE,
    LONGEST,
    LONGEST_DATA,
    READY_FOR_QUERY,
    SYNC,
    Garbled,
    Reader,
    bind,
    fields,
    message,
    query,
)

KINDS = st.sampled_from([COPY_DATA, DATA_ROW, ERROR_RESPONSE, READY_FOR_QUERY])
# What bytes() makes a message of; a long one by its length, so that a report of the example stays short.
CONTENTS = st.one_of(st.binary(max_size=40), st.integers(8000, 9000))


def read(pieces: list[bytes]) -> list[tuple[int, bytes]]:
    reader = Reader()
    return [found for piece in pieces for found in reader.messages(piece)]


@given(st.lists(st.tuples(KINDS, CONTENTS), max_size=8), st.lists(st.integers(1, 3000), min_size=1, max_size=50))
def test_pieces_make_no_difference(contents: list[tuple[int, bytes | int]], lengths: list[int]) -> None:
    messages = [(kind, bytes(content)) for kind, content in contents]
    stream = b"".join(message(bytes([kind]), content) for kind, content in messages)
    pieces, number = [], 0
    while stream:
        length = lengths[number % len(lengths)]
        pieces.append(stream[:length])
        stream, number = stream[length:], number + 1
    found = read(pieces)
    assert [kind for kind, _ in found] == [kind for kind, _ in messages]
    for (kind, content), (_, whole) in zip(found, messages):
        kept = len(content) >= LONGEST_DATA - 5 and kind in DATA
        assert whole.startswith(content) if kept else content == whole


def test_a_gigabyte_passes_by() -> None:
    reader = Reader()
    header = message(b"D")[:1] + (10**9 + 4).to_bytes(4, "big")
    found = list(reader.messages(header + bytes(60_000)))
    piece = bytes(10**6)
    for _ in range(999):
        found += reader.messages(piece)
    found += reader.messages(bytes(10**6 - 60_000) + message(b"Z", b"I"))
    assert [kind for kind, _ in found] == [DATA_ROW, READY_FOR_QUERY]
    assert len(reader._begun) == 0


def test_of_a_long_error_the_beginning_is_kept() -> None:
    stream = message(b"E", b"SERROR\0C22012\0M" + b"x" * 3 * LONGEST + b"\0Dlost\0\0") + message(b"Z", b"I")
    (error, content), ready = read([stream[start : start + 65536] for start in range(0, len(stream), 65536)])
    assert (error, ready) == (ERROR_RESPONSE, (READY_FOR_QUERY, b"I"))
    assert LONGEST / 2 < len(content) < LONGEST * 2
    kept = fields(content)
    assert (kept["S"], kept["C"], kept["M"][:3], "D" in kept) == ("ERROR", "22012", "xxx", False)


def test_what_is_no_message() -> None:
    with pytest.raises(Garbled):
        read([b"Z\xff\xff\xff\xffI"])


def test_what_a_client_sends() -> None:
    assert query(b"SELECT 1") == b"Q\0\0\0\rSELECT 1\0"
    assert SYNC == b"S\0\0\0\4"
    assert bind([b"one", None]) == b"B\0\0\0\x17\0\0\0\0\0\2\0\0\0\3one\xff\xff\xff\xff\0\0"


def test_characters_that_are_none() -> None:
    assert fields(b"M\xff\xc3\xbc\0\0") == {"M": r"\xffü"}
