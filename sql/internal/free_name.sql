CREATE FUNCTION @internal@.free_name(wanted text, taken name[]) RETURNS name
LANGUAGE sql IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT f.name
    FROM generate_series(0, cardinality(taken)) n
    CROSS JOIN LATERAL (SELECT (wanted || CASE WHEN n > 0 THEN '_' || n ELSE '' END)::name) f (name)
    WHERE f.name <> ALL (taken)
    ORDER BY n LIMIT 1;
$$;
COMMENT ON FUNCTION @extschema@.free_name(text, name[]) IS
    'for remedies that rename: this name, or with a number at its end where somebody has taken it';
REVOKE ALL ON FUNCTION @extschema@.free_name(text, name[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.free_name(text, name[]) TO job_monitor;
