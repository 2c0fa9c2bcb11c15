#!/bin/sh
# Prints the Python interpreter of the version that PL/Python is linked with, which need not be that of the first
# python3 on the machine:
#     plpython/interpreter.sh <pkglibdir> <interpreter to prefer>
# Where that cannot be told (no ldd, a static library), it is the preferred one.
set -eu
pkglibdir=$1 preferred=$2

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

linked=$(ldd "$pkglibdir/plpython3.so" 2>/dev/null | sed -n 's/^[[:space:]]*libpython\(3\.[0-9]*\).*/\1/p' | head -n 1)
linked=${linked:-$(version_of "$preferred")}
if [ "${linked#3.}" -lt 9 ]; then
    echo "elephant_worker needs Python 3.9 or later; PL/Python of this server runs Python $linked" >&2
    exit 1
fi
for python in "$preferred" "python$linked" "/usr/bin/python$linked"; do
    if [ "$(version_of "$python")" = "$linked" ]; then
        echo "$python"
        exit
    fi
done
echo "PL/Python of this server runs Python $linked, and there is no python$linked here:" \
    "install it, or say where it is with PYTHON=" >&2
exit 1
