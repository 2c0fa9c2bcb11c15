#!/bin/sh
# Makes build/dist/elephant_worker-<version>.tar.gz: the files of the working copy that git knows, and the Python
# packages that the build needs, with their licences, for each version of Python. Same files, same tarball.
set -eu
cd "$(dirname "$0")/.."
name=elephant_worker-$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" elephant_worker.control)
dist=build/dist
rm -rf "$dist"
mkdir -p "$dist/$name"

git ls-files -z ':!debian' ':!.ci' | tar --create --null --files-from=- | tar --extract --directory "$dist/$name"
tools/wheels.sh "$dist/$name/plpython/wheels"
for wheel in "$dist/$name"/plpython/wheels/*.whl; do
    build/venv/bin/python -m zipfile --list "$wheel" | grep -i 'dist-info/\(licenses/\)\{0,1\}LICENSE' >/dev/null ||
        { echo "${wheel##*/} has no licence with it" >&2; exit 1; }
done
chmod -R u=rwX,go=rX "$dist/$name"
tar --create --directory "$dist" --sort=name --owner=0 --group=0 --numeric-owner \
    --mtime="@$(git log -1 --format=%ct)" "$name" | gzip --no-name >"$dist/$name.tar.gz"
rm -rf "${dist:?}/$name"
echo "$dist/$name.tar.gz"
