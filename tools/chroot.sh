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
. tools/debian.sh
suite=$1 packages=$2 command=$3
root=build/debian/$suite

mkdir -p build/debian
exec 9>"$root.lock"
flock 9
if [ ! -f "$root.ready" ]; then
    make_root "$suite" "$root"
    touch "$root.ready"
fi
flock -u 9

checkout=$(mktemp -d "$root/checkout.XXXXXX")
trap 'rm -rf "$checkout"' EXIT
trap 'exit 130' INT TERM
tar --create --exclude=./build --exclude=./.git . | tar --extract --directory "$checkout" --no-same-owner
# Users other than root go there too, whatever the umask of the developer.
chmod -R u=rwX,go=rX "$checkout"

status=0
in_root "$root" '
    cd "/$3"
    flock 9
    apt-get -qq update
    apt-get -qq install -y --no-install-recommends make $(apt-cache search --names-only "$1" | cut -d" " -f1) >/dev/null
    cp -R /cache/build .
    tools/prepare.sh
    rm -rf /cache/build/venv; cp -R build/venv /cache/build/
    make -s PG_CONFIG=$(tools/pg_config.sh) build/vendor >/dev/null
    flock -u 9
    exec 9>&-
    eval "$2"
' "$packages" "$command" "${checkout##*/}" || status=$?
for directory in ${KEEP:-}; do
    mkdir -p "$directory"
    cp -R "$checkout/$directory/." "$directory/"
done
exit "$status"
