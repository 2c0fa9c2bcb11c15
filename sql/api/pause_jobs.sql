CREATE FUNCTION @extschema@.pause_jobs() RETURNS boolean
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH paused AS (UPDATE @extschema@.worker_setting s SET paused_since = clock_timestamp()
                    WHERE s.paused_since IS NULL RETURNING s.only_row)
    SELECT EXISTS (SELECT FROM paused);
$$;
COMMENT ON FUNCTION @extschema@.pause_jobs() IS
    'has the worker start nothing more, until resume_jobs(); runs that are active go on; returns false where it was paused already';
REVOKE ALL ON FUNCTION @extschema@.pause_jobs() FROM PUBLIC;

CREATE FUNCTION @extschema@.resume_jobs() RETURNS boolean
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH resumed AS (UPDATE @extschema@.worker_setting s SET paused_since = NULL
                     WHERE s.paused_since IS NOT NULL RETURNING s.only_row)
    SELECT EXISTS (SELECT FROM resumed);
$$;
COMMENT ON FUNCTION @extschema@.resume_jobs() IS
    'ends pause_jobs(): what was due meanwhile counts as missed, so that catch_up says what becomes of it; requests are started now; returns false where it was not paused';
REVOKE ALL ON FUNCTION @extschema@.resume_jobs() FROM PUBLIC;
