"""SCRAM-SHA-256 verifiers, in the form in which pg_authid keeps them (RFC 5803)."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode

# Iterations slow down guessing; a secret of 256 random bits cannot be guessed, and each
# iteration would cost time at every connection.
ITERATIONS = 1


def verifier(secret: str, salt: bytes) -> str:
    """What the server keeps of a secret: it can check the secret, but not be used to log in.

    >>> verifier("secret", b"salt")
    'SCRAM-SHA-256$1:c2FsdA==$wN56iZgRmJc8bLR+mwOwuVJuCvu3CIrVguKdgdp7J6s=:ywJYVz0nm/y3tcyI3qXB89hBjaX1PJEJLUzrN3+/5aM='
    """
    salted = hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, ITERATIONS)
    stored_key = hashlib.sha256(_keyed(salted, b"Client Key")).digest()
    server_key = _keyed(salted, b"Server Key")
    return f"SCRAM-SHA-256${ITERATIONS}:{_base64(salt)}${_base64(stored_key)}:{_base64(server_key)}"


def _keyed(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")
