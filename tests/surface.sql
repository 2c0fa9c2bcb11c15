-- What the extension offers, a line for each fact, in the order of names.
WITH member AS (
    SELECT d.classid, d.objid FROM pg_depend d
    WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
      AND d.refobjid = (SELECT e.oid FROM pg_extension e WHERE e.extname = 'elephant_worker')),
relation AS (
    SELECT c.oid, CASE c.relnamespace WHEN 'elephant_worker_internal'::regnamespace THEN 'internal.' ELSE '' END || c.relname AS name, c.relacl AS acl,
           CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'type' END AS kind
    FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
    UNION ALL
    SELECT c.oid, c.relname, NULL, 'type'
    FROM pg_type t
    JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
    JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid),
routine AS (
    SELECT p.*, format('%s %s(%s)', CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END,
                       CASE p.pronamespace WHEN 'elephant_worker_internal'::regnamespace THEN 'internal.' ELSE '' END || p.proname,
                       regexp_replace(pg_get_function_identity_arguments(p.oid), ',.*', ', …')) AS name
    FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
    WHERE p.prorettype <> 'trigger'::regtype),
line (object, rank, number, fact) AS (
    SELECT format('%s %s', r.kind, r.name), 0, 0, NULL FROM relation r
    UNION ALL
    SELECT format('%s %s', r.kind, r.name), 1, row_number() OVER (PARTITION BY r.oid ORDER BY a.attnum),
           concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END,
                     'default ' || pg_get_expr(d.adbin, d.adrelid), CASE a.attidentity WHEN 'a' THEN 'identity' END)
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE r.kind <> 'sequence'
    UNION ALL
    SELECT format('%s %s', r.kind, r.name), 2, 0, pg_get_constraintdef(c.oid)
    FROM relation r JOIN pg_constraint c ON c.conrelid = r.oid AND c.contype <> 'n'
    UNION ALL
    SELECT format('%s %s', r.kind, r.name), 3, 0,
           format('%s: %s', x.grantee::regrole, string_agg(lower(x.privilege_type), ', ' ORDER BY x.privilege_type))
    FROM relation r CROSS JOIN LATERAL aclexplode(r.acl) x WHERE x.grantee <> x.grantor
    GROUP BY r.oid, r.kind, r.name, x.grantee
    UNION ALL
    SELECT format('%s %s', r.kind, r.name), 4, 0,
           format('%s: %s (%s)', x.grantee::regrole, lower(x.privilege_type), string_agg(a.attname, ', ' ORDER BY a.attnum))
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid CROSS JOIN LATERAL aclexplode(a.attacl) x
    GROUP BY r.oid, r.kind, r.name, x.grantee, x.privilege_type
    UNION ALL
    SELECT format('%s %s', r.kind, r.name), 5, 0, 'dumped' FROM relation r, pg_extension e
    WHERE e.extname = 'elephant_worker' AND r.oid = ANY (e.extconfig)
    UNION ALL
    SELECT r.name, 0, 0, NULL FROM routine r
    UNION ALL
    SELECT r.name, 1, a.number, concat_ws(' ', 'argument', a.name, format_type(a.type, NULL),
                                          'default ' || pg_get_function_arg_default(r.oid, a.number::integer))
    FROM routine r
    CROSS JOIN LATERAL unnest(coalesce(r.proallargtypes, r.proargtypes::oid[]), r.proargnames, r.proargmodes)
                       WITH ORDINALITY a (type, name, mode, number)
    WHERE coalesce(a.mode, 'i') IN ('i', 'b', 'v')
    UNION ALL
    SELECT r.name, 2, 0, 'returns ' || pg_get_function_result(r.oid) FROM routine r WHERE r.prokind = 'f'
    UNION ALL
    SELECT r.name, 3, 0, concat_ws(', ', CASE r.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
                                   CASE WHEN r.proisstrict THEN 'strict' END, CASE WHEN r.prosecdef THEN 'security definer' END)
    FROM routine r
    UNION ALL
    SELECT r.name, 4, 0, format('%s: execute', x.grantee::regrole)
    FROM routine r CROSS JOIN LATERAL aclexplode(r.proacl) x WHERE x.grantee <> x.grantor)
SELECT coalesce('    ' || l.fact, l.object) FROM line l ORDER BY l.object COLLATE "C", l.rank, l.number, l.fact COLLATE "C"
