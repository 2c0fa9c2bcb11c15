#!/bin/sh
# Runs the test suite on other versions of PostgreSQL, and the unit tests on the oldest Python, each in a Debian of
# its own in build/debian:
#     tools/matrix.sh [version …]        (as root; the default is all that are supported)
# 15, 17 and 18 are Debian's, of bookworm, trixie and sid (which has pg_background too); 16 is in none.
# Bullseye has Python 3.9 and a PostgreSQL that is too old.
set -eu
cd "$(dirname "$0")/.."
status=0
for version in ${*:-15 16 17 18 python3.9}; do
    server=tools/pg_config.sh tests=
    case $version in
    15) suite=bookworm ;;
    16) suite=bookworm server="tools/embedded_server.sh /opt/postgresql/16" ;;
    17) suite=trixie ;;
    18) suite=sid ;;
    python3.9) suite=bullseye tests="tests/unit plpython" ;;
    *) echo "$version is not supported" >&2; exit 1 ;;
    esac
    echo "=== $version"
    tools/chroot.sh "$suite" '^postgresql-[0-9]+-pg-background$' \
        "PG_CONFIG=\$($server); export PG_CONFIG
         tools/sandbox.sh python -m pytest -q --numprocesses=2 --dist=worksteal $tests" ||
        { echo "=== $version FAILED" >&2; status=1; }
done
exit "$status"
