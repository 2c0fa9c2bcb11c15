"""TLS as libpq's parameters ask for it."""

from __future__ import annotations

import hashlib
import os
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address

from .transport import Lost

DIRECTORY = os.path.expanduser("~/.postgresql")
# For so many seconds the files are not read again: the authorities of a system are many.
KEPT = 60  # seconds
VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
PARAMETERS = (
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "sslcrl",
    "sslcrldir",
    "sslcert",
    "sslkey",
    "sslpassword",
    "sslcertmode",
    "sslkeylogfile",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
)


def context(parameters: Mapping[str, str]) -> ssl.SSLContext:
    """How to encrypt. Raises Lost where a file cannot be read."""
    chosen = tuple((name, parameters[name]) for name in PARAMETERS if parameters.get(name))
    return _context(chosen, int(time.monotonic() / KEPT))


@lru_cache(maxsize=32)
def _context(chosen: tuple[tuple[str, str], ...], _period: int) -> ssl.SSLContext:
    parameters = dict(chosen)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    try:
        # With numbers that the server chooses, as long as it likes, the keys would take up to a second.
        made.set_ciphers(":".join(cipher["name"] for cipher in made.get_ciphers() if cipher["kea"] != "kx-dhe"))
        made.minimum_version = VERSIONS[parameters.get("ssl_min_protocol_version", "TLSv1.2")]
        if "ssl_max_protocol_version" in parameters:
            made.maximum_version = VERSIONS[parameters["ssl_max_protocol_version"]]
        _set_authorities(made, parameters)
        _set_certificate(made, parameters)
        if "sslkeylogfile" in parameters:
            made.keylog_filename = parameters["sslkeylogfile"]
        if parameters.get("sslnegotiation") == "direct":
            made.set_alpn_protocols(["postgresql"])
    except (OSError, ValueError, KeyError) as error:
        raise Lost(f"TLS cannot be set up: {error}") from None
    return made


def _set_authorities(made: ssl.SSLContext, parameters: Mapping[str, str]) -> None:
    """Where there is a file of authorities the server's certificate must be of one of them, as with libpq."""
    mode = parameters.get("sslmode", "prefer")
    root = parameters.get("sslrootcert", os.path.join(DIRECTORY, "root.crt"))
    if root == "system":
        made.load_default_certs()
        mode = "verify-full"
    elif os.path.exists(root):
        made.load_verify_locations(root)
    elif mode in ("verify-ca", "verify-full"):
        raise OSError(f'root certificate file "{root}" does not exist')
    else:
        return
    made.verify_mode = ssl.CERT_REQUIRED
    revoked = parameters.get("sslcrl"), parameters.get("sslcrldir")
    if any(revoked):
        made.load_verify_locations(*revoked)
        made.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
    made.check_hostname = mode == "verify-full"


def _set_certificate(made: ssl.SSLContext, parameters: Mapping[str, str]) -> None:
    """The client's own certificate; only one that is named: what is the worker's it shows to nobody unasked."""
    certificate = parameters.get("sslcert")
    if certificate and parameters.get("sslcertmode") != "disable":
        word = parameters.get("sslpassword", "")
        # A function, so that nobody is asked at a terminal.
        made.load_cert_chain(certificate, parameters.get("sslkey"), lambda: word)


def is_verified(parameters: Mapping[str, str], made: ssl.SSLContext) -> bool:
    """Whether the server is known to be the one that was asked for."""
    return made.check_hostname or parameters.get("sslmode") == "verify-ca"


def server_name(host: str, parameters: Mapping[str, str], made: ssl.SSLContext) -> str | None:
    """The name that the certificate must have, and that the server is told."""
    with suppress(ValueError):
        ip_address(host)
        return host if made.check_hostname else None
    return host if host and (made.check_hostname or parameters.get("sslsni") != "0") else None


# Of the algorithms by which certificates are signed the hash, and for older hashes SHA-256 (RFC 5929).
SIGNATURES = {
    bytes.fromhex("2a864886f70d010104"): "sha256",
    bytes.fromhex("2a864886f70d010105"): "sha256",
    bytes.fromhex("2a864886f70d01010b"): "sha256",
    bytes.fromhex("2a864886f70d01010c"): "sha384",
    bytes.fromhex("2a864886f70d01010d"): "sha512",
    bytes.fromhex("2a8648ce3d0401"): "sha256",
    bytes.fromhex("2a8648ce3d040302"): "sha256",
    bytes.fromhex("2a8648ce3d040303"): "sha384",
    bytes.fromhex("2a8648ce3d040304"): "sha512",
}


def channel_binding(encrypted: ssl.SSLObject) -> bytes | None:
    """The server's certificate as SCRAM names it (RFC 5929, tls-server-end-point); None where no hash is known."""
    certificate = encrypted.getpeercert(binary_form=True)
    try:
        whole = _content(certificate or b"", 0)[0]
        signed_end = _content(whole, 0)[1]
        algorithm = _content(_content(whole, signed_end)[0], 0)[0]
        return hashlib.new(SIGNATURES[algorithm], certificate or b"").digest()
    except (IndexError, KeyError):
        return None


def _content(data: bytes, start: int) -> tuple[bytes, int]:
    """What a value of DER (X.690) contains, and where it ends.

    >>> _content(bytes.fromhex("300302010a"), 0), _content(bytes.fromhex("0481020102"), 0)
    ((b'\\x02\\x01\\n', 5), (b'\\x01\\x02', 5))
    """
    length, begin = data[start + 1], start + 2
    if length & 128:
        begin += length & 127
        length = int.from_bytes(data[start + 2 : begin], "big")
    return data[begin : begin + length], begin + length
