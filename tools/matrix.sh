#!/bin/sh
# Runs the test suite on the PostgreSQL of other Debian releases, each in a folder of its own:
#     tools/matrix.sh [suite …]        (as root; the default is bookworm trixie sid)
# PostgreSQL 15, 17 and 18; sid has pg_background too. The folders are kept in build/debian.
set -eu
cd "$(dirname "$0")/.."
status=0
for suite in ${*:-bookworm trixie sid}; do
    echo "=== $suite"
    # shellcheck disable=SC2016 # is expanded there
    tools/chroot.sh "$suite" '^postgresql-[0-9]+-pg-background$' \
        '$(tools/pg_config.sh) --version
         tools/sandbox.sh python -m pytest -q --numprocesses=2 --dist=worksteal' ||
        { echo "=== $suite FAILED" >&2; status=1; }
done
exit "$status"
