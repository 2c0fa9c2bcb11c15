#!/bin/sh
# Builds Debian packages of what make dist has made, and tries them (as root):
#     tools/deb.sh [suite …]        (the default is bookworm and sid)
# For each suite there are two Debians: in one the packages are built, without a network, and checked by lintian, and
# the PGXN client installs and checks the tarball; in the other, which has the base system alone, autopkgtest installs
# the packages and runs debian/tests. What comes out is in build/deb/<suite>.
set -eu
umask 022
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "debootstrap and chroot need root" >&2; exit 1; }
. tools/debian.sh
if ! command -v autopkgtest >/dev/null || ! command -v ip >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends autopkgtest iproute2 >/dev/null
fi
version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" elephant_worker.control)

# As in_root, and only the machine itself can be reached.
without_network() {
    unshare --net sh -eu -c '. tools/debian.sh; ip link set lo up; in_root "$@"' sh "$@"
}

for suite in ${*:-bookworm sid}; do
    echo "=== $suite: build"
    root=build/debian/$suite.build
    [ -f "$root.ready" ] || { make_root "$suite" "$root"; touch "$root.ready"; }
    rm -rf "$root/build" "build/deb/$suite"
    mkdir -p "$root/build" "build/deb/$suite"
    cp "build/dist/elephant_worker-$version.tar.gz" "$root/build/elephant-worker_$version.orig.tar.gz"
    tar --extract --gzip --file "$root/build/elephant-worker_$version.orig.tar.gz" --directory "$root/build"
    cp -R debian "$root/build/elephant_worker-$version/"
    in_root "$root" '
        cd "/build/elephant_worker-$1"
        apt-get -qq update
        apt-get -qq install -y --no-install-recommends dpkg-dev fakeroot iproute2 lintian pgxnclient postgresql-server-dev-all >/dev/null
        pg_buildext updatecontrol
        apt-get -qq install -y --no-install-recommends adduser >/dev/null
        apt-get -qq build-dep -y --no-install-recommends . >/dev/null
        id builder >/dev/null 2>&1 || adduser --quiet --disabled-password --gecos "" builder
        chown -R builder: /build
    ' "$version"
    status=0
    without_network "$root" '
        cd "/build/elephant_worker-$1"
        runuser -u builder -- dpkg-buildpackage --unsigned-source --unsigned-changes
    ' "$version" >"build/deb/$suite/build.log" 2>&1 || status=$?
    [ "$status" -eq 0 ] || { tail -n 60 "build/deb/$suite/build.log"; exit "$status"; }
    find "$root/build" -maxdepth 1 -type f -exec cp {} "build/deb/$suite/" ';'

    echo "=== $suite: lintian"
    in_root "$root" 'runuser -u builder -- lintian --fail-on error --info --display-info /build/*.changes' \
        >"build/deb/$suite/lintian.log" || status=$?
    grep '^[A-Z]: ' "build/deb/$suite/lintian.log" || true
    [ "$status" -eq 0 ] || exit "$status"

    echo "=== $suite: pgxn"
    without_network "$root" '
        pg_virtualenv sh -eux -c "
            pgxn install --yes --nosudo --pg_config \$PG_CONFIG /build/*.orig.tar.gz
            pgxn check --pg_config \$PG_CONFIG /build/*.orig.tar.gz"
    ' >"build/deb/$suite/pgxn.log" 2>&1 || status=$?
    [ "$status" -eq 0 ] || { tail -n 60 "build/deb/$suite/pgxn.log"; exit "$status"; }

    echo "=== $suite: autopkgtest"
    root=build/debian/$suite.empty
    make_root "$suite" "$root"
    with_root "$root" autopkgtest --summary-file="build/deb/$suite/tests" --apt-upgrade "build/deb/$suite"/*.changes -- \
        chroot "$PWD/$root" >"build/deb/$suite/autopkgtest.log" 2>&1 || status=$?
    [ "$status" -eq 0 ] || { tail -n 60 "build/deb/$suite/autopkgtest.log"; exit "$status"; }
    cat "build/deb/$suite/tests"
    rm -rf "$root"
done
