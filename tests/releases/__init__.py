"""Releases of the past, as far as tests need them; see README.md."""

from __future__ import annotations

import tarfile
from pathlib import Path

from harness.cluster import Installation, pg_config

DIRECTORY = Path(__file__).resolve().parent
# What updates start from.
ORIGIN = "1.0.0"
UPDATE = "ALTER EXTENSION elephant_worker UPDATE"


def add_release(installation: Installation, version: str) -> Path:
    """Put an earlier release beside the present one, as its own `make install` did; returns its Python directory.

    It runs with the packages of others that the present release brings along.
    """
    release = DIRECTORY / version
    scripts = installation.moved(pg_config("--sharedir")) / "extension"
    for script in release.glob("*.sql"):
        text = script.read_text().replace("@PKGLIBDIR@", str(installation.moved(pg_config("--pkglibdir"))))
        (scripts / script.name).write_text(text)
    package = installation.moved(pg_config("--pkglibdir")) / "elephant_worker" / version
    if (package / "vendor").exists():  # another test has done it
        return package
    with tarfile.open(release / "plpython.tar.gz") as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
        for member in members:
            member.name = member.name.removeprefix("plpython/")
        # Python 3.12 and 3.13 warn where nothing is said; the first versions of 3.11 know no filters.
        if data_filter := getattr(tarfile, "data_filter", None):
            archive.extraction_filter = data_filter
        archive.extractall(package, members)
    (vendor,) = package.parent.glob("*/vendor")
    (package / "vendor").symlink_to(vendor)
    return package
