-- ALTER DEFAULT PRIVILEGES may have given others rights on what has been created here. Who could write
-- to job would be everybody. What was there before an update keeps the privileges that people have given on it.
DO $$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT DISTINCT format('REVOKE ALL ON %s %s FROM %s', o.kind, o.name,
                               CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
        FROM pg_depend d
        JOIN (SELECT 'pg_class'::regclass AS classid, c.oid, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
                     c.oid::regclass::text AS name, c.relowner AS owner, c.relacl AS acl FROM pg_class c
              UNION ALL
              SELECT 'pg_namespace'::regclass, n.oid, 'SCHEMA', n.oid::regnamespace::text, n.nspowner, n.nspacl FROM pg_namespace n
              UNION ALL
              SELECT 'pg_proc'::regclass, p.oid, 'ROUTINE', p.oid::regprocedure::text, p.proowner, p.proacl FROM pg_proc p) o
             ON o.classid = d.classid AND o.oid = d.objid
        CROSS JOIN LATERAL aclexplode(o.acl) a
        WHERE d.deptype = 'e' AND d.refobjid = (SELECT e.oid FROM pg_extension e WHERE e.extname = 'elephant_worker')
          AND a.grantee <> o.owner
          AND d.classid || ':' || d.objid
              <> ALL (string_to_array(current_setting('elephant_worker.members_before'), ' '))
          AND (o.kind = 'SCHEMA'
               OR a.grantee NOT IN (SELECT r.oid FROM pg_roles r
                                    WHERE r.rolname IN ('job_scheduler', 'job_monitor', 'job_view_owner')))
    LOOP
        EXECUTE command;
    END LOOP;
END
$$;

-- To know the name of what is there gives no right on it; and who has been given a function can call what it calls.
GRANT USAGE ON SCHEMA @internal@ TO PUBLIC;
