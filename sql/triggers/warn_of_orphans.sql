CREATE FUNCTION @internal@.warn_of_orphans() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    orphan record;
BEGIN
    FOR orphan IN
        SELECT j.job_id, d.job_id AS gone
        FROM @extschema@.member_job j CROSS JOIN unnest(j.run_after) a JOIN deleted d ON d.job_id = a
        WHERE j.run_after IS NOT NULL
    LOOP
        RAISE WARNING 'job % runs after job %, which has been deleted: that will no longer start it',
                      orphan.job_id, orphan.gone
            USING HINT = 'Change its run_after with update_job().';
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.warn_of_orphans() IS 'trigger: warns if other jobs run after a deleted one';
REVOKE ALL ON FUNCTION @extschema@.warn_of_orphans() FROM PUBLIC;

CREATE TRIGGER warn_of_orphans AFTER DELETE ON @extschema@.job
    REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.warn_of_orphans();
