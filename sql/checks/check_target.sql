CREATE FUNCTION @internal@.check_target(definition @extschema@.job, old @extschema@.job) RETURNS void
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_new CONSTANT boolean := old.job_id IS NULL;
    role_oid oid;
    meant text;
BEGIN
    -- A name taken from a catalog may come from a database with another encoding; the worker could not read it.
    PERFORM convert_from(convert_to(n, getdatabaseencoding()), getdatabaseencoding())
    FROM unnest(ARRAY[definition.rolname::text, definition.datname::text]) n;

    IF is_new OR definition.rolname IS DISTINCT FROM old.rolname THEN
        role_oid := to_regrole(quote_ident(definition.rolname));
        IF role_oid IS NULL THEN
            SELECT min(r.rolname) INTO meant FROM pg_roles r WHERE lower(r.rolname) = lower(definition.rolname);
            RAISE EXCEPTION 'role "%" does not exist', definition.rolname
                USING ERRCODE = 'undefined_object',
                      DETAIL = 'A job runs as a role of this cluster.',
                      HINT = coalesce('Did you mean ' || quote_literal(meant) || '? Case matters in a quoted name.',
                                      'Create it first: CREATE ROLE ...; it need not be able to log in.');
        ELSIF NOT @extschema@.may_act_as(role_oid) THEN
            RAISE EXCEPTION 'role "%" may not define jobs for role "%"', current_user, definition.rolname
                USING ERRCODE = 'insufficient_privilege',
                      DETAIL = 'You can define jobs for yourself and for roles that you are a member of.',
                      -- A member of a superuser is as good as one.
                      HINT = CASE WHEN (SELECT r.rolsuper FROM pg_roles r WHERE r.oid = role_oid)
                                  THEN 'It is a superuser: give the job a role with no more rights than it needs, or have a superuser define it.'
                                  ELSE format('An administrator can GRANT %I TO %I;', definition.rolname, current_user) END;
        ELSIF EXISTS (SELECT FROM @extschema@.replaced_role x WHERE x.rolname = definition.rolname) THEN
            RAISE EXCEPTION 'role "%" is not the role that it was', definition.rolname
                USING ERRCODE = 'object_not_in_prerequisite_state',
                      DETAIL = 'An earlier role of this name has left jobs or runs.',
                      HINT = format('If they may be this role''s, a superuser can say so: SELECT @extschema@.confirm_role(%L);',
                                    definition.rolname);
        ELSIF definition.rolname = 'pg_database_owner' THEN
            RAISE EXCEPTION 'jobs cannot run as "pg_database_owner"'
                USING ERRCODE = 'invalid_parameter_value',
                      DETAIL = 'It stands for a different role in each database and can have no members.',
                      HINT = 'Name the owner of the database itself.';
        END IF;
    END IF;

    IF definition.server IS NOT NULL THEN
        RETURN; -- see check_server()
    END IF;
    IF is_new OR (definition.datname, definition.server) IS DISTINCT FROM (old.datname, old.server) THEN
        PERFORM FROM pg_database d WHERE d.datname = definition.datname AND d.datallowconn;
        IF NOT FOUND THEN
            SELECT min(d.datname) INTO meant
            FROM pg_database d WHERE lower(d.datname) = lower(definition.datname) AND d.datallowconn;
            RAISE EXCEPTION 'database "%" does not exist or does not accept connections', definition.datname
                USING ERRCODE = 'invalid_catalog_name',
                      DETAIL = 'A job without a foreign server runs in a database of this cluster.',
                      HINT = coalesce('Did you mean ' || @extschema@.meant_call(definition)
                                          || '? The order is command, database, schedule.',
                                      'Did you mean ' || quote_literal(meant) || '? Case matters in a quoted name.',
                                      'To list them: SELECT datname FROM pg_database WHERE datallowconn;');
        END IF;
    END IF;
    IF (is_new
        OR (definition.datname, definition.rolname, definition.server)
           IS DISTINCT FROM (old.datname, old.rolname, old.server))
       AND NOT has_database_privilege(definition.rolname, definition.datname, 'CONNECT') THEN
        RAISE EXCEPTION 'role "%" may not connect to database "%"', definition.rolname, definition.datname
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'A job runs in a session of its role.',
                  HINT = format('The owner of the database can GRANT CONNECT ON DATABASE %I TO %I;',
                                definition.datname, definition.rolname);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_target(@extschema@.job, @extschema@.job) IS
    'refuses a role or database that does not exist (42704, 3D000) or that the current role may not define jobs for (42501); looks only at what has changed';
REVOKE ALL ON FUNCTION @extschema@.check_target(@extschema@.job, @extschema@.job) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_target(@extschema@.job, @extschema@.job) TO job_scheduler;
