-- Logical replication, pg_createsubscriber and partial restores carry rows, and leave sequences behind.
CREATE FUNCTION @internal@.sequences_behind(OUT sequence text, OUT next bigint, OUT used bigint) RETURNS SETOF record
LANGUAGE sql VOLATILE
SECURITY DEFINER -- ordinary roles may define jobs and not read these tables; nobody learns more than two numbers
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.sequence, s.next, s.used
    FROM (SELECT 'job_job_id_seq', q.last_value + q.is_called::integer, greatest((SELECT max(j.job_id) FROM ONLY @extschema@.job j),
                                                                            (SELECT max(c.job_id) FROM @extschema@.job_change c),
                                                                            (SELECT max(l.job_id) FROM @extschema@.job_log l))
          FROM @extschema@.job_job_id_seq q
          UNION ALL
          SELECT 'worker_inbox_request_id_seq', q.last_value + q.is_called::integer,
                 greatest((SELECT max(l.jl_id) FROM @extschema@.job_log l),
                          (SELECT max(a.alert_id) FROM @extschema@.alert a),
                          (SELECT max(r.request_id) FROM @extschema@.worker_request r))
          FROM @extschema@.worker_inbox_request_id_seq q) s (sequence, next, used)
    WHERE s.used >= s.next
    UNION ALL
    SELECT 'once_job_job_id_seq', q.last_value - q.is_called::integer, u.used
    FROM @extschema@.once_job_job_id_seq q,
         (SELECT least((SELECT min(o.job_id) FROM @extschema@.once_job o),
                       (SELECT min(l.job_id) FROM @extschema@.job_log l))) u (used)
    WHERE u.used <= q.last_value - q.is_called::integer;
$$;
COMMENT ON FUNCTION @extschema@.sequences_behind() IS
    'the sequences of jobs, runs and alerts, and one-off jobs whose next number has been used already';
REVOKE ALL ON FUNCTION @extschema@.sequences_behind() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.sequences_behind() TO job_monitor;

CREATE FUNCTION @internal@.advance_sequences() RETURNS void
LANGUAGE sql VOLATILE
SECURITY DEFINER -- whoever defines a job may not set sequences; they only move on, past what there is
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT setval(('@extschema@.' || b.sequence)::regclass, b.used) FROM @extschema@.sequences_behind() b;
$$;
COMMENT ON FUNCTION @extschema@.advance_sequences() IS
    'has new jobs, runs, alerts and one-off jobs numbered after all that there are; nothing where they are';
REVOKE ALL ON FUNCTION @extschema@.advance_sequences() FROM PUBLIC;

CREATE FUNCTION @internal@.free_job_id(job_id bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- whoever defines a job may not see all jobs and runs; it learns a number that is free
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- the plan that a session keeps may be of a time when there were few jobs
SET jit = off -- what has no index would seem to be worth compiling
AS $$
#variable_conflict use_variable
BEGIN
    IF job_id IS NULL THEN
        job_id := nextval('@extschema@.job_job_id_seq');
    ELSIF job_id = 0 THEN
        job_id := nextval('@extschema@.once_job_job_id_seq');
    END IF;
    IF job_id > 0 THEN
        PERFORM FROM ONLY @extschema@.job j WHERE j.job_id = free_job_id.job_id;
    ELSE
        PERFORM FROM @extschema@.once_job o WHERE o.job_id = free_job_id.job_id;
    END IF;
    -- The log and the history of a job stay when the job is deleted.
    IF NOT FOUND
       AND NOT EXISTS (SELECT FROM @extschema@.job_log l WHERE l.job_id = free_job_id.job_id)
       AND NOT EXISTS (SELECT FROM @extschema@.job_change c WHERE c.job_id = free_job_id.job_id) THEN
        RETURN job_id;
    END IF;
    PERFORM @extschema@.advance_sequences();
    RETURN CASE WHEN job_id > 0 THEN nextval('@extschema@.job_job_id_seq')
                ELSE nextval('@extschema@.once_job_job_id_seq') END;
END
$$;
COMMENT ON FUNCTION @extschema@.free_job_id(bigint) IS
    'the number for a new job, or one-off job: this one, unless it is NULL (0 for a one-off job) or has been used, as where the sequence was left behind';
REVOKE ALL ON FUNCTION @extschema@.free_job_id(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.free_job_id(bigint) TO job_scheduler;
