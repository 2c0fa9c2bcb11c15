CREATE FUNCTION @extschema@.check_jobs() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT 'jobs', 'error', format('%s %s of role "%s" in database "%s"%s cannot run: %s', j.jobs,
                                   CASE WHEN j.jobs = 1 THEN 'job' ELSE 'jobs' END, j.rolname, j.datname,
                                   coalesce(' on server "' || j.server || '"', ''), o.found), o.remedy
    FROM (SELECT r.obstacle, r.rolname, r.datname, r.server, r.defined_by, count(*) AS jobs
          FROM (SELECT w.rolname, w.datname, w.server, w.defined_by,
                       CASE WHEN w.obstacle IS NULL AND d.datconnlimit = 0 THEN 'full' ELSE w.obstacle END AS obstacle
                FROM @extschema@.job_for_worker w LEFT JOIN pg_database d ON d.oid = w.database_oid WHERE w.enabled) r
          WHERE r.obstacle IS NOT NULL
          GROUP BY r.obstacle, r.rolname, r.datname, r.server, r.defined_by) j
    CROSS JOIN LATERAL (VALUES (coalesce(j.server, ''))) s (server)
    JOIN LATERAL (VALUES
        ('role', 'the role does not exist',
         format('DELETE FROM @extschema@.member_job WHERE rolname = %L;', j.rolname)),
        ('database', 'the database does not exist',
         format('DELETE FROM @extschema@.member_job WHERE datname = %L;', j.datname)),
        ('closed', 'the database accepts no connections',
         format('ALTER DATABASE %I ALLOW_CONNECTIONS true;', j.datname)),
        ('full', 'the database has CONNECTION LIMIT 0',
         format('ALTER DATABASE %I CONNECTION LIMIT -1;', j.datname)),
        ('connect', 'the role may not connect to the database',
         format('GRANT CONNECT ON DATABASE %I TO %I;', j.datname, j.rolname)),
        ('server', 'the foreign server does not exist',
         format('DELETE FROM @extschema@.member_job WHERE server = %L;', s.server)),
        ('usage', 'the role has no USAGE on the foreign server',
         format('GRANT USAGE ON FOREIGN SERVER %I TO %I;', s.server, j.rolname)),
        ('mapping', 'the role has no user mapping for the foreign server',
         format('CREATE USER MAPPING FOR %I SERVER %I OPTIONS (user ''…'', password ''…'');', j.rolname, s.server)),
        ('option', 'the foreign server or the user mapping has an option that is for superusers only',
         format('ALTER SERVER %I OWNER TO %I;', s.server, current_user)),
        ('password', 'the user mapping for the foreign server has no password',
         format('ALTER USER MAPPING FOR %I SERVER %I OPTIONS (ADD password ''…'');', j.rolname, s.server)),
        ('login', 'the role cannot log in, and connect_as is ''role''',
         format('ALTER ROLE %I LOGIN;', j.rolname)),
        ('definer', format('the role "%s" that defined them does not exist', j.defined_by),
         format('UPDATE @extschema@.member_job SET defined_by = current_user WHERE defined_by = %L;', j.defined_by)),
        ('scheduler', format('the role "%s" that defined them is not a member of job_scheduler', j.defined_by),
         format('GRANT job_scheduler TO %I;', j.defined_by)),
        ('member', format('the role "%s" that defined them is not a member of the role', j.defined_by),
         format('GRANT %I TO %I;', j.rolname, j.defined_by))) o (obstacle, found, remedy) ON o.obstacle = j.obstacle
    ORDER BY j.rolname, j.datname, j.defined_by;
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('jobs', 'ok', 'nothing is in the way of any job that is enabled', NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_jobs() IS
    'for check_setup(): whether the roles, databases and rights that the jobs need are there';
REVOKE ALL ON FUNCTION @extschema@.check_jobs() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_jobs() TO job_monitor;
GRANT SELECT ON @extschema@.job_for_worker TO job_monitor;
