CREATE FUNCTION @extschema@.pause_jobs() RETURNS boolean
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH paused AS (UPDATE @extschema@.worker_setting s SET paused_since = clock_timestamp()
                    WHERE s.paused_since IS NULL RETURNING s.only_row)
    SELECT EXISTS (SELECT FROM paused) OR @extschema@.refuse_replica();
$$;
COMMENT ON FUNCTION @extschema@.pause_jobs() IS
    'stops the worker from starting anything until resume_jobs() is called; active runs continue; returns false if jobs were already paused';
REVOKE ALL ON FUNCTION @extschema@.pause_jobs() FROM PUBLIC;

CREATE FUNCTION @extschema@.resume_jobs() RETURNS boolean
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH resumed AS (UPDATE @extschema@.worker_setting s SET paused_since = NULL
                     WHERE s.paused_since IS NOT NULL RETURNING s.only_row)
    SELECT EXISTS (SELECT FROM resumed) OR @extschema@.refuse_replica();
$$;
COMMENT ON FUNCTION @extschema@.resume_jobs() IS
    'ends pause_jobs(): due times that passed meanwhile count as missed, so catch_up decides about them; requested runs start now; returns false if jobs were not paused';
REVOKE ALL ON FUNCTION @extschema@.resume_jobs() FROM PUBLIC;
