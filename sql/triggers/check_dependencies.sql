CREATE FUNCTION @extschema@.check_dependencies() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unknown bigint;
BEGIN
    IF NEW.run_when IS NULL OR NEW.run_when NOT IN ('on_success', 'on_failure', 'always') THEN
        RAISE EXCEPTION 'run_when cannot be %', coalesce(quote_ident(NEW.run_when), 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It says how the jobs of run_after must have ended.',
                  HINT = 'on_success (the default), on_failure or always.';
    END IF;
    NEW.run_after := nullif(ARRAY(SELECT DISTINCT a FROM unnest(NEW.run_after) a ORDER BY a), '{}');
    IF cardinality(NEW.run_after) > 100 THEN
        RAISE EXCEPTION 'a job cannot run after % others', cardinality(NEW.run_after)
            USING ERRCODE = 'program_limit_exceeded',
                  DETAIL = 'There can be 100 in run_after.',
                  HINT = 'Have some of them run one after the other, or a job between them and this one.';
    END IF;
    FOREACH unknown IN ARRAY coalesce(NEW.run_after, '{}') LOOP
        IF TG_OP = 'UPDATE' AND unknown = ANY (OLD.run_after) THEN
            CONTINUE;
        END IF;
        PERFORM FROM @extschema@.member_job j WHERE j.job_id = unknown;
        IF NOT FOUND THEN
            PERFORM @extschema@.raise_no_such_job(unknown);
        END IF;
    END LOOP;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.check_dependencies() IS
    'trigger: refuses dependencies on jobs that who defines the job may not touch (P0002), and a run_when that is none (22023)';
REVOKE ALL ON FUNCTION @extschema@.check_dependencies() FROM PUBLIC;

CREATE TRIGGER check_new_chain BEFORE INSERT ON @extschema@.job
    FOR EACH ROW
    WHEN (NEW.schedule_set_at IS NULL AND (NEW.run_after IS NOT NULL OR NEW.run_when IS DISTINCT FROM 'on_success'))
    EXECUTE FUNCTION @extschema@.check_dependencies();
CREATE TRIGGER check_changed_chain BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN ((NEW.run_after, NEW.run_when) IS DISTINCT FROM (OLD.run_after, OLD.run_when))
    EXECUTE FUNCTION @extschema@.check_dependencies();

CREATE FUNCTION @extschema@.refuse_cycle() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- a cycle may lead through jobs that are hidden from who defines this one; nothing of them is shown
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
BEGIN
    BEGIN
        UPDATE @extschema@.dependency_lock SET changes = changes + 1;
    EXCEPTION WHEN lock_not_available THEN
        RAISE EXCEPTION 'another transaction is changing what jobs run after'
            USING ERRCODE = 'lock_not_available',
                  DETAIL = 'Cycles can only be seen when such changes come one after the other. This one waited 5 seconds.',
                  HINT = 'Try again, or look in pg_stat_activity for a transaction that is left open.';
    END;
    IF EXISTS (
        WITH RECURSIVE before (job_id) AS (
            SELECT unnest(NEW.run_after)
            UNION
            SELECT unnest(j.run_after) FROM before b JOIN @extschema@.job j ON j.job_id = b.job_id)
        SELECT FROM before b WHERE b.job_id = NEW.job_id
    ) THEN
        RAISE EXCEPTION 'job % would run after itself', NEW.job_id
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = format('Of the jobs %s one runs, directly or not, after job %s.',
                                  array_to_string(NEW.run_after, ', '), NEW.job_id),
                  HINT = 'job_chain shows what runs after what.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.refuse_cycle() IS
    'trigger: refuses a change by which a job would run after itself (22023; 55P03 where another such change is not committed)';
REVOKE ALL ON FUNCTION @extschema@.refuse_cycle() FROM PUBLIC;

-- Only a change can close a cycle: nothing runs after a job that is new.
CREATE TRIGGER refuse_cycle BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN (NEW.run_after IS NOT NULL AND NEW.run_after IS DISTINCT FROM OLD.run_after)
    EXECUTE FUNCTION @extschema@.refuse_cycle();

CREATE FUNCTION @extschema@.warn_of_orphans() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    orphan record;
BEGIN
    FOR orphan IN
        SELECT j.job_id, d.job_id AS gone
        FROM @extschema@.member_job j CROSS JOIN unnest(j.run_after) a JOIN deleted d ON d.job_id = a
        WHERE j.run_after IS NOT NULL
    LOOP
        RAISE WARNING 'job % runs after job %, which is deleted: it will not start for that any more',
                      orphan.job_id, orphan.gone
            USING HINT = 'Change its run_after.';
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.warn_of_orphans() IS 'trigger: warns where other jobs run after one that is deleted';
REVOKE ALL ON FUNCTION @extschema@.warn_of_orphans() FROM PUBLIC;

CREATE TRIGGER warn_of_orphans AFTER DELETE ON @extschema@.job
    REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.warn_of_orphans();
