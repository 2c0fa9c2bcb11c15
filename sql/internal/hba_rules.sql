CREATE FUNCTION @internal@.hba_rules(
    OUT number integer,
    OUT path text,
    OUT line integer,
    OUT type text,
    OUT database text[],
    OUT user_name text[],
    OUT address text,
    OUT netmask text,
    OUT auth_method text,
    OUT options text[]
)
RETURNS SETOF record
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    -- Since PostgreSQL 16 there can be several files, and the rules have numbers of their own.
    SELECT CASE WHEN v.has_files THEN (to_jsonb(h) ->> 'rule_number')::integer ELSE h.line_number END,
           CASE WHEN v.has_files THEN to_jsonb(h) ->> 'file_name' END,
           h.line_number, h.type, h.database, h.user_name, h.address, h.netmask, h.auth_method, h.options
    FROM pg_hba_file_rules h, (SELECT current_setting('server_version_num')::integer >= 160000) v (has_files)
    WHERE h.error IS NULL;
$$;
COMMENT ON FUNCTION @extschema@.hba_rules() IS
    'the rules of pg_hba.conf and the files that it includes, numbered in the order in which the server tries them; path is NULL where there can be only one file';
REVOKE ALL ON FUNCTION @extschema@.hba_rules() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.hba_rules() TO job_monitor;

CREATE FUNCTION @internal@.hba_place(rule integer) RETURNS text
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('line %s of %s', h.line, coalesce(regexp_replace(h.path, '^.*/', ''), 'pg_hba.conf'))
    FROM @extschema@.hba_rules() h WHERE h.number = rule;
$$;
COMMENT ON FUNCTION @extschema@.hba_place(integer) IS 'where a rule of hba_rules() stands, in words';
REVOKE ALL ON FUNCTION @extschema@.hba_place(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.hba_place(integer) TO job_monitor;

CREATE FUNCTION @internal@.matches_hba_pattern(name name, pattern text) RETURNS boolean
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    -- Before PostgreSQL 16 such a name is that of a role or a database, and need be no regular expression.
    SELECT CASE WHEN pattern LIKE '/%' AND current_setting('server_version_num')::integer >= 160000
                THEN name ~ substr(pattern, 2) ELSE false END;
$$;
COMMENT ON FUNCTION @extschema@.matches_hba_pattern(name, text) IS
    'whether the name of a role or a database matches a regular expression of pg_hba.conf or pg_ident.conf; false if that is none';
REVOKE ALL ON FUNCTION @extschema@.matches_hba_pattern(name, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.matches_hba_pattern(name, text) TO job_monitor;

CREATE FUNCTION @internal@.deciding_hba_rule(
    login name, member name, datname name, address inet, encrypted boolean DEFAULT false
)
RETURNS integer
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    -- Superusers are members of what they have been granted, and no more.
    WITH RECURSIVE member_of (oid, rolname) AS (
        SELECT r.oid, r.rolname FROM pg_roles r WHERE r.rolname = deciding_hba_rule.member
        UNION
        SELECT g.oid, g.rolname FROM member_of o JOIN pg_auth_members m ON m.member = o.oid JOIN pg_roles g ON g.oid = m.roleid)
    SELECT h.number
    FROM @extschema@.hba_rules() h
    WHERE CASE WHEN deciding_hba_rule.address IS NULL THEN h.type = 'local'
               WHEN encrypted THEN h.type IN ('host', 'hostssl', 'hostnogssenc')
               ELSE h.type IN ('host', 'hostnossl', 'hostnogssenc') END
      AND EXISTS (
          SELECT FROM unnest(h.database) d (name)
          WHERE d.name IN ('all', deciding_hba_rule.datname)
             OR d.name = 'sameuser' AND login = deciding_hba_rule.datname
             OR d.name IN ('samerole', 'samegroup') AND EXISTS (SELECT FROM member_of o WHERE o.rolname = deciding_hba_rule.datname)
             OR @extschema@.matches_hba_pattern(deciding_hba_rule.datname, d.name))
      AND EXISTS (
          SELECT FROM unnest(h.user_name) u (name)
          WHERE u.name IN ('all', login)
             OR u.name LIKE '+%' AND EXISTS (SELECT FROM member_of o WHERE o.rolname = substr(u.name, 2))
             OR @extschema@.matches_hba_pattern(login, u.name))
      AND CASE WHEN deciding_hba_rule.address IS NULL OR h.address IN ('all', 'samehost', 'samenet') THEN true
               WHEN h.netmask IS NULL THEN @extschema@.host_has_address(h.address, deciding_hba_rule.address)
               WHEN family(h.netmask::inet) <> family(deciding_hba_rule.address) THEN false
               ELSE deciding_hba_rule.address & h.netmask::inet = h.address::inet & h.netmask::inet END
    ORDER BY h.number LIMIT 1;
$$;
COMMENT ON FUNCTION @extschema@.deciding_hba_rule(name, name, name, inet, boolean) IS
    'the number of the rule of pg_hba.conf that decides about a login, of a role with the memberships of this one, in a database from an address (NULL: over a socket), encrypted or not; NULL: none does';
REVOKE ALL ON FUNCTION @extschema@.deciding_hba_rule(name, name, name, inet, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.deciding_hba_rule(name, name, name, inet, boolean) TO job_monitor;
