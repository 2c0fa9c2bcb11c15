CREATE FUNCTION @extschema@.check_target() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_new CONSTANT boolean := TG_OP = 'INSERT';
    role_oid oid;
BEGIN
    -- A name out of a catalog may come from a database of another encoding; the worker could not read it.
    PERFORM convert_from(convert_to(n, getdatabaseencoding()), getdatabaseencoding())
    FROM unnest(ARRAY[NEW.rolname::text, NEW.datname::text]) n;

    IF is_new OR NEW.rolname IS DISTINCT FROM OLD.rolname THEN
        SELECT r.oid INTO role_oid FROM pg_roles r WHERE r.rolname = NEW.rolname;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'role "%" does not exist', NEW.rolname
                USING ERRCODE = 'undefined_object',
                      DETAIL = 'A job runs as a role of this cluster.',
                      HINT = 'Create it first: CREATE ROLE …; it need not be able to log in.';
        ELSIF NOT @extschema@.may_act_as(role_oid) THEN
            RAISE EXCEPTION 'role "%" may not define jobs for role "%"', current_user, NEW.rolname
                USING ERRCODE = 'insufficient_privilege',
                      DETAIL = 'Jobs can be defined for oneself and for roles that one is a member of.',
                      HINT = format('An administrator can GRANT %I TO %I;', NEW.rolname, current_user);
        ELSIF NEW.rolname = 'pg_database_owner' THEN
            RAISE EXCEPTION 'jobs cannot run as "pg_database_owner"'
                USING ERRCODE = 'invalid_parameter_value',
                      DETAIL = 'It stands for a different role in each database and can have no members.',
                      HINT = 'Name the owner of the database itself.';
        END IF;
    END IF;

    IF NEW.server IS NULL
       AND (is_new OR (NEW.datname, NEW.server) IS DISTINCT FROM (OLD.datname, OLD.server)) THEN
        PERFORM FROM pg_database d WHERE d.datname = NEW.datname AND d.datallowconn;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'database "%" does not exist or accepts no connections', NEW.datname
                USING ERRCODE = 'invalid_catalog_name',
                      DETAIL = 'A job without a server runs in a database of this cluster.',
                      HINT = 'SELECT datname FROM pg_database WHERE datallowconn; lists them.';
        END IF;
    END IF;
    IF NEW.server IS NULL
       AND (is_new OR (NEW.datname, NEW.rolname, NEW.server) IS DISTINCT FROM (OLD.datname, OLD.rolname, OLD.server))
       AND NOT has_database_privilege(NEW.rolname, NEW.datname, 'CONNECT') THEN
        RAISE EXCEPTION 'role "%" may not connect to database "%"', NEW.rolname, NEW.datname
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'A job runs in a session of its role.',
                  HINT = format('Its owner can GRANT CONNECT ON DATABASE %I TO %I;', NEW.datname, NEW.rolname);
    END IF;

    IF is_new OR (NEW.job_command, NEW.on_failure_command, NEW.settings, NEW.parameters, NEW.datname, NEW.rolname,
                  NEW.server)
                 IS DISTINCT FROM
                 (OLD.job_command, OLD.on_failure_command, OLD.settings, OLD.parameters, OLD.datname, OLD.rolname,
                  OLD.server) THEN
        NEW.defined_by := current_user;
    ELSIF NEW.defined_by IS DISTINCT FROM OLD.defined_by AND NEW.defined_by IS DISTINCT FROM current_user THEN
        RAISE EXCEPTION 'defined_by of a job can only be set to oneself, "%"', current_user
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'It names who answers for the job, which runs only while this role has the right to define it.',
                  HINT = 'To take a job over: UPDATE member_job SET defined_by = current_user WHERE job_id = …;';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.check_target() IS
    'trigger: refuses a role or database that is not there or that who defines the job has no right to (3D000, 42501, 42704)';
REVOKE ALL ON FUNCTION @extschema@.check_target() FROM PUBLIC;

-- Triggers fire in the order of their names: after check_…_values, before set_…_schedule.
CREATE TRIGGER look_up_new_place BEFORE INSERT ON @extschema@.job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL) EXECUTE FUNCTION @extschema@.check_target();
CREATE TRIGGER look_up_new_place BEFORE INSERT ON @extschema@.once_job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL) EXECUTE FUNCTION @extschema@.check_target();
CREATE TRIGGER look_up_changed_place BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN ((NEW.job_command, NEW.on_failure_command, NEW.settings, NEW.parameters, NEW.datname, NEW.rolname,
                        NEW.server, NEW.defined_by)
                       IS DISTINCT FROM
                       (OLD.job_command, OLD.on_failure_command, OLD.settings, OLD.parameters, OLD.datname, OLD.rolname,
                        OLD.server, OLD.defined_by))
    EXECUTE FUNCTION @extschema@.check_target();
