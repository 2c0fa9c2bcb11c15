CREATE FUNCTION cron.site_setting(name text) RETURNS text
LANGUAGE plpgsql STABLE STRICT
SECURITY DEFINER -- while pg_cron is loaded, only superusers may read these two, which concern whoever schedules
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN name IN ('timezone', 'match_dom_and_dow') THEN nullif(current_setting('cron.' || name, true), '') END;
END
$$;
COMMENT ON FUNCTION cron.site_setting(text) IS
    'the parameter cron.timezone or cron.match_dom_and_dow; NULL: it is not set';
REVOKE ALL ON FUNCTION cron.site_setting(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cron.site_setting(text) TO job_scheduler;
