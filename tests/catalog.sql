-- Each fact about each object of the extension. sorted(…) stands for privileges whose order does not matter.
WITH member AS (
    SELECT d.classid, d.objid FROM pg_depend d
    WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
      AND d.refobjid = (SELECT e.oid FROM pg_extension e WHERE e.extname = 'elephant_worker')),
relation AS (
    SELECT c.*, c.oid::regclass::text AS name FROM pg_class c
    JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid),
object AS (
    SELECT m.classid, m.objid, pg_describe_object(m.classid, m.objid, 0) AS name FROM member m),
fact (object, fact) AS (
    SELECT o.name, 'is a member' FROM object o
    UNION ALL
    SELECT o.name, 'comment: ' || obj_description(o.objid, o.classid::regclass::name) FROM object o
    UNION ALL
    SELECT o.name, format('initial privileges%s: %s', ' of column ' || nullif(p.objsubid, 0), sorted(p.initprivs))
    FROM object o JOIN pg_init_privs p ON p.classoid = o.classid AND p.objoid = o.objid
    UNION ALL
    SELECT 'extension', format('version %s, dumps %s where %s', e.extversion, d.oid::regclass, d.condition)
    FROM pg_extension e, unnest(e.extconfig, e.extcondition) d (oid, condition) WHERE e.extname = 'elephant_worker'
    UNION ALL
    SELECT 'extension', format('owner %s, schema %s', e.extowner::regrole, e.extnamespace::regnamespace)
    FROM pg_extension e WHERE e.extname = 'elephant_worker'
    UNION ALL
    SELECT 'schema', sorted(n.nspacl) FROM pg_namespace n
    WHERE n.oid = (SELECT e.extnamespace FROM pg_extension e WHERE e.extname = 'elephant_worker')
    UNION ALL
    SELECT o.name, format('owner %s, privileges %s', p.proowner::regrole, sorted(p.proacl))
    FROM object o JOIN pg_proc p ON o.classid = 'pg_proc'::regclass AND o.objid = p.oid
    UNION ALL
    SELECT o.name, pg_get_functiondef(p.oid)
    FROM object o JOIN pg_proc p ON o.classid = 'pg_proc'::regclass AND o.objid = p.oid
    UNION ALL
    SELECT r.name, format('kind %s, owner %s, options %s, persistence %s, row security %s %s, replica identity %s, privileges %s',
                          r.relkind, r.relowner::regrole, r.reloptions, r.relpersistence, r.relrowsecurity,
                          r.relforcerowsecurity, r.relreplident, sorted(r.relacl))
    FROM relation r
    UNION ALL
    SELECT r.name, pg_get_viewdef(r.oid) FROM relation r WHERE r.relkind IN ('v', 'm')
    UNION ALL
    SELECT r.name, 'inherits ' || i.inhparent::regclass FROM relation r JOIN pg_inherits i ON i.inhrelid = r.oid
    UNION ALL
    SELECT r.name,
           format('column %s %s: %s%s, default %s, identity %s, generated %s, storage %s, statistics %s, inherited %s, privileges %s, comment %s',
                  row_number() OVER (PARTITION BY r.oid ORDER BY a.attnum), a.attname,
                  format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN ' not null' END,
                  pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated, a.attstorage, a.attstattarget,
                  a.attinhcount, sorted(a.attacl), col_description(r.oid, a.attnum))
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    UNION ALL
    SELECT o.name,
           format('attribute %s %s: %s, comment %s', row_number() OVER (PARTITION BY t.oid ORDER BY a.attnum), a.attname,
                  format_type(a.atttypid, a.atttypmod), col_description(t.typrelid, a.attnum))
    FROM object o
    JOIN pg_type t ON o.classid = 'pg_type'::regclass AND o.objid = t.oid
    JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT o.name, format('owner %s, privileges %s, of the kind %s', t.typowner::regrole, sorted(t.typacl), t.typtype)
    FROM object o JOIN pg_type t ON o.classid = 'pg_type'::regclass AND o.objid = t.oid
    UNION ALL
    SELECT o.name, format('label %s', e.enumlabel)
    FROM object o JOIN pg_enum e ON o.classid = 'pg_type'::regclass AND o.objid = e.enumtypid
    UNION ALL
    SELECT coalesce(r.name, o.name), format('constraint %s: %s, valid %s, comment %s', c.conname, pg_get_constraintdef(c.oid),
                                            c.convalidated, obj_description(c.oid, 'pg_constraint'))
    FROM pg_constraint c
    LEFT JOIN relation r ON r.oid = c.conrelid
    LEFT JOIN object o ON o.classid = 'pg_type'::regclass AND o.objid = c.contypid
    WHERE r.oid IS NOT NULL OR o.objid IS NOT NULL
    UNION ALL
    SELECT r.name, format('%s, clustered %s, options %s', pg_get_indexdef(i.indexrelid), i.indisclustered, c.reloptions)
    FROM relation r JOIN pg_index i ON i.indrelid = r.oid JOIN pg_class c ON c.oid = i.indexrelid
    UNION ALL
    SELECT r.name, format('trigger, enabled %s: %s', t.tgenabled, pg_get_triggerdef(t.oid))
    FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT r.name, format('policy %s for %s, permissive %s, to %s using %s with check %s', p.polname, p.polcmd, p.polpermissive,
                          p.polroles::regrole[], pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
    FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
    UNION ALL
    SELECT r.name, format('sequence %s from %s by %s, %s to %s, cache %s, cycle %s', s.seqtypid::regtype, s.seqstart,
                          s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
    FROM relation r JOIN pg_sequence s ON s.seqrelid = r.oid
    UNION ALL
    SELECT 'role ' || r.rolname, format('login %s, inherits %s, createrole %s', r.rolcanlogin, r.rolinherit, r.rolcreaterole)
    FROM pg_roles r WHERE r.rolname IN ('job_scheduler', 'job_monitor', 'job_view_owner'))
SELECT f.object || E'\n    ' || replace(f.fact, E'\n', E'\n    ') FROM fact f WHERE f.fact IS NOT NULL
ORDER BY f.object COLLATE "C", f.fact COLLATE "C"
