# shellcheck shell=sh
# Debians of other releases, in folders; scripts that run as root read this.

# The archive of Debian itself among apt's sources, not that of its security updates or of somebody else.
archive() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' \
        'Component: main' | head -n 1
}

# make_root suite folder: the base system in that folder, by debootstrap; kept packed in build/debian/<suite>.tar.
make_root() {
    mkdir -p build/debian
    exec 8>"build/debian/$1.tar.lock"
    flock 8
    if [ ! -f "build/debian/$1.tar" ]; then
        command -v debootstrap >/dev/null || { apt-get update -qq; apt-get install -y -qq debootstrap >/dev/null; }
        DEBIAN_MIRROR=${DEBIAN_MIRROR:-$(archive)}
        # Who its archives are, apt knows from their lists.
        [ -n "$DEBIAN_MIRROR" ] || { apt-get update -qq; DEBIAN_MIRROR=$(archive); }
        [ -n "$DEBIAN_MIRROR" ] || { echo "apt has no archive of Debian: set DEBIAN_MIRROR" >&2; exit 1; }
        rm -rf "build/debian/$1.base"
        debootstrap --variant=minbase "$1" "build/debian/$1.base" "$DEBIAN_MIRROR" >"build/debian/$1.log"
        tar --create --file "build/debian/$1.tar.new" --directory "build/debian/$1.base" .
        mv "build/debian/$1.tar.new" "build/debian/$1.tar"
        rm -rf "build/debian/$1.base"
    fi
    exec 8>&-
    rm -rf "$2"
    mkdir -p "$2"
    tar --extract --file "build/debian/$1.tar" --directory "$2"
    mkdir -p "$2/etc/ssl/certs" "$2/cache/build"
    # A frozen mirror's lists may be past their date.
    echo 'Acquire::Check-Valid-Until "false";' >"$2/etc/apt/apt.conf.d/90frozen"
    # No services in here.
    printf '#!/bin/sh\nexit 101\n' >"$2/usr/sbin/policy-rc.d"
    chmod 755 "$2/usr/sbin/policy-rc.d"
}

# with_root folder program [argument …]: the program, outside of that root, while it has /proc and /dev; what it leaves
# running ends with it.
with_root() {
    unshare --mount --propagation private --pid --fork --kill-child sh -eu -c '
        mount -t proc proc "$1/proc"
        mount --rbind /dev "$1/dev"
        shift
        mount -t proc proc /proc
        "$@"
    ' sh "$@"
}

# in_root folder command [argument …]: a command of the shell there, which gets the arguments as $1 …
in_root() {
    root=$1 command=$2
    shift 2
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/host.crt"
    with_root "$root" chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive PIP_CERT=/etc/ssl/certs/host.crt NODE_EXTRA_CA_CERTS=/etc/ssl/certs/host.crt \
        KEEP="${KEEP:-}" sh -eu -c "$command" sh "$@"
}
