-- A GRANT in a script of an extension has all privileges of the object counted as the extension's own, and
-- pg_dump leaves those out. What others have granted must not be among them.
UPDATE pg_init_privs p
SET initprivs = o.own
FROM (SELECT i.classoid, i.objoid, i.objsubid,
             ARRAY(SELECT g.item FROM unnest(i.initprivs) WITH ORDINALITY g (item, position)
                   CROSS JOIN LATERAL (SELECT min(x.grantee::bigint) AS grantee, min(x.grantor::bigint) AS grantor
                                       FROM aclexplode(ARRAY[g.item]) x) a
                   WHERE a.grantee IN (0, a.grantor)
                      OR a.grantee IN (SELECT r.oid FROM pg_roles r
                                       WHERE r.rolname IN ('job_scheduler', 'job_monitor', 'job_view_owner'))
                   ORDER BY g.position) AS own
      FROM pg_init_privs i
      JOIN pg_depend d ON d.classid = i.classoid AND d.objid = i.objoid AND d.deptype = 'e'
      JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'elephant_worker') o
WHERE p.classoid = o.classoid AND p.objoid = o.objoid AND p.objsubid = o.objsubid AND p.initprivs <> o.own;
