-- What problem has. It is a function, so that whoever reads the view waits for no lock, not even to plan it: what is in the way
-- of reading is a problem too, and the only one then that can be told.
CREATE FUNCTION @internal@.problems(session_lock_timeout text) RETURNS TABLE (
    problem text, since timestamptz, job_id bigint, job text, rolname name, datname name, what text, remedy text
)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
ROWS 20
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
SET lock_timeout = '400ms'
AS $$
DECLARE
    -- Of the worker.
    code text;
    kind text;
    beginning timestamptz;
    reason text;
    cure text;
    found_jobs @extschema@.job_problem[];
    unseen text[]; -- what could not be looked at
    told boolean := false; -- why not
BEGIN
    PERFORM @extschema@.keep_lock_timeout(session_lock_timeout);
    FOR attempt IN 1..2 LOOP -- whoever held the lock may have gone meanwhile
        unseen := '{}';
        code := NULL;
        kind := NULL;
        BEGIN
            SELECT c.code, CASE WHEN c.code = 'paused' THEN 'paused'
                                WHEN c.code IN ('earlier version', 'synchronous standby', 'lock', 'owner', 'disk full', 'failing', 'halted', 'stalled', 'stood still')
                                THEN 'worker stuck'
                                ELSE 'worker off' END AS problem,
                   c.since, c.reason, r.remedy
            INTO code, kind, beginning, reason, cure
            FROM @extschema@.worker_condition() c
            CROSS JOIN @extschema@.worker_remedy(c.code, c.blockers) r
            -- A standby that is ready for its promotion is as it should be, and so is a worker that another one follows.
            WHERE c.code IS NOT NULL AND r.state <> 'ok';
        EXCEPTION WHEN lock_not_available THEN
            unseen := ARRAY['the worker'];
        END;
        BEGIN
            found_jobs := ARRAY(SELECT p FROM @extschema@.job_problems() p ORDER BY p.rank, p.since);
        EXCEPTION WHEN lock_not_available THEN
            unseen := unseen || 'the jobs'::text;
        END;
        EXIT WHEN unseen = '{}';
        RETURN QUERY
        SELECT CASE WHEN kind = 'worker off' THEN 'worker off' ELSE 'worker stuck' END,
               date_trunc('second', l.since), CAST(NULL AS bigint), CAST(NULL AS text), CAST(NULL AS name), CAST(NULL AS name),
               @extschema@.in_one_line(format('%s cannot be looked at: %s', array_to_string(unseen, ' and '),
                                              concat_ws(': ', l.found, l.before_it))),
               l.remedy
        FROM @extschema@.locks_in_the_way(interval '0', in_catalogs => true) l
        WHERE l.keeps_readers_out;
        told := FOUND;
        EXIT WHEN told;
    END LOOP;
    IF unseen <> '{}' AND NOT told THEN
        RETURN QUERY SELECT 'worker stuck', CAST(NULL AS timestamptz), CAST(NULL AS bigint), CAST(NULL AS text),
                            CAST(NULL AS name), CAST(NULL AS name),
                            format('%s cannot be looked at: a lock was waited for in vain, whose holder is not known',
                                   array_to_string(unseen, ' and ')),
                            'SELECT * FROM @extschema@.check_setup();';
    END IF;
    -- What the worker waits for has been told then, with more of it.
    IF code <> 'lock' OR NOT told THEN
        RETURN QUERY SELECT kind, date_trunc('second', beginning), CAST(NULL AS bigint), CAST(NULL AS text),
                            CAST(NULL AS name), CAST(NULL AS name), reason, cure
                     WHERE code IS NOT NULL;
    END IF;
    RETURN QUERY
    SELECT j.problem, date_trunc('second', j.since), j.job_id, j.job, j.rolname, j.datname, j.what, j.remedy
    FROM unnest(found_jobs) WITH ORDINALITY j (job_id, rolname, datname, job, problem, rank, since, what, remedy, position)
    -- One row says it of all jobs, if nothing is started.
    WHERE j.problem <> 'late' OR code IS NULL AND unseen = '{}'
    ORDER BY j.position;
END
$$;
COMMENT ON FUNCTION @extschema@.problems(text) IS
    'see problem; waits for no lock longer than a moment, nor than lock_timeout of the session, which is given to it';
REVOKE ALL ON FUNCTION @extschema@.problems(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.problems(text) TO job_scheduler, job_monitor;

CREATE VIEW @extschema@.problem WITH (security_barrier) AS
SELECT p.problem, p.since, p.job_id, p.job, p.rolname, p.datname, p.what, p.remedy
FROM @extschema@.problems(current_setting('lock_timeout')) p;

COMMENT ON VIEW @extschema@.problem IS
    'a row for everything that needs a person now, of the worker and of the jobs that the current role may see, the gravest first; empty while all is well';
COMMENT ON COLUMN @extschema@.problem.problem IS
    'worker off; worker stuck; paused; quarantined; disabled: by disable_after; orphaned: a job in its run_after has been deleted, or its ends do not count any more; overdue: no success within expect_success_within; failing: the last run failed; late: it should have started more than 5 seconds ago; missed: its last due time passed without a run; overrun: the active run takes longer than usual; skipping: 5 or more of the last 10 runs were skipped';
COMMENT ON COLUMN @extschema@.problem.since IS 'since when; NULL: not known';
COMMENT ON COLUMN @extschema@.problem.job_id IS 'the job; NULL: it concerns all jobs';
COMMENT ON COLUMN @extschema@.problem.job IS 'its name; without one, the beginning of its description or command';
COMMENT ON COLUMN @extschema@.problem.what IS 'what is wrong, in words; an error as the server reported it';
COMMENT ON COLUMN @extschema@.problem.remedy IS 'what to do: a statement to begin with, or a hint';
GRANT SELECT ON @extschema@.problem TO job_scheduler, job_monitor;
