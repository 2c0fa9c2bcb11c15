CREATE FUNCTION @internal@.socket_directory() RETURNS text
LANGUAGE sql STABLE
SECURITY DEFINER -- unix_socket_directories is hidden from ordinary roles
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN d.name = '' THEN NULL
                WHEN d.name LIKE '/%' OR d.name LIKE '@%' THEN d.name
                ELSE current_setting('data_directory') || '/' || d.name END
    FROM (SELECT btrim(split_part(current_setting('unix_socket_directories'), ',', 1), ' "')) d (name);
$$;
COMMENT ON FUNCTION @extschema@.socket_directory() IS
    'the directory of the server''s socket, as its clients know it; NULL: there is none';
REVOKE ALL ON FUNCTION @extschema@.socket_directory() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.socket_directory() TO job_monitor;
