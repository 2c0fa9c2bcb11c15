#!/bin/sh
# Tests monitoring/ with Debian's Prometheus and exporter, which are installed if they are missing (as root or with sudo).
set -eu
cd "$(dirname "$0")/.."

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

if ! command -v promtool >/dev/null || ! command -v prometheus-postgres-exporter >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    as_root apt-get update -qq
    as_root apt-get install -y -qq --no-install-recommends prometheus prometheus-postgres-exporter >/dev/null
fi
exec tools/sandbox.sh python -m pytest -q tests/monitoring
