#!/bin/sh
# A step of a CI pipeline: fails if the jobs of a part are not what the document says, and shows the difference.
# The database is that of PGDATABASE, PGHOST …; the extension's schema must be in the search_path (PGOPTIONS).
#
#     examples/check_jobs.sh examples/shop_jobs.json shop
set -eu
document=$(cat "$1")

compare() {
    psql -X --quiet --set=ON_ERROR_STOP=1 --set=jobs="$document" --set=part="$2" "$1" <<'END'
SELECT action, job_name, attribute, old_value, new_value, drift
FROM apply_jobs(:'jobs', :'part', prune => true, dry_run => true);
END
}

if [ -n "$(compare --tuples-only "$2" | tr -d '[:space:]')" ]; then
    compare --pset=footer=off "$2"
    exit 1
fi
echo "The jobs of $2 are what $1 says."
