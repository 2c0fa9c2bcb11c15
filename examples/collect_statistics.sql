-- Collects statistics for monitoring: each minute a sample of pg_stat_database and
-- pg_stat_user_tables, kept for 30 days; the views show what happened between two samples.
BEGIN;
CREATE SCHEMA statistics;

CREATE TABLE statistics.database_sample (
    sampled_at timestamptz NOT NULL,
    datname name NOT NULL,
    sessions integer,
    commits bigint,
    rollbacks bigint,
    blocks_read bigint,
    blocks_hit bigint,
    temp_bytes bigint,
    deadlocks bigint,
    PRIMARY KEY (datname, sampled_at)
);
-- Small and in the order of time: finds what is too old.
CREATE INDEX ON statistics.database_sample USING brin (sampled_at);

CREATE TABLE statistics.table_sample (
    sampled_at timestamptz NOT NULL,
    relid regclass NOT NULL,
    seq_scans bigint,
    index_scans bigint,
    inserted bigint,
    updated bigint,
    deleted bigint,
    live_rows bigint,
    dead_rows bigint,
    size bigint,
    PRIMARY KEY (relid, sampled_at)
);
CREATE INDEX ON statistics.table_sample USING brin (sampled_at);

CREATE PROCEDURE statistics.sample(keep interval)
LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO statistics.database_sample
    SELECT now(), datname, numbackends, xact_commit, xact_rollback, blks_read, blks_hit, temp_bytes, deadlocks
    FROM pg_stat_database WHERE datname IS NOT NULL;

    INSERT INTO statistics.table_sample
    SELECT now(), relid, seq_scan, idx_scan, n_tup_ins, n_tup_upd, n_tup_del, n_live_tup, n_dead_tup,
           pg_total_relation_size(relid)
    FROM pg_stat_user_tables;

    DELETE FROM statistics.database_sample WHERE sampled_at < now() - keep;
    DELETE FROM statistics.table_sample WHERE sampled_at < now() - keep;
END;

CREATE VIEW statistics.database_rate AS
SELECT sampled_at, datname, sessions,
       round((commits - lag(commits) OVER w) / seconds, 1) AS commits_per_second,
       round((blocks_read - lag(blocks_read) OVER w) / seconds, 1) AS blocks_read_per_second,
       round(100.0 * (blocks_hit - lag(blocks_hit) OVER w)
             / nullif(blocks_hit - lag(blocks_hit) OVER w + blocks_read - lag(blocks_read) OVER w, 0), 1) AS hit_percent
FROM (SELECT *, extract(epoch FROM sampled_at - lag(sampled_at) OVER (PARTITION BY datname ORDER BY sampled_at)) AS seconds
      FROM statistics.database_sample) s
WINDOW w AS (PARTITION BY datname ORDER BY sampled_at);

CREATE VIEW statistics.table_growth AS
SELECT relid, min(sampled_at) AS since, pg_size_pretty(max(size) - min(size)) AS growth, max(live_rows) AS most_rows
FROM statistics.table_sample
GROUP BY relid
ORDER BY max(size) - min(size) DESC;

SELECT job_id, job_name, schedule, next_run_at
FROM insert_job(
    'CALL statistics.sample(keep := ''30 days'')',
    current_catalog,
    '* * * * *',
    job_name := 'collect statistics',
    job_timeout := '30 seconds');
COMMIT;
