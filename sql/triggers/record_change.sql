CREATE FUNCTION @internal@.record_change() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- nobody may write to the history but this; whose rights are used is noted right before, see below
SET search_path = pg_catalog, pg_temp
SET IntervalStyle = postgres
SET enable_seqscan = off -- the plan that a session keeps may be of a time when there were few jobs
SET jit = off -- what has no index would seem to be worth compiling
AS $$
#variable_conflict use_variable
DECLARE
    internal CONSTANT text[] := '{job_id,schedule_set_at,first_run_at,database_oid,database_owner,server_oid,version}';
    before CONSTANT jsonb := to_jsonb(OLD) - internal;
    after CONSTANT jsonb := to_jsonb(NEW) - internal;
    job_id CONSTANT bigint := coalesce(NEW.job_id, OLD.job_id);
    -- More than the last one in the history, also if that has been restored without its job.
    version CONSTANT integer := 1 + coalesce(greatest(
        OLD.version, (SELECT max(c.version) FROM @extschema@.job_change c WHERE c.job_id = coalesce(NEW.job_id, OLD.job_id))), 0);
    -- The owner of this function is the current role here, and what SET ROLE says is not whose rights are used in a
    -- function with the rights of its owner.
    changed_by CONSTANT name := current_setting('elephant_worker.changed_by');
    call CONSTANT text := coalesce(substring(current_setting('elephant_worker.call', true) FROM '^[a-z_]{1,63}$'), TG_OP);
    old_values jsonb;
    new_values CONSTANT jsonb := (SELECT jsonb_object_agg(a.key, a.value) FROM jsonb_each(after) a
                                  WHERE a.value <> coalesce(before -> a.key, 'null'));
BEGIN
    IF TG_OP = 'INSERT' THEN
        -- Where the name is taken no job comes of it, and a statement with ON CONFLICT goes on without one.
        PERFORM FROM ONLY @extschema@.job j
        WHERE j.rolname = NEW.rolname AND j.job_name OPERATOR(@extschema@.===) NEW.job_name;
        IF FOUND THEN
            RETURN NEW;
        END IF;
    ELSE
        old_values := (SELECT jsonb_object_agg(b.key, b.value) FROM jsonb_each(before) b
                       WHERE b.value <> coalesce(after -> b.key, 'null'));
    END IF;
    INSERT INTO @extschema@.job_change
        (job_id, version, rolname, job_name, changed_at, changed_by, session_role, call, action, old_values, new_values)
    SELECT job_id, version, r.rolname, r.job_name, clock_timestamp(), changed_by, session_user, call, r.action,
           r.old_values, r.new_values
    FROM (VALUES
        ('create', NEW.rolname, NEW.job_name, NULL, new_values),
        ('change', NEW.rolname, NEW.job_name, old_values, new_values),
        ('give', OLD.rolname, OLD.job_name, old_values, jsonb_build_object('rolname', NEW.rolname)),
        ('receive', NEW.rolname, NEW.job_name, jsonb_build_object('rolname', OLD.rolname), new_values),
        ('delete', OLD.rolname, OLD.job_name, old_values, NULL)) r (action, rolname, job_name, old_values, new_values)
    WHERE r.action = ANY (CASE WHEN TG_OP = 'INSERT' THEN '{create}'::text[]
                               WHEN TG_OP = 'DELETE' THEN '{delete}'
                               WHEN NEW.rolname = OLD.rolname THEN '{change}'
                               ELSE '{give,receive}' END);
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    NEW.version := version;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.record_change() IS
    'trigger: counts the version of a job, and writes down who changed what, when, from what to what and through which call';
REVOKE ALL ON FUNCTION @extschema@.record_change() FROM PUBLIC;

-- After what checks and completes the attributes, since triggers fire in the order of their names; before
-- set_schedule, which tells a new job from one that a dump brings, with its history.
-- A condition is evaluated as the role that changes the job, and right before the function: whatever the setting was,
-- nothing of a user's comes in between. That of a trigger AFTER would be evaluated earlier. What is deleted through a view
-- is deleted by the owner of delete_shown_job(), which names whoever it does that for.
CREATE TRIGGER record_change BEFORE INSERT ON @extschema@.job
    FOR EACH ROW WHEN (NOT @extschema@.is_restored(NEW)
                       AND set_config('elephant_worker.changed_by', current_user, true) IS NOT NULL)
    EXECUTE FUNCTION @extschema@.record_change();
CREATE TRIGGER record_change_of_job BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN ((@attributes: NEW.{name},@ NEW.defined_by)
                       IS DISTINCT FROM (@attributes: OLD.{name},@ OLD.defined_by)
                       AND set_config('elephant_worker.changed_by', current_user, true) IS NOT NULL)
    EXECUTE FUNCTION @extschema@.record_change();
CREATE TRIGGER record_deletion BEFORE DELETE ON @extschema@.job
    FOR EACH ROW WHEN (set_config('elephant_worker.changed_by', current_user, true) IS NOT NULL)
    EXECUTE FUNCTION @extschema@.record_change();
