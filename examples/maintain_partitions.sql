-- Maintains the partitions of a table: every day, makes those of the coming week, and drops those
-- that are older than 90 days.
BEGIN;
CREATE SCHEMA sensor;

CREATE TABLE sensor.measurement (
    measured_at timestamptz NOT NULL,
    sensor_id integer NOT NULL,
    value float8
) PARTITION BY RANGE (measured_at);

CREATE PROCEDURE sensor.maintain_partitions(ahead integer, keep integer)
LANGUAGE plpgsql
AS $$
DECLARE
    today CONSTANT date := (now() AT TIME ZONE 'UTC')::date;
    first_day date;
    partition name;
BEGIN
    FOR first_day IN SELECT today + n FROM generate_series(0, ahead) n LOOP
        partition := format('measurement_%s', to_char(first_day, 'YYYYMMDD'));
        IF to_regclass(format('sensor.%I', partition)) IS NULL THEN
            EXECUTE format('CREATE TABLE sensor.%I PARTITION OF sensor.measurement FOR VALUES FROM (%L) TO (%L)',
                           partition, first_day::timestamp AT TIME ZONE 'UTC', (first_day + 1)::timestamp AT TIME ZONE 'UTC');
            RAISE NOTICE 'made %', partition;
        END IF;
    END LOOP;
    FOR partition IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'sensor.measurement'::regclass
          AND c.relname ~ '^measurement_[0-9]{8}$'
          AND to_date(right(c.relname, 8), 'YYYYMMDD') < today - keep
        ORDER BY 1
    LOOP
        EXECUTE format('DROP TABLE sensor.%I', partition);
        RAISE NOTICE 'dropped %', partition;
    END LOOP;
END
$$;

CALL sensor.maintain_partitions(ahead := 7, keep := 90);

-- A run that was missed is made up for: a day without a partition would be a day without data.
SELECT job_id, job_name, schedule, next_run_at
FROM insert_job(
    'CALL sensor.maintain_partitions(ahead := 7, keep := 90)',
    current_catalog,
    '0 1 * * *',
    job_name := 'maintain partitions',
    catch_up := 'once');
COMMIT;
