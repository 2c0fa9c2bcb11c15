CREATE FUNCTION @internal@.check_sequences() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT 'sequences', 'error',
           format('%s: the next number is %s, but there is %s already, as after logical replication or a partial restore',
                  b.sequence, b.next, b.used),
           'SELECT @extschema@.advance_sequences();'
    FROM @extschema@.sequences_behind() b;
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('sequences', 'ok', 'new jobs and runs get new numbers', NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_sequences() IS
    'for check_setup(): whether the numbers of jobs and runs go on after those that there are';
REVOKE ALL ON FUNCTION @extschema@.check_sequences() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_sequences() TO job_monitor;
