-- A migration of an application: its schema and its jobs change together, or not at all. Running it again changes nothing.
-- Give the path of the document if it is neither in the working directory nor in examples/ there: psql -v file=… -f …
\if :{?file}
\else
    \set file `[ -e shop_jobs.json ] && echo shop_jobs.json || echo examples/shop_jobs.json`
\endif
\set jobs `cat :'file'`

BEGIN;

CREATE SCHEMA IF NOT EXISTS shop;
CREATE TABLE IF NOT EXISTS shop.day (day date PRIMARY KEY, closed_at timestamptz NOT NULL, report text);

CREATE OR REPLACE PROCEDURE shop.close_day()
LANGUAGE sql
AS $$
    INSERT INTO shop.day (day, closed_at) VALUES (current_date - 1, now()) ON CONFLICT (day) DO NOTHING;
$$;

CREATE OR REPLACE PROCEDURE shop.write_report()
LANGUAGE sql
AS $$
    UPDATE shop.day SET report = format('closed at %s', closed_at) WHERE report IS NULL;
$$;

-- The part is what this document is responsible for: jobs that it no longer has are deleted, all others are left alone.
SELECT action, job_name, attribute, old_value, new_value, drift
FROM apply_jobs(:'jobs', 'shop', prune => true);

COMMIT;
