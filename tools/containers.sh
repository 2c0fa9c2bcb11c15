#!/bin/sh
# Does in a chroot what docs/containers.md says, where there need be no Docker (as root): the Dockerfile's RUN, its files
# in their places, the server as process 1 of its own, the health check. What stands in for the official image is
# Debian's server and a script that does what the image's entrypoint does.
set -eu
umask 022
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "debootstrap and chroot need root" >&2; exit 1; }
. tools/debian.sh
version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" elephant_worker.control)
root=$PWD/build/debian/container

# file name: the block of the document that has it.
file() { sed -n "\|^<!-- file: $1 -->\$|,\|^\`\`\`\$|p" docs/containers.md | sed '1,2d;$d'; }

make_root bookworm "$root"
in_root "$root" 'apt-get -qq update; apt-get -qq install -y --no-install-recommends postgresql-15 gosu >/dev/null'
cat >"$root/usr/local/bin/docker-entrypoint.sh" <<'END'
#!/bin/sh
set -eu
export PGDATA=/var/lib/postgresql/data PATH="/usr/lib/postgresql/15/bin:$PATH"
[ "$(id -u)" -ne 0 ] || { install -d -o postgres "$PGDATA" /run/postgresql; exec gosu postgres "$0" "$@"; }
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --username=postgres --auth=trust >/dev/null
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    pg_ctl -s -w -D "$PGDATA" -o "-c listen_addresses=''" start
    for script in /docker-entrypoint-initdb.d/*.sql; do psql -Xq -v ON_ERROR_STOP=1 -f "$script"; done
    pg_ctl -s -w -m fast -D "$PGDATA" stop
fi
exec "$@" -c listen_addresses='*' -c port="${PGPORT:-5432}"
END
chmod 755 "$root/usr/local/bin/docker-entrypoint.sh"

tar --extract --gzip --file "build/dist/elephant_worker-$version.tar.gz" --directory "$root/usr/src"
file Dockerfile | sed -n '/^RUN /,/[^\\]$/p' | sed '1s/^RUN //' >"$root/install"
in_root "$root" 'PG_MAJOR=15 sh /install' >"build/debian/container.log" 2>&1 || { tail -n 30 build/debian/container.log; exit 1; }
install -d "$root/docker-entrypoint-initdb.d"
file create.sql >"$root/docker-entrypoint-initdb.d/create.sql"
file start >"$root/usr/local/bin/start"
chmod 755 "$root/usr/local/bin/start"
file Dockerfile | sed -n 's/^HEALTHCHECK .* CMD //p' >"$root/health"

unshare --mount --propagation private --net --pid --fork --kill-child sh -eu -c '
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    ip link set lo up
    exec chroot "$1" start postgres
' sh "$root" >>build/debian/container.log 2>&1 &
container=$!
trap 'kill $container 2>/dev/null || true; tail -n 30 build/debian/container.log' EXIT

# In the namespaces of the container, whose process 1 is the only child.
inside() {
    nsenter --target "$(pgrep -P $container)" --mount --net --pid chroot "$root" sh -eu -c "$1"
}
healthy() {
    for _ in $(seq 90); do
        # While the cluster is made, a server of the entrypoint's own answers.
        ! inside "grep -qx postgres /proc/1/comm && $(cat "$root/health")" 2>/dev/null || return 0
        sleep 1
    done
    echo "not healthy" >&2
    return 1
}
worker() { inside "psql -XAtq -U postgres -c 'SELECT pid FROM scheduler.worker_status'"; }
job="SELECT scheduler.insert_job('SELECT 1', 'postgres', job_name => 'hello')"
healthy
inside "psql -XAtq -U postgres -c \"$job\" >/dev/null"
[ "$(inside "psql -XAtq -U postgres -c \"SET search_path = scheduler\" -c \"CALL wait_for_run(run_job('hello'), '1 minute')\"")" = 'succeeded|' ]
# The launcher brings back a worker that has ended together with its spare.
before=$(worker)
inside "psql -XAtq -U postgres -c \"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'elephant_worker%'\" >/dev/null"
for _ in $(seq 90); do
    after=$(worker)
    [ -z "$after" ] || [ "$after" = "$before" ] || break
    sleep 1
done
[ -n "$after" ] && [ "$after" != "$before" ]
healthy
inside "psql -XAtq -U postgres -c 'SELECT scheduler.stop_worker()'"
! inside "$(cat "$root/health")" || exit 1
trap - EXIT
kill -TERM "$(pgrep -P $container)"
wait $container || true
rm -rf "$root"
echo "containers: as documented"
