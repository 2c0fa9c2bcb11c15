\echo Use "CREATE EXTENSION elephant_worker_cron" to load this file. \quit

SET LOCAL search_path = pg_catalog, pg_temp;

DO $extension$
DECLARE
    scheduler text;
BEGIN
    SELECT quote_ident(n.nspname) INTO scheduler
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'elephant_worker';
    IF EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pg_cron') THEN
        RAISE EXCEPTION 'pg_cron is installed in this database'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'elephant_worker_cron has functions and views of the same names.',
                  HINT = format('Bring its jobs over, and remove it: SELECT * FROM %s.import_pg_cron(dry_run => false); DROP EXTENSION pg_cron;', scheduler);
    ELSIF to_regnamespace('cron') IS NOT NULL THEN
        RAISE EXCEPTION 'there is a schema cron already'
            USING ERRCODE = 'duplicate_schema',
                  DETAIL = 'The functions and views of pg_cron are in a schema of this name.',
                  HINT = 'Rename it: ALTER SCHEMA cron RENAME TO ...;';
    ELSIF to_regproc('@internal@.read_pg_cron_schedule') IS NULL THEN
        RAISE EXCEPTION 'elephant_worker_cron needs a newer version of elephant_worker'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'It is part of the same release.',
                  HINT = 'Update first: ALTER EXTENSION elephant_worker UPDATE;';
    END IF;
    EXECUTE replace($script$
