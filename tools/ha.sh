#!/bin/sh
# Has three nodes under Patroni go through what happens to machines, in a Debian bookworm with its PostgreSQL and etcd
# (as root):
#     tools/ha.sh [argument of pytest …]
# The nodes are namespaces; nothing of them is seen outside. What they log is in build/ha afterwards.
set -eu
cd "$(dirname "$0")/.."
# The shell in the other Debian reads them once more.
arguments=$(for argument; do printf "'%s' " "$(echo "$argument" | sed "s/'/'\\\\''/g")"; done)
KEEP=build/ha exec tools/chroot.sh bookworm '^(etcd-server|iproute2|procps)$' '
    if ! cmp -s tests/ha/requirements.txt build/patroni/requirements.txt; then
        rm -rf build/patroni /cache/build/patroni
        /usr/bin/python3 -m venv build/patroni
        build/patroni/bin/python -m pip install --quiet --quiet --disable-pip-version-check -r tests/ha/requirements.txt
        cp tests/ha/requirements.txt build/patroni/
        cp -R build/patroni /cache/build/
    fi
    mkdir -p build/ha
    PG_CONFIG=$(tools/pg_config.sh)
    export PG_CONFIG SEED='"${SEED:-}"'
    make -s PG_CONFIG="$PG_CONFIG" all
    unshare --net build/venv/bin/python -m pytest --capture=no -q -p no:randomly tests/ha '"$arguments"
