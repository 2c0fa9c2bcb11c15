CREATE FUNCTION @internal@.note_followed(setting text, job_id bigint, viewer name) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
-- The plan that a session keeps may be of a time when there were few jobs: what is left is the index of run_after.
SET enable_seqscan = off
SET enable_indexscan = off
SET jit = off -- what has no index would seem to be worth compiling
AS $$
#variable_conflict use_column
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT j.rolname FROM ONLY @extschema@.job j
                     WHERE j.run_after @> ARRAY[note_followed.job_id]) f
        WHERE @extschema@.may_follow(note_followed.viewer, f.rolname)
           OR (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = note_followed.viewer) -- of roles that are gone, too
    ) THEN
        PERFORM set_config(setting, concat_ws(',', nullif(current_setting(setting, true), ''), note_followed.job_id), true);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.note_followed(text, bigint, name) IS
    'adds a job to those in a setting if others run after it that a role sees, for functions with the rights of the owner: whether there are others is not for the role to know';
REVOKE ALL ON FUNCTION @extschema@.note_followed(text, bigint, name) FROM PUBLIC;
