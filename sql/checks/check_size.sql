CREATE FUNCTION @internal@.check_size(definition @extschema@.job) RETURNS void
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    size CONSTANT bigint := octet_length(concat(
        definition.job_command, definition.on_failure_command, definition.job_description, definition.settings,
        definition.parameters));
    most integer;
BEGIN
    IF size > 10000 THEN -- the least that max_definition_size can be
        SELECT s.max_definition_size INTO most FROM @extschema@.worker_setting s;
        IF size > most THEN
            RAISE EXCEPTION 'a job cannot have % bytes', size
                USING ERRCODE = 'program_limit_exceeded',
                      DETAIL = format('Command, on_failure_command, description, settings and parameters can have %s '
                                      'bytes together, by worker_setting.max_definition_size.', most),
                      HINT = 'Put the command into a function or procedure, and large values into a table. A superuser '
                             'can raise the limit.';
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_size(@extschema@.job) IS
    'refuses a definition larger than worker_setting.max_definition_size (54000): many of them at once must not fill the memory of the worker';
REVOKE ALL ON FUNCTION @extschema@.check_size(@extschema@.job) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_size(@extschema@.job) TO job_scheduler;
