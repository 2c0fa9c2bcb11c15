-- Remedies are pasted: a line break in a name would end a comment and go on as a statement, and other control
-- characters would act on the terminal.
CREATE FUNCTION @internal@.escape_controls(word text, prefix text, digits integer) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT string_agg(CASE WHEN ascii(c.letter) < 32 OR ascii(c.letter) = 127
                           THEN prefix || lpad(to_hex(ascii(c.letter)), digits, '0')
                           WHEN c.letter = E'\\' THEN E'\\\\' ELSE c.letter END, '' ORDER BY c.number)
    FROM string_to_table(word, NULL) WITH ORDINALITY c (letter, number);
$$;
COMMENT ON FUNCTION @extschema@.escape_controls(text, text, integer) IS
    'a word with its control characters as escapes: the prefix and so many hexadecimal digits; each backslash is doubled';
REVOKE ALL ON FUNCTION @extschema@.escape_controls(text, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.escape_controls(text, text, integer) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.quote_ident_in_one_line(name text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN name ~ '[[:cntrl:]]'
                THEN format('U&"%s"', replace(@extschema@.escape_controls(name, E'\\', 4), '"', '""'))
                ELSE quote_ident(name) END;
$$;
COMMENT ON FUNCTION @extschema@.quote_ident_in_one_line(text) IS
    'quote_ident(), without control characters, as remedies have names';
REVOKE ALL ON FUNCTION @extschema@.quote_ident_in_one_line(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.quote_ident_in_one_line(text) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.quote_literal_in_one_line(word text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN word ~ '[[:cntrl:]]'
                THEN format('E''%s''', replace(@extschema@.escape_controls(word, E'\\x', 2), '''', ''''''))
                ELSE quote_literal(word) END;
$$;
COMMENT ON FUNCTION @extschema@.quote_literal_in_one_line(text) IS
    'quote_literal(), without control characters, as remedies have names';
REVOKE ALL ON FUNCTION @extschema@.quote_literal_in_one_line(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.quote_literal_in_one_line(text) TO job_scheduler, job_monitor;
