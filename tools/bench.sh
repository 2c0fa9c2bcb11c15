#!/bin/sh
# Measures, and writes tables and plots:
#     tools/bench.sh [--quick] [scenario …]
# This project on the server that is installed here; and beside its peers in a Debian sid (PostgreSQL 18)
# by debootstrap, which needs root. Where that cannot be had, beside those of this release.
# The short form writes to build/bench; the full one also to bench/results, docs/benchmarks.md and
# docs/benchmarks.
set -eu
cd "$(dirname "$0")/.."
COMMIT=$(git describe --always --dirty --exclude '*' 2>/dev/null || echo unknown)
KEEP=build/bench/results
export COMMIT KEEP
quick=
[ "${1:-}" != --quick ] || { quick=--quick; shift; }

rm -rf build/bench
measure="python -m bench.run $quick"
peers='^postgresql-18-cron$|^pgagent$|^cron$'
if [ "$(id -u)" -eq 0 ] && KEEP='' tools/chroot.sh sid "$peers" true; then
    # shellcheck disable=SC2086 # words are wanted
    [ -n "$quick" ] || tools/sandbox.sh $measure --own "$@"
    tools/chroot.sh sid "$peers" "
        cron
        trap 'kill \$(cat /run/crond.pid)' EXIT
        COMMIT=$COMMIT tools/sandbox.sh $measure $*"
else
    echo "No Debian sid here; the peers are those of this release." >&2
    [ "$(id -u)" -ne 0 ] || apt-get install -y -qq --no-install-recommends \
        "$("$(tools/pg_config.sh)" --version | sed 's/.* \([0-9]*\)\..*/postgresql-\1-cron/')" pgagent >/dev/null
    # shellcheck disable=SC2086
    tools/sandbox.sh $measure "$@"
fi

if ! cmp -s bench/requirements.txt build/venv/bench-requirements.txt; then
    build/venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check -r bench/requirements.txt
    cp bench/requirements.txt build/venv/bench-requirements.txt
fi
build/venv/bin/python -m bench.report build/bench/results
if [ -z "$quick" ]; then
    cp build/bench/results/*.json bench/results/
    build/venv/bin/python -m bench.report --publish bench/results
fi
