#!/bin/sh
# Downloads the Python packages that the build needs, for each version of Python; make looks in plpython/wheels:
#     tools/wheels.sh folder
set -eu
folder=$1
mkdir -p "$folder"
# pip takes one version of a package at a time, and of those only what suits the Python that it runs with.
sed -n 's/^\([a-z0-9.=-]*\);\{0,1\}.*\( --hash=.*\)/\1\2/p' plpython/requirements.txt | while read -r line; do
    echo "$line" >"$folder/requirement"
    build/venv/bin/python -m pip download --quiet --quiet --disable-pip-version-check --no-deps --require-hashes \
        --only-binary :all: --ignore-requires-python --dest "$folder" --requirement "$folder/requirement"
done
rm "$folder/requirement"
