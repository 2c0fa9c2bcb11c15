#!/bin/sh
# Runs a command with build/venv and the server to test, and removes its temporary files.
# PostgreSQL does not start as root: for root the command runs in a copy of the checkout as the
# user postgres, who may not be able to read the checkout itself; with KEEP="directory …" these
# directories of the copy are brought back.
# SCRATCH names the directory for temporary files, if it is not to be /tmp.
# The command gets an environment of its own, so that no PGHOST, locale or umask of the developer's decides
# what it does; the variables named below are for it.
set -eu
cd "$(dirname "$0")/.."
umask 022
here=$PWD
PG_CONFIG=$(tools/pg_config.sh)

top=$(mktemp -d "${SCRATCH:-/tmp}/elephant_worker.XXXXXX")
trap 'rm -rf "$top"' EXIT
trap 'exit 130' INT TERM
mkdir "$top/tmp" "$top/home"

checkout=$here
as_user=
if [ "$(id -u)" -eq 0 ]; then
    checkout=$top/checkout
    as_user="runuser -u postgres --"
    mkdir "$checkout"
    tar --create --exclude=./.git --exclude=./build/deb --exclude=./build/debian --exclude=./build/dist . | tar --extract --directory "$checkout" --no-same-owner
    chown -R postgres: "$top"
fi
for name in COLUMNS COMMIT EXAMPLES SEED TERM; do
    eval "[ -z \"\${$name:-}\" ] || set -- \"$name=\$$name\" \"\$@\""
done
status=0
(
    cd "$checkout"
    # shellcheck disable=SC2086 # words are wanted
    exec $as_user env -i HOME="$top/home" TMPDIR="$top/tmp" LANG=C.UTF-8 PG_CONFIG="$PG_CONFIG" \
        PYTHONDONTWRITEBYTECODE=1 PATH="$checkout/build/venv/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "$@"
) || status=$?
if [ "$checkout" != "$here" ]; then
    for directory in ${KEEP:-}; do
        mkdir -p "$directory"
        cp -R "$checkout/$directory/." "$directory/"
    done
fi
exit "$status"
