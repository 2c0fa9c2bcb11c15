CREATE FUNCTION @extschema@.insert_hba_line(new_line text, before integer) RETURNS text
LANGUAGE sql STABLE
SECURITY DEFINER -- where the file is, is hidden from ordinary roles; job_monitor is told it in the remedy
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format(E'sudo sed -i %s %s\nsudo -u %s psql -h %s -p %s -d postgres -c ''SELECT pg_reload_conf()''',
                  @extschema@.quote_for_shell(CASE WHEN before IS NULL THEN '$a ' ELSE before || 'i ' END || new_line),
                  @extschema@.quote_for_shell(current_setting('hba_file')),
                  (SELECT @extschema@.quote_for_shell(r.rolname::text) FROM pg_roles r WHERE r.oid = 10),
                  @extschema@.quote_for_shell(coalesce(@extschema@.socket_directory(), 'localhost')), current_setting('port'));
$$;
COMMENT ON FUNCTION @extschema@.insert_hba_line(text, integer) IS
    'the commands that put a line into pg_hba.conf, before the line of this number, which would decide otherwise; NULL: at its end';
REVOKE ALL ON FUNCTION @extschema@.insert_hba_line(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.insert_hba_line(text, integer) TO job_monitor;
