CREATE FUNCTION @internal@.insert_hba_line(new_line text, before integer, path text DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE
SECURITY DEFINER -- where the files are is hidden from ordinary roles; job_monitor is told it in the remedy
SET search_path = pg_catalog, pg_temp
AS $$
    -- A signal tells the server to read the file: until it has, there may be no way to log in. To sed a backslash
    -- is the beginning of another character, and what follows a line break a command of its own.
    SELECT coalesce(@extschema@.rename_database(),
                    format(E'sudo sed -i %s %s\nsudo kill -HUP $(sudo head -n 1 %s)',
                           @extschema@.quote_for_shell(
                               CASE WHEN before IS NULL THEN '$a ' ELSE before || 'i ' END
                               || replace(regexp_replace(new_line, '[[:cntrl:]]', ' ', 'g'), E'\\', E'\\\\')),
                           @extschema@.quote_for_shell(coalesce(insert_hba_line.path, current_setting('hba_file'))),
                           @extschema@.quote_for_shell(current_setting('data_directory') || '/postmaster.pid')));
$$;
COMMENT ON FUNCTION @extschema@.insert_hba_line(text, integer, text) IS
    'the commands that put a line into pg_hba.conf, or a file that it includes, before the line of this number, which would decide otherwise; NULL: at its end';
REVOKE ALL ON FUNCTION @extschema@.insert_hba_line(text, integer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.insert_hba_line(text, integer, text) TO job_monitor;

CREATE FUNCTION @internal@.append_ident_line(system_user_name text, rolname name) RETURNS text
LANGUAGE sql STABLE
SECURITY DEFINER -- where the file is is hidden from ordinary roles; job_monitor is told it in the remedy
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('echo %s | sudo tee -a %s >/dev/null',
                  @extschema@.quote_for_shell(regexp_replace(
                      format('elephant_worker "%s" %s', system_user_name, @extschema@.quote_for_hba(rolname)), '[[:cntrl:]]', ' ', 'g')),
                  @extschema@.quote_for_shell(current_setting('ident_file')));
$$;
COMMENT ON FUNCTION @extschema@.append_ident_line(text, name) IS
    'the command that lets a user of the operating system be a role, by the map elephant_worker of pg_ident.conf';
REVOKE ALL ON FUNCTION @extschema@.append_ident_line(text, name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.append_ident_line(text, name) TO job_monitor;
