CREATE FUNCTION @extschema@.upcoming_runs(
    ahead interval DEFAULT '1 day',
    OUT scheduled_at timestamptz,
    OUT job_id bigint,
    OUT rolname name,
    OUT datname name,
    OUT job_description text,
    OUT due_together bigint
) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF ahead IS NULL OR NOT extract(epoch FROM ahead) BETWEEN 0.000001 AND 366 * 86400 THEN
        RAISE EXCEPTION 'upcoming_runs() cannot look ahead %', coalesce(ahead::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'The interval says how far ahead of now to look.',
                  HINT = 'Choose an interval of up to 1 year, for example upcoming_runs(''12 hours'').';
    END IF;
    RETURN QUERY
    SELECT to_timestamp(d.due), j.job_id, j.rolname, j.datname, j.job_description,
           count(*) OVER (PARTITION BY d.due)
    FROM @extschema@.visible_job j
    JOIN @extschema@.job_grid g USING (job_id)
    CROSS JOIN LATERAL @extschema@.due_times(
        j.schedule, j.timezone, j.dst, extract(epoch FROM j.starts_at)::float8, extract(epoch FROM j.ends_at)::float8,
        extract(epoch FROM j.next_run_at)::float8, extract(epoch FROM now() + ahead)::float8, 10000,
        j.job_id::text, extract(epoch FROM g.begins_at)::float8) a
    CROSS JOIN LATERAL unnest(extract(epoch FROM j.next_run_at)::float8 || a.due) d (due)
    WHERE j.next_run_at <= now() + ahead
    ORDER BY 1, 2;
END
$$;
COMMENT ON FUNCTION @extschema@.upcoming_runs IS
    'the due times within the given interval from now, of all jobs that the current role may see: at most 10,001 for each job; due_together is the number of runs due at the same moment';
REVOKE ALL ON FUNCTION @extschema@.upcoming_runs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.upcoming_runs TO job_scheduler, job_monitor;
