CREATE FUNCTION @internal@.server_login(
    server name,
    role oid,
    OUT obstacle text,
    OUT parameters jsonb,
    OUT password_required boolean,
    OUT is_lenient boolean,
    OUT version text
)
LANGUAGE plpgsql STABLE STRICT SECURITY INVOKER -- PL/pgSQL keeps the plan: the worker asks for each job that is due elsewhere
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    WITH found AS MATERIALIZED (
        SELECT s.oid, m.oid AS mapping, r.rolsuper,
               -- Not even read where they are long: the worker would take its time for each run.
               CASE WHEN pg_column_size(s.srvoptions) <= 8000 THEN s.srvoptions END AS srvoptions,
               CASE WHEN pg_column_size(m.umoptions) <= 8000 THEN m.umoptions END AS umoptions,
               greatest(pg_column_size(s.srvoptions), pg_column_size(m.umoptions)) > 8000 AS has_long_options, o.rolsuper AS owner_is_superuser,
               concat_ws(' ', s.oid, s.xmin, m.oid, m.xmin) AS version,
               -- Whose mappings only superusers can give options that lend what is the server's own.
               EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                       WHERE d.classid = 'pg_proc'::regclass AND d.objid = w.fdwvalidator
                         AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
                         AND e.extname = 'postgres_fdw') AS is_watched
        FROM (SELECT) only_row
        LEFT JOIN pg_foreign_server s ON s.srvname = server_login.server
        LEFT JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
        LEFT JOIN pg_roles o ON o.oid = s.srvowner
        LEFT JOIN pg_roles r ON r.oid = server_login.role
        LEFT JOIN LATERAL (SELECT u.oid, u.xmin, u.umoptions FROM pg_user_mapping u
                           WHERE u.umserver = s.oid AND u.umuser IN (server_login.role, 0)
                           ORDER BY u.umuser = 0 LIMIT 1) m ON true),
    option AS MATERIALIZED (
        SELECT a.option_name AS name, a.option_value AS value, f.owner_is_superuser AS is_trusted
        FROM found f CROSS JOIN LATERAL pg_options_to_table(f.srvoptions) a
        WHERE a.option_name = ANY (ARRAY[
            'host', 'hostaddr', 'port', 'connect_timeout', 'target_session_attrs', 'load_balance_hosts', 'options',
            'keepalives', 'keepalives_idle', 'keepalives_interval', 'keepalives_count', 'tcp_user_timeout',
            'sslmode', 'sslnegotiation', 'sslcompression', 'sslsni', 'sslcertmode', 'ssl_min_protocol_version',
            'ssl_max_protocol_version', 'min_protocol_version', 'max_protocol_version', 'channel_binding',
            'require_auth', 'requirepeer', 'gssencmode', 'krbsrvname',
            'sslrootcert', 'sslcrl', 'sslcrldir', 'sslcert', 'sslkey', 'sslkeylogfile', 'passfile', 'service',
            'servicefile', 'gsslib', 'gssdelegation'])
        UNION ALL
        SELECT a.option_name, a.option_value, f.is_watched
        FROM found f CROSS JOIN LATERAL pg_options_to_table(f.umoptions) a
        WHERE a.option_name IN ('user', 'password', 'sslcert', 'sslkey', 'sslpassword')),
    word AS MATERIALIZED (
        -- What a superuser has said of the mapping.
        SELECT f.is_watched AND EXISTS (
                   SELECT FROM pg_options_to_table(f.umoptions) a
                   WHERE a.option_name = 'password_required' AND a.option_value IN ('false', 'off', 'no', '0', 'f', 'n'))
               AS no_password_required
        FROM found f)
    SELECT CASE
               WHEN f.oid IS NULL THEN 'server'
               WHEN NOT has_server_privilege(server_login.role, f.oid, 'USAGE') THEN 'usage'
               WHEN f.mapping IS NULL THEN 'mapping'
               WHEN f.has_long_options OR (SELECT sum(octet_length(o.value)) > 10000 FROM option o) THEN 'long option'
               WHEN EXISTS (SELECT FROM option o
                            WHERE o.name IN ('sslrootcert', 'sslcrl', 'sslcrldir', 'sslcert', 'sslkey', 'sslkeylogfile',
                                             'sslpassword', 'passfile', 'service', 'servicefile', 'gsslib', 'gssdelegation')
                              AND NOT o.is_trusted AND NOT (o.name = 'sslrootcert' AND o.value = 'system')) THEN 'option'
               WHEN NOT (f.rolsuper OR d.no_password_required)
                    AND NOT EXISTS (SELECT FROM option o WHERE o.name = 'password' AND o.value <> '') THEN 'password'
           END,
           (SELECT jsonb_object_agg(o.name, o.value) FROM option o),
           NOT (f.rolsuper OR d.no_password_required),
           d.no_password_required OR EXISTS (SELECT FROM option o WHERE o.name = 'require_auth' AND o.is_trusted),
           f.version
    INTO obstacle, parameters, password_required, is_lenient, version
    FROM found f, word d;
END
$$;
COMMENT ON FUNCTION @extschema@.server_login(name, oid) IS
    'how a role logs in on a foreign server, secrets included: libpq parameters of the server and of the role''s user mapping, whether the server there must ask for the password, and whether a superuser lets it do so in another way than SCRAM; version changes with either; obstacle: why it cannot (server, usage, mapping, long option, option, password), NULL: it can';
REVOKE ALL ON FUNCTION @extschema@.server_login(name, oid) FROM PUBLIC;

CREATE FUNCTION @internal@.server_obstacle(server name, role oid) RETURNS text
LANGUAGE plpgsql STABLE STRICT
SECURITY DEFINER -- options of user mappings are hidden from all but superusers; nothing of them is shown
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT l.obstacle FROM @extschema@.server_login(server, role) l);
END
$$;
COMMENT ON FUNCTION @extschema@.server_obstacle(name, oid) IS
    'why a role cannot log in on a foreign server, see server_login(); NULL: it can';
REVOKE ALL ON FUNCTION @extschema@.server_obstacle(name, oid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.server_obstacle(name, oid) TO job_monitor;
