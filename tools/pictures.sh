#!/bin/sh
# Draws the pictures in docs/ anew: what make demo shows, docs/architecture.dot, and the report in Debian's chromium,
# in which it is tested on the way (Debian, as root or with sudo).
set -eu
cd "$(dirname "$0")/.."
if ! command -v dot >/dev/null || ! command -v chromium >/dev/null; then
    if [ "$(id -u)" -eq 0 ]; then sudo=; else sudo=sudo; fi
    $sudo apt-get update -qq
    $sudo apt-get install -y -qq --no-install-recommends graphviz chromium fonts-dejavu-core >/dev/null
fi
if ! cmp -s tools/pictures.txt build/venv/pictures.txt; then
    build/venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check -r tools/pictures.txt
    cp tools/pictures.txt build/venv/pictures.txt
fi
mkdir -p build/pictures
KEEP=build/pictures tools/sandbox.sh python -m pytest -q tests/pictures
KEEP=build/pictures tools/sandbox.sh sh -c 'mkdir -p build/pictures && python -m tools.demo build/pictures/demo.svg'
cp build/pictures/demo.svg build/pictures/report-*.png docs/
dot -Tsvg docs/architecture.dot -o docs/architecture.svg
