CREATE FUNCTION @internal@.check_settings(definition @extschema@.job) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
AS $$
DECLARE
    setting record;
    reason text;
BEGIN
    IF jsonb_typeof(definition.settings) <> 'object' THEN
        RAISE EXCEPTION 'settings of a job cannot be %', left(definition.settings::text, 100)
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'They are a JSON object of PostgreSQL settings: names and values.',
                  HINT = 'For example: {"work_mem": "256MB", "statement_timeout": "5min"}.';
    END IF;
    IF jsonb_typeof(definition.parameters) <> 'array' OR jsonb_array_length(definition.parameters) > 1000 THEN
        RAISE EXCEPTION 'parameters of a job cannot be %', left(definition.parameters::text, 100)
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'They are a JSON array of the values of $1, $2 and so on, at most 1000.',
                  HINT = 'For example: ["Berlin", 42, null].';
    END IF;
    -- Each is set as the role of the job, and all of it is undone.
    BEGIN
        IF definition.settings IS NOT NULL AND definition.rolname <> current_user THEN
            PERFORM pg_catalog.set_config('role', definition.rolname, true);
        END IF;
        FOR setting IN
            SELECT s.key AS name, s.value, v.value AS text, pg_catalog.jsonb_typeof(s.value) AS type
            FROM pg_catalog.jsonb_each(coalesce(definition.settings, '{}')) s
            JOIN pg_catalog.jsonb_each_text(coalesce(definition.settings, '{}')) v ON v.key = s.key
        LOOP
            IF setting.name ~* '^(role|session_authorization|client_encoding|elephant_worker[.].*)$' THEN
                RAISE EXCEPTION USING MESSAGE = 'it is reserved for the sessions of the worker';
            ELSIF setting.type NOT IN ('string', 'number', 'boolean') THEN
                RAISE EXCEPTION USING MESSAGE = 'it is not a string, number or boolean';
            END IF;
            -- With another search_path the following statements would mean something else; another server has
            -- settings of its own.
            IF definition.server IS NULL AND lower(setting.name) <> 'search_path' THEN
                -- transaction_timeout would end the session that defines the job; statement_timeout has the same values.
                PERFORM pg_catalog.set_config(
                    CASE WHEN lower(setting.name) = 'transaction_timeout'
                              AND pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL
                         THEN 'statement_timeout' ELSE setting.name END, setting.text, true);
                PERFORM pg_catalog.set_config('exit_on_error', 'off', true); -- which may be what has been set
            END IF;
        END LOOP;
        RAISE EXCEPTION USING ERRCODE = 'EW001';
    EXCEPTION
        WHEN SQLSTATE 'EW001' THEN
            RETURN;
        WHEN OTHERS THEN
            reason := CASE WHEN lower(setting.name) = 'transaction_timeout'
                           THEN replace(SQLERRM, 'statement_timeout', setting.name) ELSE SQLERRM END;
    END;
    RAISE EXCEPTION 'setting "%" of a job cannot be %', coalesce(setting.name, 'role'),
                    coalesce(setting.value::text, definition.rolname)
        USING ERRCODE = 'invalid_parameter_value',
              DETAIL = format('For role "%s": %s.', definition.rolname, reason),
              HINT = 'Give settings that this role can SET itself, for example {"work_mem": "256MB"}.';
END
$$;
COMMENT ON FUNCTION @extschema@.check_settings(@extschema@.job) IS
    'refuses settings that the role of the job cannot set, or not to this value, and parameters that are not an array (22023)';
REVOKE ALL ON FUNCTION @extschema@.check_settings(@extschema@.job) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_settings(@extschema@.job) TO job_scheduler;
