CREATE FUNCTION @extschema@.describe_obstacle(
    obstacle text,
    rolname name,
    datname name,
    server name,
    defined_by name,
    OUT error @extschema@.user_error,
    OUT remedy text
)
LANGUAGE sql IMMUTABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT ROW(o.sqlstate, format(o.message, a.rolname, a.datname, a.server, a.defined_by), o.detail,
               format(o.hint, a.rolname, a.datname, a.server, a.defined_by)),
           -- A name with a line break would end a comment, and go on as a statement.
           format(CASE WHEN concat(a.rolname, a.datname, a.server, a.defined_by) ~ E'[\n\r]'
                       THEN regexp_replace(o.remedy, ' ?--[^\n]*\n?', '', 'g') ELSE o.remedy END,
                  a.rolname, a.datname, a.server, a.defined_by)
    FROM (SELECT rolname, datname, coalesce(server, ''), coalesce(defined_by, '')) a (rolname, datname, server, defined_by)
    -- The error is for the log and for whoever defines the job; the remedy is SQL for a superuser.
    JOIN (VALUES
        ('role', '42704', 'role "%1$s" does not exist',
         'The role of the job has been dropped or renamed.',
         'Give the job another role, or create the role again.',
         E'-- if it was renamed: UPDATE @extschema@.member_job SET rolname = ''…'' WHERE rolname = %1$L;\n'
         '-- if it should be there: CREATE ROLE %1$I;\n'
         'UPDATE @extschema@.member_job SET enabled = false WHERE rolname = %1$L;'),
        ('other role', '55000', 'role "%1$s" is not the role that it was',
         'The role of the job was dropped or renamed, and this is another one of its name.',
         'If the job should run as this one, a superuser can say so: SELECT confirm_role(%1$L);',
         'UPDATE @extschema@.member_job SET enabled = false WHERE rolname = %1$L; -- or let this role have them: SELECT @extschema@.confirm_role(%1$L);'),
        ('other database', '55000', 'database "%2$s" is not the database that it was',
         'The database of the job was dropped or renamed, and this is another one of its name.',
         'If the job should run in this one: UPDATE member_job SET defined_by = current_user WHERE job_id = …;',
         'UPDATE @extschema@.member_job SET enabled = false WHERE datname = %2$L AND rolname = %1$L; -- or let them run there: SET defined_by = current_user'),
        ('other definer', '55000', 'role "%4$s" is not the role that defined the job',
         'That role was dropped or renamed, and this is another one of its name.',
         'Take the job over, as a role that may define it: UPDATE member_job SET defined_by = current_user WHERE job_id = …; or a superuser can have the role answer for it: SELECT confirm_role(%4$L);',
         'UPDATE @extschema@.member_job SET enabled = false WHERE defined_by = %4$L; -- or let this role answer for them: SELECT @extschema@.confirm_role(%4$L);'),
        ('database', '3D000', 'database "%2$s" does not exist',
         'The database of the job has been dropped or renamed.',
         'If it was renamed, give the job its new name: update_job(…, datname := …).',
         E'-- if it was renamed: UPDATE @extschema@.member_job SET datname = ''…'' WHERE datname = %2$L AND server IS NULL;\n'
         'UPDATE @extschema@.member_job SET enabled = false WHERE datname = %2$L AND server IS NULL;'),
        ('closed', '55000', 'database "%2$s" does not accept connections',
         'Its datallowconn is false.',
         'To let the job run again: ALTER DATABASE %2$I ALLOW_CONNECTIONS true;',
         'ALTER DATABASE %2$I ALLOW_CONNECTIONS true;'),
        ('full', '53300', 'database "%2$s" has CONNECTION LIMIT 0',
         'Only superusers can connect to it.',
         'To let the job run: ALTER DATABASE %2$I CONNECTION LIMIT -1;',
         'ALTER DATABASE %2$I CONNECTION LIMIT -1;'),
        ('connect', '42501', 'role "%1$s" may not connect to database "%2$s"',
         'A job runs in a session of its role.',
         'The owner of the database can GRANT CONNECT ON DATABASE %2$I TO %1$I;',
         'GRANT CONNECT ON DATABASE %2$I TO %1$I;'),
        ('server', '42704', 'foreign server "%3$s" does not exist',
         'A job with a server runs on that foreign server of the control database, others run on this server.',
         'SELECT srvname FROM pg_foreign_server; lists the foreign servers, CREATE SERVER makes one.',
         E'-- if it was renamed: UPDATE @extschema@.member_job SET server = ''…'' WHERE server = %3$L;\n'
         'UPDATE @extschema@.member_job SET enabled = false WHERE server = %3$L;'),
        ('usage', '42501', 'role "%1$s" may not use foreign server "%3$s"',
         'The role of a job must have USAGE on the foreign server that the job runs on.',
         'The owner of the server can GRANT USAGE ON FOREIGN SERVER %3$I TO %1$I;',
         'GRANT USAGE ON FOREIGN SERVER %3$I TO %1$I;'),
        ('mapping', '42704', 'role "%1$s" has no user mapping for foreign server "%3$s"',
         'A user mapping of the role, or one for PUBLIC, says as which user the job logs in there.',
         'To create one: CREATE USER MAPPING FOR %1$I SERVER %3$I OPTIONS (user ''…'', password ''…'');',
         'CREATE USER MAPPING FOR %1$I SERVER %3$I OPTIONS (user ''…'', password ''…'');'),
        ('option', '42501', 'foreign server "%3$s" would make the worker use its own files or credentials',
         'The server or the user mapping has an option that names a file or service of this server, or lends credentials.',
         'Drop that option, or have a superuser own the foreign server.',
         'UPDATE @extschema@.member_job SET enabled = false WHERE server = %3$L AND rolname = %1$L; -- or drop the option'),
        ('password', '2F003', 'the user mapping of role "%1$s" for foreign server "%3$s" has no password',
         'Without one the worker would log in with its own identity, not with what belongs to the role.',
         'Give it one; or a superuser can set its option password_required to false (postgres_fdw).',
         'ALTER USER MAPPING FOR %1$I SERVER %3$I OPTIONS (ADD password ''…'');'),
        ('login', '28000', 'role "%1$s" is not permitted to log in',
         'With worker_setting.connect_as = ''role'', runs connect as the job''s role itself.',
         'To let the job run again: ALTER ROLE %1$I LOGIN;',
         'UPDATE @extschema@.member_job SET enabled = false WHERE rolname = %1$L; -- or let them run: ALTER ROLE %1$I LOGIN;'),
        ('definer', '42704', 'role "%4$s", which defined the job, does not exist',
         'A job runs only while the role that defined it is permitted to define it.',
         'Create the role again; or take the job over, as a role that may define it: UPDATE member_job SET defined_by = current_user WHERE job_id = …;',
         'UPDATE @extschema@.member_job SET enabled = false WHERE defined_by = %4$L; -- or set defined_by = current_user, to let them run'),
        ('scheduler', '42501', 'role "%4$s", which defined the job, is not a member of job_scheduler',
         'A job runs only while the role that defined it is permitted to define it.',
         'Make it a member; or take the job over, as a role that may define it: UPDATE member_job SET defined_by = current_user WHERE job_id = …;',
         'UPDATE @extschema@.member_job SET enabled = false WHERE defined_by = %4$L; -- or let them run: GRANT job_scheduler TO %4$I;'),
        ('member', '42501', 'role "%4$s", which defined the job, may not act as role "%1$s"',
         'A job runs only while the role that defined it is permitted to define it.',
         'Make it a member of that role; or take the job over, as a role that may define it: UPDATE member_job SET defined_by = current_user WHERE job_id = …;',
         'UPDATE @extschema@.member_job SET enabled = false WHERE defined_by = %4$L AND rolname = %1$L; -- or let them run: GRANT %1$I TO %4$I;')
    ) o (code, sqlstate, message, detail, hint, remedy) ON o.code = obstacle;
$$;
COMMENT ON FUNCTION @extschema@.describe_obstacle(text, name, name, name, name) IS
    'what keeps jobs from running, by the codes of job_for_worker.obstacle: the error, and SQL for a superuser that lets them run, or else disables them: nothing is granted that may have been revoked on purpose';
REVOKE ALL ON FUNCTION @extschema@.describe_obstacle(text, name, name, name, name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.describe_obstacle(text, name, name, name, name) TO job_monitor;
