CREATE FUNCTION @extschema@.find_job(job text) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found bigint[];
    meant text;
BEGIN
    IF job IS NULL OR job ~ '^[0-9]{1,18}$' THEN
        RETURN job::bigint;
    END IF;
    SELECT array_agg(j.job_id) INTO found
    FROM @extschema@.my_job j WHERE j.job_name = job;
    IF found IS NULL THEN
        SELECT array_agg(j.job_id ORDER BY j.job_id) INTO found
        FROM @extschema@.member_job j WHERE j.job_name = job;
    END IF;
    IF found IS NULL THEN
        SELECT min(j.job_name) INTO meant FROM @extschema@.member_job j WHERE lower(j.job_name) = lower(job);
        RAISE EXCEPTION 'there is no job named "%" that role "%" may touch', job, current_user
            USING ERRCODE = 'no_data_found',
                  DETAIL = 'It does not exist, or it belongs to a role that you are not a member of.',
                  HINT = coalesce('Did you mean ' || quote_literal(meant) || '? Case matters.',
                                  'The view member_job lists the jobs that you may touch.');
    ELSIF cardinality(found) > 1 THEN
        RAISE EXCEPTION 'several jobs are named "%"', job
            USING ERRCODE = 'too_many_rows',
                  DETAIL = format('Roles that "%s" is a member of use this name for the jobs %s.',
                                  current_user, array_to_string(found, ', ')),
                  HINT = 'Use the job_id.';
    END IF;
    RETURN found[1];
END
$$;
COMMENT ON FUNCTION @extschema@.find_job(text) IS
    'the job_id of the job with this name: of the current role, else of a role that it is a member of (P0002 if there is no such job, P0003 if there are several); a number is taken for a job_id';
REVOKE ALL ON FUNCTION @extschema@.find_job(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.find_job(text) TO job_scheduler;
