CREATE FUNCTION @internal@.has_follower(job_id bigint, viewer name) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
-- The plan that a session keeps may be of a time when there were few jobs: what is left is the index of run_after.
SET enable_seqscan = off
SET enable_indexscan = off
SET jit = off -- what has no index would seem to be worth compiling
AS $$
#variable_conflict use_column
BEGIN
    RETURN EXISTS (
        SELECT FROM (SELECT DISTINCT j.rolname FROM ONLY @extschema@.job j
                     WHERE j.run_after @> ARRAY[has_follower.job_id]) f
        WHERE @extschema@.may_follow(has_follower.viewer, f.rolname)
           OR (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = has_follower.viewer)); -- of roles that are gone, too
END
$$;
COMMENT ON FUNCTION @extschema@.has_follower(bigint, name) IS
    'whether other jobs run after this one that a role sees, for functions with the rights of the owner: whether there are others is not for the role to know';
REVOKE ALL ON FUNCTION @extschema@.has_follower(bigint, name) FROM PUBLIC;
