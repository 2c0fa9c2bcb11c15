#!/bin/sh
# Runs a command of the shell in a Debian of another release, in a copy of the checkout there (as root):
#     tools/chroot.sh suite packages command
# The Debian is made by debootstrap in build/debian/<suite>, from the archive that this machine's apt uses or
# $DEBIAN_MIRROR, and kept; so is what the command leaves in build/venv. Several can run in one at the same
# time. What the command leaves in $KEEP, directories of the checkout, is brought back.
set -eu
umask 022
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "debootstrap and chroot need root" >&2; exit 1; }
suite=$1 packages=$2 command=$3
root=build/debian/$suite

# The archive of Debian itself among apt's sources, not that of its security updates or of somebody else.
mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' \
        'Component: main' | head -n 1
}

mkdir -p build/debian
exec 9>"$root.lock"
flock 9
if [ ! -f "$root.ready" ]; then
    command -v debootstrap >/dev/null || { apt-get update -qq; apt-get install -y -qq debootstrap >/dev/null; }
    DEBIAN_MIRROR=${DEBIAN_MIRROR:-$(mirror)}
    # Who its archives are, apt knows from their lists.
    [ -n "$DEBIAN_MIRROR" ] || { apt-get update -qq; DEBIAN_MIRROR=$(mirror); }
    [ -n "$DEBIAN_MIRROR" ] || { echo "apt has no archive of Debian: set DEBIAN_MIRROR" >&2; exit 1; }
    rm -rf "$root"
    debootstrap --variant=minbase "$suite" "$root" "$DEBIAN_MIRROR" >"$root.log"
    touch "$root.ready"
fi
mkdir -p "$root/etc/ssl/certs" "$root/cache/build"
# A frozen mirror's lists may be past their date.
echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/90frozen"
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/host.crt"
flock -u 9

checkout=$(mktemp -d "$root/checkout.XXXXXX")
trap 'rm -rf "$checkout"' EXIT
trap 'exit 130' INT TERM
chmod 755 "$checkout"
tar --create --exclude=./build --exclude=./.git . | tar --extract --directory "$checkout" --no-same-owner

status=0
unshare --mount --propagation private sh -eu -c '
    root=$1
    mount --bind /proc "$root/proc"
    mount --rbind /dev "$root/dev"
    shift
    exec chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive PIP_CERT=/etc/ssl/certs/host.crt NODE_EXTRA_CA_CERTS=/etc/ssl/certs/host.crt KEEP="${KEEP:-}" sh -eu -c "$@"
' sh "$root" '
    cd "/$3"
    flock 9
    apt-get -qq update
    apt-get -qq install -y --no-install-recommends make $(apt-cache search --names-only "$1" | cut -d" " -f1) >/dev/null
    cp -R /cache/build .
    tools/prepare.sh
    rm -rf /cache/build/venv; cp -R build/venv /cache/build/
    make -s PG_CONFIG=$(tools/pg_config.sh) all >/dev/null
    flock -u 9
    exec 9>&-
    eval "$2"
' sh "$packages" "$command" "${checkout##*/}" || status=$?
for directory in ${KEEP:-}; do
    mkdir -p "$directory"
    cp -R "$checkout/$directory/." "$directory/"
done
exit "$status"
