-- How names of jobs are compared in their unique index alone. ON CONFLICT (rolname, job_name) finds that index; a
-- condition does not: `=` is not in this operator class, and what is in it is not leakproof. With the operators of text
-- a condition on job_name would be looked up in the index before the view's own condition, and EXPLAIN ANALYZE would
-- tell whether another role has a job of that name. See docs/decisions/0043.
CREATE FUNCTION @internal@.is_same_name(name text, other text) RETURNS boolean
LANGUAGE internal IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE NOT LEAKPROOF
AS 'texteq';
COMMENT ON FUNCTION @extschema@.is_same_name(text, text) IS 'whether two names of jobs are the same';
REVOKE ALL ON FUNCTION @extschema@.is_same_name(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.is_same_name(text, text) TO job_scheduler;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_operator o WHERE o.oprcode = '@extschema@.is_same_name(text,text)'::regprocedure) THEN
        CREATE OPERATOR @extschema@.=== (
            LEFTARG = text, RIGHTARG = text, FUNCTION = @extschema@.is_same_name, COMMUTATOR = OPERATOR(@extschema@.===));
        CREATE OPERATOR CLASS @extschema@.job_name_ops FOR TYPE text USING btree AS
            OPERATOR 3 @extschema@.===,
            FUNCTION 1 bttextcmp(text, text);
    END IF;
END
$$;
COMMENT ON OPERATOR @extschema@.=== (text, text) IS 'whether two names of jobs are the same';
COMMENT ON OPERATOR CLASS @extschema@.job_name_ops USING btree IS 'names of jobs, in their unique index';
COMMENT ON OPERATOR FAMILY @extschema@.job_name_ops USING btree IS 'names of jobs, in their unique index';
