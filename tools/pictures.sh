#!/bin/sh
# Draws the pictures in docs/ anew: what make demo shows, and docs/architecture.dot (Debian, as root or with sudo).
set -eu
cd "$(dirname "$0")/.."
if ! command -v dot >/dev/null; then
    if [ "$(id -u)" -eq 0 ]; then sudo=; else sudo=sudo; fi
    $sudo apt-get update -qq
    $sudo apt-get install -y -qq --no-install-recommends graphviz >/dev/null
fi
KEEP=build/pictures tools/sandbox.sh sh -c 'mkdir -p build/pictures && python -m tools.demo build/pictures/demo.svg'
cp build/pictures/demo.svg docs/
dot -Tsvg docs/architecture.dot -o docs/architecture.svg
