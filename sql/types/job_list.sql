-- The type of the parameter `run_after`: jobs by number or name. See job_schedule; docs/decisions/0040.
CREATE TYPE @extschema@.job_list;

CREATE FUNCTION @internal@.job_list_in(cstring) RETURNS @extschema@.job_list
LANGUAGE internal IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'textin';
COMMENT ON FUNCTION @extschema@.job_list_in(cstring) IS 'input function of job_list';
REVOKE ALL ON FUNCTION @extschema@.job_list_in(cstring) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.job_list_in(cstring) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.job_list_out(@extschema@.job_list) RETURNS cstring
LANGUAGE internal IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'textout';
COMMENT ON FUNCTION @extschema@.job_list_out(@extschema@.job_list) IS 'output function of job_list';
REVOKE ALL ON FUNCTION @extschema@.job_list_out(@extschema@.job_list) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.job_list_out(@extschema@.job_list) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.job_list_recv(internal) RETURNS @extschema@.job_list
LANGUAGE internal STABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'textrecv';
COMMENT ON FUNCTION @extschema@.job_list_recv(internal) IS 'binary input function of job_list';
REVOKE ALL ON FUNCTION @extschema@.job_list_recv(internal) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.job_list_recv(internal) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.job_list_send(@extschema@.job_list) RETURNS bytea
LANGUAGE internal STABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'textsend';
COMMENT ON FUNCTION @extschema@.job_list_send(@extschema@.job_list) IS 'binary output function of job_list';
REVOKE ALL ON FUNCTION @extschema@.job_list_send(@extschema@.job_list) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.job_list_send(@extschema@.job_list) TO job_scheduler, job_monitor;

CREATE TYPE @extschema@.job_list (
    INPUT = @extschema@.job_list_in,
    OUTPUT = @extschema@.job_list_out,
    RECEIVE = @extschema@.job_list_recv,
    SEND = @extschema@.job_list_send,
    LIKE = text,
    CATEGORY = 'S',
    COLLATABLE = true
);
COMMENT ON TYPE @extschema@.job_list IS
    'jobs as a parameter: an array of numbers, or names, or both; or the number or name of one';

CREATE FUNCTION @internal@.find_jobs(jobs @extschema@.job_list) RETURNS bigint[]
LANGUAGE plpgsql STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ARRAY(SELECT @extschema@.find_job(j.job)
                 FROM unnest(CASE WHEN starts_with(jobs::text, '{') THEN jobs::text::text[]
                                  ELSE ARRAY[jobs::text] END) j (job));
END
$$;
COMMENT ON FUNCTION @extschema@.find_jobs(@extschema@.job_list) IS
    'cast of job_list: the numbers of the jobs; see find_job()';
REVOKE ALL ON FUNCTION @extschema@.find_jobs(@extschema@.job_list) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.find_jobs(@extschema@.job_list) TO job_scheduler;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_cast c WHERE c.casttarget = '@extschema@.job_list'::regtype) THEN
        CREATE CAST (text AS @extschema@.job_list) WITHOUT FUNCTION AS IMPLICIT;
        CREATE CAST (varchar AS @extschema@.job_list) WITHOUT FUNCTION AS IMPLICIT;
        CREATE CAST (text[] AS @extschema@.job_list) WITH INOUT AS IMPLICIT;
        CREATE CAST (varchar[] AS @extschema@.job_list) WITH INOUT AS IMPLICIT;
        CREATE CAST (bigint[] AS @extschema@.job_list) WITH INOUT AS IMPLICIT;
        CREATE CAST (integer[] AS @extschema@.job_list) WITH INOUT AS IMPLICIT;
        CREATE CAST (smallint[] AS @extschema@.job_list) WITH INOUT AS IMPLICIT;
        CREATE CAST (bigint AS @extschema@.job_list) WITH INOUT AS IMPLICIT;
        CREATE CAST (integer AS @extschema@.job_list) WITH INOUT AS IMPLICIT;
        CREATE CAST (smallint AS @extschema@.job_list) WITH INOUT AS IMPLICIT;
        CREATE CAST (@extschema@.job_list AS text) WITHOUT FUNCTION;
        CREATE CAST (@extschema@.job_list AS bigint[]) WITH FUNCTION @extschema@.find_jobs(@extschema@.job_list)
            AS ASSIGNMENT;
    END IF;
END
$$;

COMMENT ON CAST (text AS @extschema@.job_list) IS 'the name of a job, or an array that is given as text';
COMMENT ON CAST (varchar AS @extschema@.job_list) IS 'the name of a job, or an array that is given as text';
COMMENT ON CAST (text[] AS @extschema@.job_list) IS 'names of jobs, or numbers, or both';
COMMENT ON CAST (varchar[] AS @extschema@.job_list) IS 'names of jobs, or numbers, or both';
COMMENT ON CAST (bigint[] AS @extschema@.job_list) IS 'numbers of jobs';
COMMENT ON CAST (integer[] AS @extschema@.job_list) IS 'numbers of jobs';
COMMENT ON CAST (smallint[] AS @extschema@.job_list) IS 'numbers of jobs';
COMMENT ON CAST (bigint AS @extschema@.job_list) IS 'the number of a job';
COMMENT ON CAST (integer AS @extschema@.job_list) IS 'the number of a job';
COMMENT ON CAST (smallint AS @extschema@.job_list) IS 'the number of a job';
COMMENT ON CAST (@extschema@.job_list AS text) IS 'jobs as they were given';
COMMENT ON CAST (@extschema@.job_list AS bigint[]) IS 'the numbers of the jobs';
