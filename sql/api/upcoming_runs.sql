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
                  DETAIL = 'It shows the due times from now until so much later.',
                  HINT = 'Choose an interval up to 1 year, as in upcoming_runs(''12 hours'').';
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
    'what is due in the time ahead, of all jobs that the current role may see: at most 10,001 runs a job; due_together counts those of the same moment';
REVOKE ALL ON FUNCTION @extschema@.upcoming_runs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.upcoming_runs TO job_scheduler, job_monitor;
