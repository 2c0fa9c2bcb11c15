CREATE FUNCTION @extschema@.recent_runs(
    count integer DEFAULT 20,
    since timestamptz DEFAULT NULL,
    failed boolean DEFAULT false,
    of_job text DEFAULT NULL,
    OUT jl_id bigint,
    OUT job text,
    OUT rolname name,
    OUT state text,
    OUT started text,
    OUT took interval,
    OUT rows bigint,
    OUT message text
) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    -- A name stands for the jobs that have it now, and for runs of when a job had it.
    ids CONSTANT bigint[] := CASE WHEN of_job ~ '^[0-9]{1,18}$' THEN ARRAY[of_job::bigint]
                                  ELSE ARRAY(SELECT j.job_id FROM @extschema@.visible_job j WHERE j.job_name = of_job) END;
BEGIN
    IF recent_runs.count < 0 THEN
        RAISE EXCEPTION 'recent_runs() cannot show % runs', recent_runs.count
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'The count must be 0 or more; NULL: all.',
                  HINT = 'For example recent_runs(100), or recent_runs(NULL, now() - interval ''1 day'', failed := true).';
    END IF;
    RETURN QUERY
    SELECT r.jl_id,
           @extschema@.job_label(coalesce(r.job_name, (SELECT j.job_name FROM @extschema@.visible_job j WHERE j.job_id = r.job_id)),
                                NULL, r.job_command),
           r.rolname,
           r.state,
           @extschema@.brief_time(r.moment),
           CASE WHEN r.job_started IS NOT NULL OR r.state = 'running'
                THEN justify_interval(date_trunc('milliseconds', coalesce(r.job_finished, clock_timestamp()) - r.moment)) END,
           r.row_count,
           CASE WHEN r.cause = 'trial' THEN concat_ws(': ', 'trial, rolled back', @extschema@.in_one_line(r.exception_message))
                ELSE @extschema@.in_one_line(r.exception_message) END
    FROM (SELECT l.*, coalesce(l.job_started, l.scheduled_at) AS moment
          FROM @extschema@.visible_job_log l
          -- Without a moment not the whole log, where few of the latest runs are one's own.
          WHERE (since IS NOT NULL OR l.jl_id > (SELECT max(n.jl_id) - 100000 FROM @extschema@.visible_job_log n))
            AND (since IS NULL OR coalesce(l.job_started, l.scheduled_at) >= since)
            AND (NOT failed OR l.state IN ('failed', 'timed out', 'lost'))
            AND (of_job IS NULL OR l.job_name = of_job OR l.job_id = ANY (ids))
          -- What was logged late sorts where it belongs.
          ORDER BY l.jl_id DESC LIMIT CASE WHEN since IS NULL THEN recent_runs.count + 1000 END) r
    ORDER BY r.moment DESC, r.jl_id DESC
    LIMIT recent_runs.count;
END
$$;
COMMENT ON FUNCTION @extschema@.recent_runs(integer, timestamptz, boolean, text) IS
    'the latest runs of the jobs that the current role may see, the latest first: at most count of them (by default 20; NULL: all), those since a moment, or without one among the latest 100,000 of all roles; failed: only those that failed, timed out or were lost; of_job: only those of the job with this name or number';
REVOKE ALL ON FUNCTION @extschema@.recent_runs(integer, timestamptz, boolean, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.recent_runs(integer, timestamptz, boolean, text) TO job_scheduler, job_monitor;

CREATE VIEW @extschema@.recent_runs AS
SELECT r.jl_id, r.job, r.rolname, r.state, r.started, CAST(r.took AS interval(3)) AS took, r.rows, r.message
FROM @extschema@.recent_runs() r;

COMMENT ON VIEW @extschema@.recent_runs IS
    'the last 20 runs of the jobs that the current role may see, the latest first: the columns of every day; recent_runs(100) shows more';
COMMENT ON COLUMN @extschema@.recent_runs.job IS 'the name of the job; without one, the beginning of the command';
COMMENT ON COLUMN @extschema@.recent_runs.started IS
    'when it started, or was due if it has not: the time of today, the weekday and time of the six days before and after, otherwise the date';
COMMENT ON COLUMN @extschema@.recent_runs.took IS 'how long it took; of an active run: how long since it was due';
COMMENT ON COLUMN @extschema@.recent_runs.rows IS 'rows that the last statement returned or changed';
COMMENT ON COLUMN @extschema@.recent_runs.message IS 'the error, or why the run did not start; whether it was a trial by try_job()';
GRANT SELECT ON @extschema@.recent_runs TO job_scheduler, job_monitor;
