"""What a connection is made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from ..records import record
from .scram import Keys

# How a server can ask who it is that connects, as libpq's require_auth calls it. Kerberos is not spoken.
NONE, PASSWORD, MD5, SCRAM = "none", "password", "md5", "scram-sha-256"
METHODS = frozenset((NONE, PASSWORD, MD5, SCRAM))


@record(frozen=True)
class Login:
    """Parameters as libpq calls them, and what the client insists on.

    A password leaves the client as a SCRAM proof only, unless the server is known (it is the postmaster, or TLS has
    verified it) or `is_lenient`: somebody whom everything is entrusted to allows more.
    """

    parameters: Mapping[str, str] = field(repr=False)
    # Those of a runner, which has no password.
    keys: Keys | None = field(default=None, repr=False)
    # Whether it must be the postmaster of this very process that listens, and nobody else.
    to_postmaster: bool = False
    # Whether the server must ask for the password: nothing that is the worker's own may let the session in.
    password_required: bool = False
    methods: frozenset[str] = METHODS
    is_lenient: bool = False
    # The addresses at which only TLS is let in, as far as that has been found out.
    wants_tls: set[str] = field(default_factory=set, repr=False, compare=False)

    # The role to become, in the bytes that the catalogs have; None: it stays what it is.
    role: bytes | None = None
    # For whose jobs it is.
    role_oid: int = 0
    # Another one when sessions that are opened later differ from those that are open.
    version: str = ""

    @property
    def user(self) -> str:
        """The role that logs in."""
        return self.parameters["user"]

    def at(self, address: Mapping[str, str]) -> Login:
        """The same, at the address of another connection."""
        others = {name: value for name, value in self.parameters.items() if name not in ("host", "hostaddr", "port")}
        return replace(self, parameters={**others, **address})

    def accepts(self, method: str, is_known: bool, is_postmaster: bool) -> bool:
        """Whether a server may ask in this way."""
        if method not in self.methods:
            return False
        if method == NONE:
            return is_postmaster or not (self.password_required or self.keys is not None)
        return method == SCRAM or is_known or self.is_lenient


def required_methods(text: str) -> frozenset[str]:
    """What libpq's parameter require_auth says; Kerberos and the like are passed over.

    >>> sorted(required_methods("scram-sha-256,md5,gss")), sorted(required_methods("!password,!none"))
    (['md5', 'scram-sha-256'], ['md5', 'scram-sha-256'])
    >>> required_methods("") == METHODS
    True
    """
    words = {word.strip() for word in text.split(",") if word.strip()}
    unwanted = {word[1:] for word in words if word.startswith("!")}
    return METHODS - unwanted if unwanted or not words else METHODS & words
