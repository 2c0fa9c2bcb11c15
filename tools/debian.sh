# shellcheck shell=sh
# Debians of other releases, in folders; scripts that run as root read this.

# The archive of Debian itself among apt's sources, not that of its security updates or of somebody else.
archive() {
    [ -z "${DEBIAN_MIRROR:-}" ] || { echo "$DEBIAN_MIRROR"; return; }
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' \
        'Component: main' | head -n 1
}

# make_root suite folder: the base system in that folder, by debootstrap; kept packed in build/debian/<suite>.tar.
# Of two suites, as in sid+experimental, it is that of the first, and the second is there for PostgreSQL.
make_root() {
    base=build/debian/${1%%+*}
    mkdir -p build/debian
    # Who its archives are, apt knows from their lists.
    [ -n "$(archive)" ] || apt-get update -qq
    [ -n "$(archive)" ] || { echo "apt has no archive of Debian: set DEBIAN_MIRROR" >&2; exit 1; }
    exec 8>"$base.tar.lock"
    flock 8
    if [ ! -f "$base.tar" ]; then
        command -v debootstrap >/dev/null || { apt-get update -qq; apt-get install -y -qq debootstrap >/dev/null; }
        rm -rf "$base.base"
        debootstrap --variant=minbase "${base##*/}" "$base.base" "$(archive)" >"$base.log"
        tar --create --file "$base.tar.new" --directory "$base.base" .
        mv "$base.tar.new" "$base.tar"
        rm -rf "$base.base"
    fi
    exec 8>&-
    rm -rf "$2"
    mkdir -p "$2"
    tar --extract --file "$base.tar" --directory "$2"
    case $1 in *+*)
        echo "deb $(archive) ${1#*+} main" >"$2/etc/apt/sources.list.d/second.list"
        printf '%s\n' 'Package: libpq* postgresql*' "Pin: release a=${1#*+}" 'Pin-Priority: 500' >"$2/etc/apt/preferences.d/second" ;;
    esac
    mkdir -p "$2/etc/ssl/certs" "$2/cache/build"
    # A frozen mirror's lists may be past their date.
    echo 'Acquire::Check-Valid-Until "false";' >"$2/etc/apt/apt.conf.d/90frozen"
    # What is lost with the machine is made again.
    echo force-unsafe-io >"$2/etc/dpkg/dpkg.cfg.d/90quick"
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
