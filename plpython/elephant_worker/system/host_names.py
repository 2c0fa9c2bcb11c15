"""Host names as pg_hba.conf has them."""

from __future__ import annotations

import socket
from ipaddress import ip_address


def has_address(host: str, address: str) -> bool:
    """Whether a host name stands for an address; one that begins with a dot, for all hosts below it.

    >>> has_address("localhost", "127.0.0.1"), has_address("localhost", "192.0.2.1")
    (True, False)
    """
    try:
        # As the server does it: a suffix is compared with the name that the address has.
        name = socket.gethostbyaddr(address)[0] if host.startswith(".") else host
        found = {ip_address(entry[4][0]) for entry in socket.getaddrinfo(name, None)}
    except OSError:
        return False
    return ip_address(address) in found and name.lower().endswith(host.lower())
