#!/bin/sh
# Installs what the make targets for developers need: the server's packages (Debian, as root or
# with sudo), and build/venv with the Python packages of tools/requirements.txt.
set -eu
umask 022
cd "$(dirname "$0")/.."

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

missing_packages() {
    [ -x /usr/bin/python3 ] || echo python3
    python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
    python3 -m pip --version >/dev/null 2>&1 || echo python3-pip
    [ -d /usr/share/zoneinfo ] || echo tzdata
    command -v openssl >/dev/null || echo openssl
    env kill -l >/dev/null 2>&1 || echo procps # what sudo runs; that of the shell is not meant
    ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || echo faketime
    [ -x /usr/sbin/pgbouncer ] || echo pgbouncer
    ls /usr/share/postgresql/*/extension/pgagent.control >/dev/null 2>&1 || echo pgagent
    if ! tools/pg_config.sh >/dev/null 2>&1; then
        major=$(apt-cache depends postgresql | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p')
        echo "postgresql-$major postgresql-plpython3-$major postgresql-server-dev-$major postgresql-$major-cron"
        return
    fi
    # The tests make the same calls to pg_cron, where Debian has it for the server.
    config=$(tools/pg_config.sh)
    case $config in
    /usr/lib/postgresql/*)
        major=$(echo "$config" | cut -d/ -f5)
        [ -e "$("$config" --pkglibdir)/pg_cron.so" ] || echo "postgresql-$major-cron" ;;
    esac
}

# Debian's own interpreter: one of pyenv or the like may lie where the server's user cannot go.
PATH="/usr/bin:/bin:$PATH"
export PATH DEBIAN_FRONTEND=noninteractive

if [ -n "$(missing_packages)" ]; then
    command -v apt-get >/dev/null || { echo "Please install: $(missing_packages)" >&2; exit 1; }
    as_root apt-get update -qq
    # Debian has pg_cron for the versions of its releases, not for a coming one.
    packages=$(missing_packages | tr ' ' '\n' | while read -r package; do
        case $package in *-cron) apt-cache show "$package" >/dev/null 2>&1 || continue ;; esac
        echo "$package"
    done)
    # shellcheck disable=SC2086 # a list of words is wanted
    [ -z "$packages" ] || as_root apt-get install -y -qq --no-install-recommends $packages >/dev/null
fi

if ! cmp -s tools/requirements.txt build/venv/requirements.txt; then
    rm -rf build/venv
    mkdir -p build
    /usr/bin/python3 -m venv build/venv
    build/venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check -r tools/requirements.txt
    cp tools/requirements.txt build/venv/requirements.txt
fi
