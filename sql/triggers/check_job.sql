CREATE FUNCTION @internal@.check_job() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    filled @extschema@.job;
BEGIN
    IF TG_OP = 'INSERT' AND @extschema@.is_restored(NEW) THEN
        NEW := @extschema@.repair_restored(NEW);
        PERFORM @extschema@.check_values(NEW);
        RETURN NEW;
    END IF;

    IF TG_OP = 'INSERT' THEN
        NEW.job_id := @extschema@.free_job_id(NEW.job_id);
        -- What to run, where and as whom is not guessed.
        IF num_nulls(NEW.enabled, @required attributes after job_command: NEW.{name}{,}@) > 0 THEN
            -- One by one: NEW may be a row of once_job, and has to stay one.
            filled := @extschema@.fill_in_defaults(NEW);
            NEW.enabled := filled.enabled;
            @required attributes after job_command: NEW.{name} := filled.{name};@
        END IF;
    END IF;
    -- Drivers send None as the JSON null.
    NEW.settings := nullif(NEW.settings, 'null');
    NEW.parameters := nullif(NEW.parameters, 'null');
    -- OLD is all NULL for a new job.
    PERFORM @extschema@.check_values(NEW);
    IF (NEW.job_command, NEW.on_failure_command, NEW.job_description, NEW.settings, NEW.parameters)
       IS DISTINCT FROM
       (OLD.job_command, OLD.on_failure_command, OLD.job_description, OLD.settings, OLD.parameters) THEN
        PERFORM @extschema@.check_size(NEW);
    END IF;
    IF (NEW.job_name, NEW.rolname) IS DISTINCT FROM (OLD.job_name, OLD.rolname) AND NEW.job_name IS NOT NULL THEN
        PERFORM @extschema@.check_name(NEW);
    END IF;
    IF NEW.run_after IS NOT NULL THEN -- apart, since PostgreSQL takes long to find out how to compare arrays
        IF NEW.run_after IS DISTINCT FROM OLD.run_after THEN
            NEW.run_after := nullif(ARRAY(SELECT DISTINCT a FROM unnest(NEW.run_after) a ORDER BY a), '{}');
            PERFORM @extschema@.check_dependencies(NEW, OLD);
        END IF;
    END IF;
    IF TG_OP = 'INSERT'
       OR (NEW.rolname, NEW.datname, NEW.server) IS DISTINCT FROM (OLD.rolname, OLD.datname, OLD.server) THEN
        PERFORM @extschema@.check_target(NEW, OLD);
    END IF;
    -- From here on the role of the job is one that the current role may act as.
    IF (NEW.settings, NEW.parameters, NEW.rolname, NEW.server)
       IS DISTINCT FROM (OLD.settings, OLD.parameters, OLD.rolname, OLD.server)
       AND (NEW.settings IS NOT NULL OR NEW.parameters IS NOT NULL) THEN
        PERFORM @extschema@.check_settings(NEW);
    END IF;
    IF NEW.job_command IS DISTINCT FROM OLD.job_command THEN
        PERFORM @extschema@.raise_error(@extschema@.check_command(
            CASE TG_TABLE_NAME WHEN 'once_job' THEN 'command' ELSE 'job_command' END, NEW.job_command,
            NEW.server IS NULL));
    END IF;
    IF NEW.on_failure_command IS DISTINCT FROM OLD.on_failure_command THEN
        PERFORM @extschema@.raise_error(@extschema@.check_command('on_failure_command', NEW.on_failure_command,
                                                                  NEW.server IS NULL));
    END IF;
    IF TG_OP = 'INSERT' THEN
        NEW.defined_by := current_user;
    ELSIF NEW.defined_by IS DISTINCT FROM OLD.defined_by THEN
        PERFORM @extschema@.check_definer(NEW);
    ELSIF (NEW.job_command, NEW.on_failure_command, NEW.settings, NEW.parameters, NEW.datname, NEW.rolname, NEW.server,
           NEW.run_after)
          IS DISTINCT FROM
          (OLD.job_command, OLD.on_failure_command, OLD.settings, OLD.parameters, OLD.datname, OLD.rolname, OLD.server,
           OLD.run_after) THEN
        NEW.defined_by := current_user;
    END IF;
    RETURN NEW;
@one line of context@
END
$$;
COMMENT ON FUNCTION @extschema@.check_job() IS
    'trigger: refuses a definition that is not valid or not permitted, see the functions that it calls';
REVOKE ALL ON FUNCTION @extschema@.check_job() FROM PUBLIC;

CREATE TRIGGER check_job BEFORE INSERT OR UPDATE ON @extschema@.job
    FOR EACH ROW EXECUTE FUNCTION @extschema@.check_job();
CREATE TRIGGER check_job BEFORE INSERT ON @extschema@.once_job
    FOR EACH ROW EXECUTE FUNCTION @extschema@.check_job();
