"""What `make install` writes anew: the version of the extension that this code belongs to, from the control file, and
the directories of time zones that the server's Python has been built with."""

from __future__ import annotations

VERSION = "unreleased"
TZPATH: str | None = None
