#!/bin/sh
# Runs the test suite on other versions of PostgreSQL, the unit tests on the oldest Python, and the tests of upgrades
# from the oldest PostgreSQL, each in a Debian of its own in build/debian:
#     tools/matrix.sh [version …]        (as root; the default is all that are supported)
# 15, 17 and 18 are Debian's, of bookworm, trixie and sid (which has pg_background too), and so is 19, of experimental;
# 16 is in none.
# Bullseye has Python 3.9 and a PostgreSQL that is too old.
set -eu
cd "$(dirname "$0")/.."
status=0
for version in ${*:-15 16 17 18 19 python3.9 upgrade}; do
    server=tools/pg_config.sh tests= packages='^postgresql-[0-9]+-pg-background$'
    case $version in
    15) suite=bookworm ;;
    16) suite=bookworm server="tools/embedded_server.sh /opt/postgresql/16" ;;
    17) suite=trixie ;;
    18) suite=sid ;;
    19) suite=sid+experimental packages='^postgresql(-plpython3|-server-dev)?-19$' ;;
    python3.9) suite=bullseye tests="tests/unit plpython" ;;
    upgrade)
        suite=sid+bookworm tests=tests/upgrade
        packages='^(postgresql(-plpython3|-server-dev)?-(15|18)|python3.11)$'
        # Each of the two servers has another Python.
        server='tools/wheels.sh plpython/wheels && tools/pg_config.sh' ;;
    *) echo "$version is not supported" >&2; exit 1 ;;
    esac
    echo "=== $version"
    tools/chroot.sh "$suite" "$packages" \
        "PG_CONFIG=\$($server); export PG_CONFIG
         SCRATCH=\$(tools/scratch.sh) tools/sandbox.sh python -m pytest -q --numprocesses=2 --dist=worksteal $tests" ||
        { echo "=== $version FAILED" >&2; status=1; }
done
exit "$status"
