#!/bin/sh
# Prints the pg_config of the server to build for: $PG_CONFIG, or the newest one of Debian's that
# has PL/Python and the files for building extensions.
set -eu
if [ -n "${PG_CONFIG:-}" ]; then
    echo "$PG_CONFIG"
    exit
fi
for config in $(ls -d /usr/lib/postgresql/*/bin/pg_config 2>/dev/null | sort -rV); do
    if [ -f "$("$config" --pgxs)" ] && [ -f "$("$config" --pkglibdir)/plpython3.so" ]; then
        echo "$config"
        exit
    fi
done
echo "no PostgreSQL server with PL/Python and PGXS was found; set PG_CONFIG" >&2
exit 1
