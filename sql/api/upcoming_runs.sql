CREATE FUNCTION @extschema@.upcoming_runs(
    ahead interval DEFAULT '1 day',
    times integer DEFAULT 24,
    OUT scheduled_at timestamptz,
    OUT job_id bigint,
    OUT rolname name,
    OUT datname name,
    OUT job_description text,
    OUT due_together bigint,
    OUT job_name text,
    OUT runs bigint,
    OUT last_scheduled_at timestamptz
) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET jit = off -- takes longer than all of this
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
    SELECT to_timestamp(u.due), u.job_id, u.rolname, u.datname, @extschema@.in_one_line(u.job_description), u.due_together,
           @extschema@.in_one_line(u.job_name),
           CASE WHEN u.runs <= coalesce(times, u.runs) THEN 1 WHEN u.runs <= 10000 THEN u.runs END,
           to_timestamp(CASE WHEN u.runs <= coalesce(times, u.runs) THEN u.due WHEN u.runs <= 10000 THEN u.last END)
    FROM (SELECT j.job_id, j.rolname, j.datname, j.job_description, j.job_name, d.due,
                 count(*) OVER (PARTITION BY d.due) AS due_together,
                 count(*) OVER of_job AS runs, min(d.due) OVER of_job AS first, max(d.due) OVER of_job AS last
          FROM @extschema@.visible_job j
          JOIN @extschema@.job_grid g USING (job_id)
          CROSS JOIN LATERAL @extschema@.due_times(
              j.schedule, j.timezone, j.dst, extract(epoch FROM j.starts_at)::float8, extract(epoch FROM j.ends_at)::float8,
              extract(epoch FROM j.next_run_at)::float8, extract(epoch FROM now() + ahead)::float8, 10000,
              j.job_id::text, extract(epoch FROM g.begins_at)::float8) a
          CROSS JOIN LATERAL unnest(extract(epoch FROM j.next_run_at)::float8 || a.due) d (due)
          WHERE j.next_run_at <= now() + ahead
          WINDOW of_job AS (PARTITION BY j.job_id)) u
    WHERE u.due = u.first OR u.runs <= coalesce(times, u.runs)
    ORDER BY 1, 2;
    IF NOT FOUND AND ahead < '1 minute' THEN
        RAISE NOTICE 'upcoming_runs() has looked ahead % seconds only', round(extract(epoch FROM ahead), 3)::float8
            USING HINT = 'Give the interval with its unit: upcoming_runs(''12 hours'').';
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.upcoming_runs IS
    'the due times within the given interval from now, of all jobs that the current role may see; a job that is due more often than times (NULL: no limit but 10,001) has one row, for the first of them, with the number of runs and the last one (NULL: more than 10,000); due_together is the number of runs due at the same moment';
REVOKE ALL ON FUNCTION @extschema@.upcoming_runs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.upcoming_runs TO job_scheduler, job_monitor;
