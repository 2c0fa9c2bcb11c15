CREATE FUNCTION @extschema@.check_settings() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    setting record;
    reason text;
BEGIN
    IF jsonb_typeof(NEW.settings) <> 'object' THEN
        RAISE EXCEPTION 'settings of a job cannot be %', left(NEW.settings::text, 100)
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'They are a JSON object: names of parameters of PostgreSQL, and values.',
                  HINT = 'As in {"work_mem": "256MB", "statement_timeout": "5min"}.';
    END IF;
    IF jsonb_typeof(NEW.parameters) <> 'array' OR jsonb_array_length(NEW.parameters) > 1000 THEN
        RAISE EXCEPTION 'parameters of a job cannot be %', left(NEW.parameters::text, 100)
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'They are a JSON array with the values of $1, $2 and so on, 1000 at the most.',
                  HINT = 'As in ["Berlin", 42, null].';
    END IF;
    -- Each is set as the role of the job may set it, and all of it undone.
    BEGIN
        IF NEW.settings IS NOT NULL AND NEW.rolname <> current_user THEN
            PERFORM pg_catalog.set_config('role', NEW.rolname, true);
        END IF;
        FOR setting IN
            SELECT s.key AS name, s.value, v.value AS text, pg_catalog.jsonb_typeof(s.value) AS type
            FROM pg_catalog.jsonb_each(coalesce(NEW.settings, '{}')) s
            JOIN pg_catalog.jsonb_each_text(coalesce(NEW.settings, '{}')) v ON v.key = s.key
        LOOP
            IF setting.name ~* '^(role|session_authorization|client_encoding|elephant_worker[.].*)$' THEN
                RAISE EXCEPTION USING MESSAGE = 'it belongs to the session that the worker makes';
            ELSIF setting.type NOT IN ('string', 'number', 'boolean') THEN
                RAISE EXCEPTION USING MESSAGE = 'it is no string, number or boolean';
            END IF;
            -- With another search_path what follows here would mean something else; another server has settings
            -- of its own.
            IF NEW.server IS NULL AND lower(setting.name) <> 'search_path' THEN
                PERFORM pg_catalog.set_config(setting.name, setting.text, true);
            END IF;
        END LOOP;
        RAISE EXCEPTION USING ERRCODE = 'EW001';
    EXCEPTION
        WHEN SQLSTATE 'EW001' THEN
            RETURN NEW;
        WHEN OTHERS THEN
            reason := SQLERRM;
    END;
    RAISE EXCEPTION 'setting "%" of a job cannot be %', coalesce(setting.name, 'role'),
                    coalesce(setting.value::text, NEW.rolname)
        USING ERRCODE = 'invalid_parameter_value',
              DETAIL = format('For role "%s": %s.', NEW.rolname, reason),
              HINT = 'Give what this role could SET itself, as in {"work_mem": "256MB"}.';
END
$$;
COMMENT ON FUNCTION @extschema@.check_settings() IS
    'trigger: refuses settings that the role of the job may not set or that have no such value, and parameters that are no array (22023)';
REVOKE ALL ON FUNCTION @extschema@.check_settings() FROM PUBLIC;

-- After the role has been looked up.
CREATE TRIGGER look_up_new_settings BEFORE INSERT ON @extschema@.job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL AND (NEW.settings IS NOT NULL OR NEW.parameters IS NOT NULL))
    EXECUTE FUNCTION @extschema@.check_settings();
CREATE TRIGGER look_up_new_settings BEFORE INSERT ON @extschema@.once_job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL AND (NEW.settings IS NOT NULL OR NEW.parameters IS NOT NULL))
    EXECUTE FUNCTION @extschema@.check_settings();
CREATE TRIGGER look_up_changed_settings BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN ((NEW.settings, NEW.parameters, NEW.rolname, NEW.server)
                       IS DISTINCT FROM (OLD.settings, OLD.parameters, OLD.rolname, OLD.server))
    EXECUTE FUNCTION @extschema@.check_settings();
