-- The owner of a database chooses its name: what stands after a line break in it would be another line.
CREATE FUNCTION @internal@.rename_database() RETURNS text
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('ALTER DATABASE %I RENAME TO %I;', d.datname,
                  @extschema@.free_name('database_' || d.oid, ARRAY(SELECT o.datname FROM pg_database o)))
    FROM pg_database d WHERE d.datname = current_database() AND d.datname ~ '[[:cntrl:]]';
$$;
COMMENT ON FUNCTION @extschema@.rename_database() IS
    'the statement, for another database, that gives this one a name for the files of the system; NULL: it has one';
REVOKE ALL ON FUNCTION @extschema@.rename_database() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.rename_database() TO job_monitor;
