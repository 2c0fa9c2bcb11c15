#!/bin/sh
# Runs a command with build/venv and the server to test, and removes its temporary files.
# PostgreSQL does not start as root: for root the command runs in a copy of the checkout as the
# user postgres, who may not be able to read the checkout itself; with KEEP="directory …" these
# directories of the copy are brought back.
set -eu
cd "$(dirname "$0")/.."
PG_CONFIG=$(tools/pg_config.sh)
PYTHONDONTWRITEBYTECODE=1
export PG_CONFIG PYTHONDONTWRITEBYTECODE

top=$(mktemp -d /tmp/elephant_worker.XXXXXX)
trap 'rm -rf "$top"' EXIT
trap 'exit 130' INT TERM
mkdir "$top/tmp"
status=0
if [ "$(id -u)" -ne 0 ]; then
    env TMPDIR="$top/tmp" PATH="$PWD/build/venv/bin:/usr/bin:/bin:$PATH" "$@" || status=$?
    exit "$status"
fi

mkdir "$top/checkout"
tar --create --exclude=./.git --exclude=./build/debian . | tar --extract --directory "$top/checkout" --no-same-owner
chown -R postgres: "$top"
(
    cd "$top/checkout"
    runuser -u postgres -- env HOME="$top" TMPDIR="$top/tmp" PATH="$top/checkout/build/venv/bin:/usr/bin:/bin" "$@"
) || status=$?
for directory in ${KEEP:-}; do
    mkdir -p "$directory"
    cp -R "$top/checkout/$directory/." "$directory/"
done
exit "$status"
