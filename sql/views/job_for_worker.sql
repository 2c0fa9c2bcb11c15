-- What the worker needs to start a run, and to see what is in its way.
CREATE VIEW @internal@.job_for_worker AS
SELECT j.job_id,
       date_part('epoch', j.schedule_set_at) AS schedule_set_at,
       j.enabled,
       j.schedule,
       j.timezone,
       j.dst,
       date_part('epoch', j.starts_at) AS starts_at,
       date_part('epoch', j.ends_at) AS ends_at,
       j.catch_up,
       j.catch_up_limit,
       date_part('epoch', j.start_deadline) AS start_deadline,
       j.parallel,
       j.job_command,
       date_part('epoch', j.job_timeout) AS job_timeout,
       j.settings::text AS settings,
       CASE WHEN j.parameters IS NOT NULL
            THEN ARRAY(SELECT p.value FROM jsonb_array_elements_text(j.parameters) WITH ORDINALITY p ORDER BY p.ordinality)
            END AS parameters,
       j.rolname,
       r.oid AS role_oid,
       j.datname,
       j.server,
       d.oid AS database_oid,
       j.defined_by,
       o.obstacle,
       CASE WHEN o.obstacle IS NOT NULL
            THEN (SELECT d.error FROM @extschema@.describe_obstacle(o.obstacle, j.rolname, j.datname, j.server, j.defined_by) d)
            END AS obstacle_error,
       CASE WHEN j.job_id > 0 THEN j.version END AS version,
       CASE WHEN j.job_id > 0 THEN j.job_name END AS job_name,
       j.database_oid AS expected_database_oid,
       j.database_owner AS expected_database_owner,
       j.server_oid AS expected_server_oid,
       j.xmin AS row_version
FROM @extschema@.job j
-- The columns of job in these conditions cannot order what is read of it: one job is always found by its number.
LEFT JOIN LATERAL (SELECT a.oid, a.rolsuper, a.rolcanlogin, a.rolconnlimit FROM pg_roles a WHERE a.rolname = j.rolname OFFSET 0) r ON true
LEFT JOIN LATERAL (SELECT a.oid, a.rolsuper FROM pg_roles a WHERE a.rolname = j.defined_by OFFSET 0) u ON true
LEFT JOIN LATERAL (
    SELECT b.oid, b.datdba, b.datallowconn, b.datconnlimit FROM pg_database b WHERE b.datname = j.datname AND j.server IS NULL OFFSET 0
) d ON true
CROSS JOIN LATERAL (
    SELECT CASE WHEN r.oid IS NULL THEN 'role'
                WHEN EXISTS (SELECT FROM @extschema@.known_role k WHERE k.rolname = j.rolname AND k.role_oid <> r.oid)
                    THEN 'other role'
                WHEN j.server IS NULL AND d.oid IS NULL THEN 'database'
                WHEN d.oid <> j.database_oid OR d.oid IS NOT NULL AND j.database_oid IS NULL THEN 'other database'
                -- Who creates a database chooses its OID too. Whoever could act as the role anyway gains nothing.
                WHEN d.datdba IS DISTINCT FROM j.database_owner AND j.server IS NULL
                     AND NOT pg_has_role(d.datdba, r.oid, CASE WHEN current_setting('server_version_num')::integer >= 160000
                                                               THEN 'SET' ELSE 'MEMBER' END) THEN 'other owner'
                WHEN NOT d.datallowconn THEN 'closed'
                WHEN d.datconnlimit = -2 THEN 'broken'
                -- Runners are no superusers.
                WHEN d.datconnlimit = 0 AND NOT (r.rolsuper AND (SELECT s.connect_as = 'role' FROM @extschema@.worker_setting s)) THEN 'full'
                WHEN NOT has_database_privilege(r.oid, d.oid, 'CONNECT') THEN 'connect'
                WHEN j.server IS NOT NULL AND EXISTS (SELECT FROM pg_foreign_server s WHERE s.srvname = j.server
                                                      AND s.oid IS DISTINCT FROM j.server_oid) THEN 'other server'
                WHEN j.server IS NOT NULL AND @extschema@.server_obstacle(j.server, r.oid) IS NOT NULL
                    THEN @extschema@.server_obstacle(j.server, r.oid)
                WHEN j.server IS NULL AND NOT r.rolcanlogin AND (SELECT s.connect_as = 'role' FROM @extschema@.worker_setting s) THEN 'login'
                WHEN j.server IS NULL AND r.rolconnlimit = 0 AND NOT r.rolsuper
                     AND (SELECT s.connect_as = 'role' FROM @extschema@.worker_setting s) THEN 'full role'
                WHEN u.oid IS NULL THEN 'definer'
                WHEN EXISTS (SELECT FROM @extschema@.known_role k WHERE k.rolname = j.defined_by AND k.role_oid <> u.oid)
                    THEN 'other definer'
                WHEN u.rolsuper THEN NULL
                -- A membership can give none of its rights, neither by itself nor by SET ROLE.
                WHEN pg_has_role(u.oid, (SELECT @extschema@.group_role('job_scheduler')),
                                 CASE WHEN current_setting('server_version_num')::integer >= 160000
                                      THEN 'SET, USAGE' ELSE 'MEMBER' END) IS NOT TRUE THEN 'scheduler'
                WHEN u.oid <> r.oid
                     AND NOT pg_has_role(u.oid, r.oid, CASE WHEN current_setting('server_version_num')::integer >= 160000
                                                            THEN 'SET' ELSE 'MEMBER' END) THEN 'member'
           END AS obstacle
    OFFSET 0) o; -- evaluated once

COMMENT ON VIEW @extschema@.job_for_worker IS 'the jobs as the worker reads them';
