"""SCRAM-SHA-256 (RFC 5802, RFC 7677), the client's side, and verifiers in the form in which pg_authid keeps them.

A client proves that it knows the password, and the server that it knows the client: nothing goes over the connection
by which somebody else could log in, neither with this server nor with another one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import stringprep
import unicodedata
from base64 import b64decode, b64encode
from functools import lru_cache
from typing import NamedTuple

# A server may ask for any number of iterations up to 2147483647, which would take half an hour. PostgreSQL's default
# is 4096; a million takes two seconds, in pieces.
MAX_ITERATIONS = 1_000_000  # iterations
ITERATIONS = 4096  # iterations
# So many are computed in one step; both take some 3 milliseconds.
ITERATIONS_PER_STEP = 1000  # iterations
ITERATIONS_AT_ONCE = 10_000  # iterations
SERVER_FIRST = re.compile(r"r=([!-+\--~]{1,256}),s=([A-Za-z0-9+/=]{1,256}),i=([1-9][0-9]{0,9})")
SERVER_FINAL = re.compile(r"v=([A-Za-z0-9+/=]{1,128})")


class Untrusted(Exception):
    """What the server says is not what the server would say."""


class Keys(NamedTuple):
    """What a client knows. In place of a password, from which both keys could be computed, they can be random."""

    salt: bytes
    iterations: int
    client_key: bytes
    server_key: bytes

    @property
    def verifier(self) -> str:
        """What the server keeps: it can check the keys, but not be used to log in.

        >>> Keys(b"salt", 4096, b"client key", b"server key").verifier
        'SCRAM-SHA-256$4096:c2FsdA==$JcOb/T5vL1az++jV43C/jd+rNaFnUgLxtGQ9crQZ2Hk=:c2VydmVyIGtleQ=='
        """
        stored_key = hashlib.sha256(self.client_key).digest()
        return f"SCRAM-SHA-256${self.iterations}:{_text(self.salt)}${_text(stored_key)}:{_text(self.server_key)}"


def random_keys() -> Keys:
    """Keys of which there is no password: 256 bits each that cannot be guessed, so the iterations cost nobody time."""
    return Keys(secrets.token_bytes(16), ITERATIONS, secrets.token_bytes(32), secrets.token_bytes(32))


class Derivation:
    """Computes the keys of a password step by step (PBKDF2, RFC 8018)."""

    def __init__(self, password: str, salt: bytes, iterations: int) -> None:
        self._salt, self._iterations = salt, iterations
        self._password = prepared(password)
        self._last = hmac.digest(self._password, salt + b"\0\0\0\1", "sha256")
        self._sum = int.from_bytes(self._last, "big")
        self._done = 1

    def step(self) -> Keys | None:
        """Compute some of the iterations; the keys, once these were all."""
        if self._iterations <= ITERATIONS_AT_ONCE:
            return self._keys(hashlib.pbkdf2_hmac("sha256", self._password, self._salt, self._iterations))
        last, total, password = self._last, self._sum, self._password
        count = min(ITERATIONS_PER_STEP, self._iterations - self._done)
        for _ in range(count):
            last = hmac.digest(password, last, "sha256")
            total ^= int.from_bytes(last, "big")
        self._last, self._sum = last, total
        self._done += count
        return self._keys(total.to_bytes(32, "big")) if self._done == self._iterations else None

    def _keys(self, salted: bytes) -> Keys:
        client_key, server_key = (hmac.digest(salted, name, "sha256") for name in (b"Client Key", b"Server Key"))
        return Keys(self._salt, self._iterations, client_key, server_key)


class Exchange:
    """One exchange. `binding` is the TLS channel (tls-server-end-point), if the server wants it to be named;
    `could_bind`: it did not want it, though it could have been named."""

    def __init__(self, binding: bytes | None = None, could_bind: bool = False, nonce: str | None = None) -> None:
        flag = b"p=tls-server-end-point" if binding is not None else b"y" if could_bind else b"n"
        self._header = flag + b",,"
        self._bound = self._header + (binding or b"")
        self._nonce = nonce or _text(secrets.token_bytes(18))
        self._first = f"n=,r={self._nonce}"
        self._server_first = ""
        self._server_nonce = ""
        self._expected = b""

    @property
    def mechanism(self) -> bytes:
        return b"SCRAM-SHA-256-PLUS" if self._header.startswith(b"p") else b"SCRAM-SHA-256"

    def first(self) -> bytes:
        """What the client says first."""
        return self._header + self._first.encode()

    def challenge(self, content: bytes) -> tuple[bytes, int]:
        """Take in what the server answers; salt and iterations. Raises Untrusted."""
        self._server_first = content.decode("ascii", "replace")
        found = SERVER_FIRST.fullmatch(self._server_first)
        if found is None:
            raise Untrusted("the server's SCRAM message cannot be read")
        self._server_nonce, salt, iterations = found[1], _bytes(found[2]), int(found[3])
        if not self._server_nonce.startswith(self._nonce) or self._server_nonce == self._nonce:
            raise Untrusted("the server's SCRAM message answers somebody else")
        if iterations > MAX_ITERATIONS:
            raise Untrusted(f"the server asks for {iterations} SCRAM iterations, more than {MAX_ITERATIONS}")
        return salt, iterations

    def proof(self, keys: Keys) -> bytes:
        """What the client says then."""
        final = f"c={_text(self._bound)},r={self._server_nonce}"
        exchanged = f"{self._first},{self._server_first},{final}".encode()
        signature = hmac.digest(hashlib.sha256(keys.client_key).digest(), exchanged, "sha256")
        self._expected = hmac.digest(keys.server_key, exchanged, "sha256")
        proof = (int.from_bytes(keys.client_key, "big") ^ int.from_bytes(signature, "big")).to_bytes(32, "big")
        return f"{final},p={_text(proof)}".encode()

    def check_signature(self, content: bytes) -> None:
        """See that it is the server who answers, which knows the client. Raises Untrusted."""
        found = SERVER_FINAL.fullmatch(content.decode("ascii", "replace"))
        if found is None or not self._expected or not hmac.compare_digest(_bytes(found[1]), self._expected):
            raise Untrusted("the server does not know who logs in: its SCRAM signature is wrong")


@lru_cache(maxsize=256)
def prepared(password: str) -> bytes:
    """A password as SASLprep (RFC 4013) has it; one that it does not allow, as it is.

    >>> prepared("I\\u00adX"), prepared("\\u2168"), prepared("a\\u0007")
    (b'IX', b'IX', b'a\\x07')
    """
    if password.isascii():
        return password.encode()
    mapped = "".join(
        " " if stringprep.in_table_c12(letter) else letter for letter in password if not stringprep.in_table_b1(letter)
    )
    text = unicodedata.normalize("NFKC", mapped)
    left = [stringprep.in_table_d2(letter) for letter in text]
    right = [stringprep.in_table_d1(letter) for letter in text]
    mixed = any(right) and (any(left) or not (right[0] and right[-1]))
    if not text or mixed or any(test(letter) for letter in text for test in _PROHIBITED):
        text = password
    return text.encode()


_PROHIBITED = (
    stringprep.in_table_a1,
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def _text(data: bytes) -> str:
    return b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        data = b""
    # Versions of Python differ in what they pass over.
    if not data or _text(data) != text:
        raise Untrusted("the server's SCRAM message cannot be read")
    return data
