CREATE FUNCTION @internal@.repair_restored(definition @extschema@.job) RETURNS @extschema@.job
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    too_long CONSTANT interval := '1000 years';
    repairs jsonb := '{}';
BEGIN
    IF extract(epoch FROM definition.job_timeout) <= 0 OR definition.job_timeout > too_long THEN
        repairs := repairs || '{"job_timeout": "6 hours"}';
    END IF;
    IF extract(epoch FROM definition.start_deadline) <= 0 OR definition.start_deadline > too_long THEN
        repairs := repairs || '{"start_deadline": null}';
    END IF;
    IF extract(epoch FROM definition.retry_delay) < 0.1
       OR extract(epoch FROM definition.max_retry_delay) < extract(epoch FROM definition.retry_delay) THEN
        repairs := repairs || '{"retry_delay": "1 minute", "max_retry_delay": "1 hour"}';
    END IF;
    IF extract(epoch FROM definition.expect_success_within) < 1 OR definition.expect_success_within > too_long THEN
        repairs := repairs || '{"expect_success_within": null}';
    END IF;
    IF array_ndims(definition.retry_on) > 1 OR cardinality(definition.retry_on) > 10 THEN
        -- Quietly: it says the same.
        definition.retry_on := ARRAY(SELECT DISTINCT k FROM unnest(definition.retry_on) k ORDER BY k);
    END IF;
    IF repairs <> '{}' THEN
        RAISE WARNING 'job % had an interval that is no longer accepted: %', definition.job_id,
                      (SELECT string_agg(format('%s was %s', r.key, to_jsonb(definition) ->> r.key), ', ')
                       FROM jsonb_object_keys(repairs) r (key))
            USING DETAIL = format('The job now has %s.', repairs),
                  HINT = 'To change that: update_job().';
        RETURN jsonb_populate_record(definition, repairs);
    END IF;
    RETURN definition;
END
$$;
COMMENT ON FUNCTION @extschema@.repair_restored(@extschema@.job) IS
    'what to store for a row of a dump: version 1.0.0 accepted intervals such as -1 year 361 days, for which one row would otherwise keep the others from being restored';
REVOKE ALL ON FUNCTION @extschema@.repair_restored(@extschema@.job) FROM PUBLIC;
