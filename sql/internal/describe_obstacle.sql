CREATE FUNCTION @internal@.describe_obstacles(
    rolname name,
    datname name,
    server name,
    defined_by name,
    OUT obstacle text,
    OUT error @extschema@.user_error,
    OUT remedy text
)
RETURNS SETOF record
LANGUAGE sql STABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT o.code,
           ROW(o.sqlstate,
               format(o.message, a.rolname, a.datname, a.server, a.defined_by),
               o.detail,
               format(o.hint, i.rolname, i.datname, i.server, i.defined_by, l.rolname, l.datname, l.server, l.defined_by)),
           -- Pasted whole it shows the jobs and changes nothing: what is right, a person knows.
           format(E'SELECT job_id, job_name, rolname, datname, defined_by, job_command FROM @extschema@.member_job WHERE enabled AND '
                  || o.jobs || E';\n-- ' || replace(o.remedies, E'\n', E'\n-- ')
                  || E'\n-- to disable them: UPDATE @extschema@.member_job SET enabled = false WHERE ' || o.jobs || ';',
                  i.rolname, i.datname, i.server, i.defined_by, l.rolname, l.datname, l.server, l.defined_by,
                  -- Where a membership has options, one that exists keeps them unless they are given.
                  CASE WHEN v.has_options THEN ' WITH SET TRUE' END, CASE WHEN v.has_options THEN ' WITH INHERIT TRUE, SET TRUE' END)
    FROM (SELECT rolname::text, datname::text, coalesce(server, '')::text, coalesce(defined_by, '')::text)
             a (rolname, datname, server, defined_by)
    CROSS JOIN LATERAL (
        SELECT @extschema@.quote_ident_in_one_line(a.rolname::text), @extschema@.quote_ident_in_one_line(a.datname::text),
               @extschema@.quote_ident_in_one_line(a.server::text), @extschema@.quote_ident_in_one_line(a.defined_by::text)
    ) i (rolname, datname, server, defined_by)
    CROSS JOIN LATERAL (
        SELECT @extschema@.quote_literal_in_one_line(a.rolname::text), @extschema@.quote_literal_in_one_line(a.datname::text),
               @extschema@.quote_literal_in_one_line(a.server::text), @extschema@.quote_literal_in_one_line(a.defined_by::text)
    ) l (rolname, datname, server, defined_by)
    CROSS JOIN (SELECT current_setting('server_version_num')::integer >= 160000) v (has_options)
    -- The error is for the log and for whoever defines the job; the remedies, one a line, are SQL for a superuser.
    -- %1$s to %4$s: role, database, server and definer, in hints and remedies quoted as names; %5$s to %8$s: as literals;
    -- %9$s and %10$s in remedies: what makes a membership one by which a role can act, or has the rights of another.
    JOIN (VALUES
        ('role', '42704', 'role "%1$s" does not exist',
         'The role of the job has been dropped or renamed.',
         'Give the job another role, or its new name if it was renamed: SELECT @extschema@.update_job(..., rolname := ''...''); or create the role again, and a superuser can say that the job is that one''s: SELECT @extschema@.confirm_role(%5$s);',
         'rolname = %5$s',
         E'if it was renamed: UPDATE @extschema@.member_job SET rolname = ''...'' WHERE rolname = %5$s;\n'
         'if it should be there: CREATE ROLE %1$s; SELECT @extschema@.confirm_role(%5$s);'),
        ('other role', '55000', 'role "%1$s" is not the role that it was',
         'The role of the job was dropped or renamed, and this is another one of its name.',
         'If the job should run as this one, a superuser can say so: SELECT @extschema@.confirm_role(%5$s);',
         'rolname = %5$s',
         'to let this role have them: SELECT @extschema@.confirm_role(%5$s);'),
        ('other database', '55000', 'database "%2$s" is not the database that it was',
         'The database of the job was dropped or renamed, and this is another one of its name.',
         'If the job should run in this one: UPDATE @extschema@.member_job SET defined_by = current_user WHERE job_id = ...;',
         'datname = %6$s AND rolname = %5$s AND server IS NULL',
         'to run them in this one: UPDATE @extschema@.member_job SET defined_by = current_user WHERE datname = %6$s AND rolname = %5$s AND server IS NULL;'),
        ('other owner', '55000', 'database "%2$s" has another owner than it had',
         'The database has been created again under this name and OID, or given away. What its new owner puts there, a command can call as the role of the job, as which that owner may not act.',
         'If the job should run there all the same: UPDATE @extschema@.member_job SET defined_by = current_user WHERE job_id = ...;',
         'datname = %6$s AND rolname = %5$s AND server IS NULL',
         'to run them there all the same: UPDATE @extschema@.member_job SET defined_by = current_user WHERE datname = %6$s AND rolname = %5$s AND server IS NULL;'),
        ('other definer', '55000', 'role "%4$s" is not the role that defined the job',
         'That role was dropped or renamed, and this is another one of its name.',
         'Take the job over, as a role that may define it: UPDATE @extschema@.member_job SET defined_by = current_user WHERE job_id = ...; or a superuser can have the role answer for it: SELECT @extschema@.confirm_role(%8$s);',
         'defined_by = %8$s',
         E'to answer for them yourself: UPDATE @extschema@.member_job SET defined_by = current_user WHERE defined_by = %8$s;\n'
         'to let this role answer for them: SELECT @extschema@.confirm_role(%8$s);'),
        ('database', '3D000', 'database "%2$s" does not exist',
         'The database of the job has been dropped or renamed.',
         'If it was renamed, give the job its new name: SELECT @extschema@.update_job(..., datname := ''...'');',
         'datname = %6$s AND server IS NULL',
         E'if it was renamed: UPDATE @extschema@.member_job SET datname = ''...'' WHERE datname = %6$s AND server IS NULL;\n'
         'if it should be there: CREATE DATABASE %2$s; UPDATE @extschema@.member_job SET defined_by = current_user WHERE datname = %6$s AND server IS NULL;'),
        ('closed', '55000', 'database "%2$s" does not accept connections',
         'Its datallowconn is false.',
         'To let the job run again: ALTER DATABASE %2$s ALLOW_CONNECTIONS true;',
         'datname = %6$s AND server IS NULL',
         'to open it: ALTER DATABASE %2$s ALLOW_CONNECTIONS true;'),
        ('full', '53300', 'database "%2$s" has CONNECTION LIMIT 0',
         'Only superusers can connect to it.',
         'To let the job run: ALTER DATABASE %2$s CONNECTION LIMIT -1;',
         'datname = %6$s AND server IS NULL',
         'to open it: ALTER DATABASE %2$s CONNECTION LIMIT -1;'),
        ('broken', '55000', 'database "%2$s" is invalid',
         'DROP DATABASE was interrupted, and nobody can connect to what it has left.',
         'Give the job another database; DROP DATABASE %2$s; removes what is left.',
         'datname = %6$s AND server IS NULL',
         E'to run them in another one: UPDATE @extschema@.member_job SET datname = ''...'' WHERE datname = %6$s AND server IS NULL;\n'
         'once nothing refers to it: DROP DATABASE %2$s;'),
        ('connect', '42501', 'role "%1$s" may not connect to database "%2$s"',
         'A job runs in a session of its role.',
         'The owner of the database can GRANT CONNECT ON DATABASE %2$s TO %1$s;',
         'datname = %6$s AND rolname = %5$s AND server IS NULL',
         'to let it connect: GRANT CONNECT ON DATABASE %2$s TO %1$s;'),
        ('server', '42704', 'foreign server "%3$s" does not exist',
         'A job with a server runs on that foreign server of the control database, others run on this server.',
         'SELECT srvname FROM pg_foreign_server; lists the foreign servers, CREATE SERVER makes one.',
         'server = %7$s',
         'if it was renamed: UPDATE @extschema@.member_job SET server = ''...'' WHERE server = %7$s;'),
        ('other server', '55000', 'foreign server "%3$s" is not the foreign server that it was',
         'The foreign server of the job was dropped or renamed, and this is another one of its name.',
         'If the job should run on this one: UPDATE @extschema@.member_job SET defined_by = current_user WHERE job_id = ...;',
         'server = %7$s AND rolname = %5$s',
         'to run them on this one: UPDATE @extschema@.member_job SET defined_by = current_user WHERE server = %7$s AND rolname = %5$s;'),
        ('usage', '42501', 'role "%1$s" may not use foreign server "%3$s"',
         'The role of a job must have USAGE on the foreign server that the job runs on.',
         'The owner of the server can GRANT USAGE ON FOREIGN SERVER %3$s TO %1$s;',
         'server = %7$s AND rolname = %5$s',
         'to let it use the server: GRANT USAGE ON FOREIGN SERVER %3$s TO %1$s;'),
        ('mapping', '42704', 'role "%1$s" has no user mapping for foreign server "%3$s"',
         'A user mapping of the role, or one for PUBLIC, says as which user the job logs in there.',
         'To create one: CREATE USER MAPPING FOR %1$s SERVER %3$s OPTIONS (user ''...'', password ''...'');',
         'server = %7$s AND rolname = %5$s',
         'to say as which user they log in there: CREATE USER MAPPING FOR %1$s SERVER %3$s OPTIONS (user ''...'', password ''...'');'),
        ('long option', '54000', 'foreign server "%3$s" or the user mapping of role "%1$s" has options that are too long',
         'The options of both can have 10000 bytes together.',
         'Give shorter ones: ALTER SERVER %3$s OPTIONS (...); ALTER USER MAPPING FOR %1$s SERVER %3$s OPTIONS (...);',
         'server = %7$s AND rolname = %5$s',
         'to see how long they are: SELECT o.* FROM pg_foreign_server s JOIN pg_user_mapping m ON m.umserver = s.oid, '
         'LATERAL (SELECT option_name, length(option_value) FROM pg_options_to_table(s.srvoptions || m.umoptions)) o WHERE s.srvname = %7$s;'),
        ('option', '42501', 'foreign server "%3$s" would make the worker use its own files or credentials',
         'The server or the user mapping has an option that names a file or service of this server, or lends credentials.',
         'Drop that option, or have a superuser own the foreign server.',
         'server = %7$s AND rolname = %5$s',
         'to see its options: SELECT srvname, srvoptions, usename, umoptions FROM pg_foreign_server s LEFT JOIN pg_user_mappings m USING (srvname) WHERE srvname = %7$s;'),
        ('password', '2F003', 'the user mapping of role "%1$s" for foreign server "%3$s" has no password',
         'Without one the worker would log in with its own identity, not with what belongs to the role.',
         'Give it one; or a superuser can set its option password_required to false (postgres_fdw).',
         'server = %7$s AND rolname = %5$s',
         'to give it one: ALTER USER MAPPING FOR %1$s SERVER %3$s OPTIONS (ADD password ''...'');'),
        ('login', '28000', 'role "%1$s" is not permitted to log in',
         'With worker_setting.connect_as = ''role'', runs connect as the job''s role itself.',
         'To let the job run again: ALTER ROLE %1$s LOGIN;',
         'rolname = %5$s AND server IS NULL',
         'to let it log in: ALTER ROLE %1$s LOGIN;'),
        ('full role', '53300', 'role "%1$s" has CONNECTION LIMIT 0',
         'With worker_setting.connect_as = ''role'', runs connect as the job''s role itself.',
         'To let the job run: ALTER ROLE %1$s CONNECTION LIMIT -1;',
         'rolname = %5$s AND server IS NULL',
         'to let it connect: ALTER ROLE %1$s CONNECTION LIMIT -1;'),
        ('definer', '42704', 'role "%4$s", which defined the job, does not exist',
         'A job runs only while the role that defined it is permitted to define it.',
         'Create the role again, and a superuser can have it answer for the job: SELECT @extschema@.confirm_role(%8$s); or take the job over, as a role that may define it: UPDATE @extschema@.member_job SET defined_by = current_user WHERE job_id = ...;',
         'defined_by = %8$s',
         'to answer for them yourself: UPDATE @extschema@.member_job SET defined_by = current_user WHERE defined_by = %8$s;'),
        ('scheduler', '42501', 'role "%4$s", which defined the job, does not have the rights of job_scheduler',
         'A job runs only while the role that defined it is permitted to define it.',
         'Make it a member; or take the job over, as a role that may define it: UPDATE @extschema@.member_job SET defined_by = current_user WHERE job_id = ...;',
         'defined_by = %8$s',
         E'to answer for them yourself: UPDATE @extschema@.member_job SET defined_by = current_user WHERE defined_by = %8$s;\n'
         'to let it define jobs again: GRANT job_scheduler TO %4$s%10$s;'),
        ('member', '42501', 'role "%4$s", which defined the job, may not act as role "%1$s"',
         'A job runs only while the role that defined it is permitted to define it.',
         'Make it a member of that role; or take the job over, as a role that may define it: UPDATE @extschema@.member_job SET defined_by = current_user WHERE job_id = ...;',
         'defined_by = %8$s AND rolname = %5$s',
         E'to answer for them yourself: UPDATE @extschema@.member_job SET defined_by = current_user WHERE defined_by = %8$s AND rolname = %5$s;\n'
         'to let it act as that role: GRANT %1$s TO %4$s%9$s;')
    ) o (code, sqlstate, message, detail, hint, jobs, remedies) ON true;
$$;
COMMENT ON FUNCTION @extschema@.describe_obstacles(name, name, name, name) IS
    'what can keep jobs from running, by the codes of job_for_worker.obstacle: the error, and SQL for a superuser, in lines without control characters: a query that shows the jobs, and as comments what lets them run or disables them';
REVOKE ALL ON FUNCTION @extschema@.describe_obstacles(name, name, name, name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.describe_obstacles(name, name, name, name) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.describe_obstacle(
    obstacle text,
    rolname name,
    datname name,
    server name,
    defined_by name,
    OUT error @extschema@.user_error,
    OUT remedy text
)
LANGUAGE sql STABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.error, d.remedy FROM @extschema@.describe_obstacles(rolname, datname, server, defined_by) d
    WHERE d.obstacle = describe_obstacle.obstacle;
$$;
COMMENT ON FUNCTION @extschema@.describe_obstacle(text, name, name, name, name) IS 'one of describe_obstacles()';
REVOKE ALL ON FUNCTION @extschema@.describe_obstacle(text, name, name, name, name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.describe_obstacle(text, name, name, name, name) TO job_monitor;
