#!/bin/sh
# Runs the test suite on the PostgreSQL of other Debian releases, each in a folder of its own:
#     tools/matrix.sh [suite …]        (as root; the default is bookworm trixie sid)
# PostgreSQL 15, 17 and 18; sid has pg_background too. The folders are kept in build/matrix.
set -eu
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "make matrix needs root, for debootstrap and chroot" >&2; exit 1; }
command -v debootstrap >/dev/null || { apt-get update -qq; apt-get install -y -qq debootstrap >/dev/null; }

# A frozen mirror's lists may be past their date.
apt_options="-o Acquire::Check-Valid-Until=false -qq"

prepare() {
    suite=$1 root=$2
    if [ ! -f "$root.ready" ]; then
        rm -rf "$root"
        debootstrap --variant=minbase "$suite" "$root" http://deb.debian.org/debian >"$root.log"
        touch "$root.ready"
    fi
    rm -rf "$root/checkout"
    mkdir -p "$root/checkout" "$root/etc/ssl/certs"
    tar --create --exclude=./build --exclude=./.git . | tar --extract --directory "$root/checkout" --no-same-owner
    mkdir -p "$root/cache/build"
    cp -R "$root/cache/build" "$root/checkout/"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/host.crt"
}

run() {
    root=$1
    unshare --mount --propagation private sh -eu -c '
        root=$1 options=$2
        mount --bind /proc "$root/proc"
        mount --rbind /dev "$root/dev"
        chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
            DEBIAN_FRONTEND=noninteractive PIP_CERT=/etc/ssl/certs/host.crt sh -eu -c "
                cd /checkout
                apt-get $options update
                apt-get $options install -y --no-install-recommends make \
                    \$(apt-cache search --names-only \"^postgresql-[0-9]+-pg-background\$\" | cut -d\" \" -f1) >/dev/null
                tools/prepare.sh
                rm -rf /cache/build/venv; cp -R build/venv /cache/build/
                make -s PG_CONFIG=\$(tools/pg_config.sh) all >/dev/null
                \$(tools/pg_config.sh) --version
                tools/sandbox.sh python -m pytest -q
            "
    ' sh "$root" "$apt_options"
}

mkdir -p build/matrix
status=0
for suite in ${*:-bookworm trixie sid}; do
    echo "=== $suite"
    prepare "$suite" "build/matrix/$suite"
    run "build/matrix/$suite" || { echo "=== $suite FAILED" >&2; status=1; }
done
exit "$status"
