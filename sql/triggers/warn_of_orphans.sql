CREATE FUNCTION @internal@.warn_of_orphans() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET jit = off -- takes longer than all of this
AS $$
DECLARE
    -- Of the jobs that the statement has deleted, those that others ran after: see delete_shown_job().
    deleted CONSTANT text := current_setting('elephant_worker.deleted', true);
    shown CONSTANT integer := 10;
    orphan record;
BEGIN
    IF deleted = '' IS NOT FALSE THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('elephant_worker.deleted', '', true);
    FOR orphan IN
        SELECT o.job_id, o.gone, o.number, o.total
        FROM (SELECT j.job_id, a AS gone, row_number() OVER (ORDER BY j.job_id, a) AS number, count(*) OVER () AS total
              FROM @extschema@.member_job j CROSS JOIN unnest(j.run_after) a
              JOIN unnest(string_to_array(deleted, ',')) d (job_id) ON d.job_id = a::text
              WHERE j.run_after IS NOT NULL) o
        WHERE o.number <= shown
        ORDER BY o.number
    LOOP
        RAISE WARNING 'job % runs after job %, which has been deleted: that will no longer start it',
                      orphan.job_id, orphan.gone
            USING HINT = 'Change its run_after with update_job().';
        IF orphan.number = shown AND orphan.total > shown THEN
            RAISE WARNING 'the same holds for % more jobs', orphan.total - shown
                USING HINT = 'The view job_chain shows all of them, with the state "deleted".';
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.warn_of_orphans() IS
    'trigger: warns if other jobs run after those that have been deleted through my_job or member_job';
REVOKE ALL ON FUNCTION @extschema@.warn_of_orphans() FROM PUBLIC;

CREATE TRIGGER warn_of_orphans AFTER DELETE ON @extschema@.my_job
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.warn_of_orphans();
CREATE TRIGGER warn_of_orphans AFTER DELETE ON @extschema@.member_job
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.warn_of_orphans();
