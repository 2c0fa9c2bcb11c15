#!/bin/sh
# Runs a command of the shell in a Debian of another release, in a copy of the checkout there (as root):
#     tools/chroot.sh suite packages command
# The Debian is made by debootstrap in build/debian/<suite> and kept; so is what the command leaves
# in build/venv. What it leaves in $KEEP, directories of the checkout, is brought back.
set -eu
umask 022
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "debootstrap and chroot need root" >&2; exit 1; }
command -v debootstrap >/dev/null || { apt-get update -qq; apt-get install -y -qq debootstrap >/dev/null; }
suite=$1 packages=$2 command=$3
root=build/debian/$suite

if [ ! -f "$root.ready" ]; then
    rm -rf "$root"
    mkdir -p build/debian
    debootstrap --variant=minbase "$suite" "$root" http://deb.debian.org/debian >"$root.log"
    touch "$root.ready"
fi
rm -rf "$root/checkout"
mkdir -p "$root/checkout" "$root/etc/ssl/certs" "$root/cache/build"
tar --create --exclude=./build --exclude=./.git . | tar --extract --directory "$root/checkout" --no-same-owner
cp -R "$root/cache/build" "$root/checkout/"
# A frozen mirror's lists may be past their date.
echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/90frozen"
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/host.crt"

status=0
unshare --mount --propagation private sh -eu -c '
    root=$1
    mount --bind /proc "$root/proc"
    mount --rbind /dev "$root/dev"
    shift
    exec chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive PIP_CERT=/etc/ssl/certs/host.crt NODE_EXTRA_CA_CERTS=/etc/ssl/certs/host.crt KEEP="${KEEP:-}" sh -eu -c "$@"
' sh "$root" '
    cd /checkout
    apt-get -qq update
    apt-get -qq install -y --no-install-recommends make $(apt-cache search --names-only "$1" | cut -d" " -f1) >/dev/null
    tools/prepare.sh
    rm -rf /cache/build/venv; cp -R build/venv /cache/build/
    make -s PG_CONFIG=$(tools/pg_config.sh) all >/dev/null
    eval "$2"
' sh "$packages" "$command" || status=$?
for directory in ${KEEP:-}; do
    mkdir -p "$directory"
    cp -R "$root/checkout/$directory/." "$directory/"
done
exit "$status"
