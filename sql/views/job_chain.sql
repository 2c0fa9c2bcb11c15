CREATE VIEW @extschema@.job_chain WITH (security_barrier) AS
WITH RECURSIVE mine AS MATERIALIZED (
    SELECT j.job_id, j.job_name, j.run_after, j.run_when, j.defined_by FROM @extschema@.visible_job j),
link AS (
    SELECT m.job_id, m.job_name, m.run_when, m.defined_by, a.after_job_id
    FROM mine m CROSS JOIN LATERAL unnest(m.run_after) a (after_job_id)),
level AS (
    SELECT l.job_id, 1 AS level FROM link l
    UNION
    SELECT l.job_id, v.level + 1 FROM level v JOIN link l ON l.after_job_id = v.job_id WHERE v.level < 1000),
longest AS (SELECT v.job_id, max(v.level) AS level FROM level v GROUP BY v.job_id)
SELECT g.level,
       l.job_id,
       @extschema@.in_one_line(l.job_name) AS job_name,
       l.run_when,
       l.after_job_id,
       @extschema@.in_one_line(m.job_name) AS after_job_name,
       CASE WHEN NOT EXISTS (SELECT FROM ONLY @extschema@.job j WHERE j.job_id = l.after_job_id) THEN 'deleted'
            WHEN NOT @extschema@.may_follow(l.defined_by, (SELECT j.rolname FROM ONLY @extschema@.job j
                                                           WHERE j.job_id = l.after_job_id)) THEN 'not permitted'
            WHEN d.jl_id IS NULL THEN 'waiting'
            WHEN coalesce(@extschema@.is_fulfilled(l.run_when, d.state), d.fulfilled) THEN 'fulfilled'
            ELSE 'not fulfilled' END AS state,
       d.jl_id
FROM link l
JOIN longest g ON g.job_id = l.job_id
LEFT JOIN mine m ON m.job_id = l.after_job_id
LEFT JOIN @extschema@.finished_dependency d ON d.job_id = l.job_id AND d.after_job_id = l.after_job_id;

COMMENT ON VIEW @extschema@.job_chain IS
    'which jobs run after which: a row for each job that the current role may see and each job in its run_after';
COMMENT ON COLUMN @extschema@.job_chain.level IS 'length of the chain of jobs before it';
COMMENT ON COLUMN @extschema@.job_chain.after_job_id IS 'a job in its run_after';
COMMENT ON COLUMN @extschema@.job_chain.after_job_name IS 'the name of that job';
COMMENT ON COLUMN @extschema@.job_chain.state IS
    'whether that job has ended since the job was last started for its dependencies; waiting: not yet; fulfilled, not fulfilled: its last end is, or is not, as run_when requires; deleted: it never will; not permitted: its ends do not count, since the role that answers for the job may not act as its role';
COMMENT ON COLUMN @extschema@.job_chain.jl_id IS 'the run of that job that ended last';
GRANT SELECT ON @extschema@.job_chain TO job_scheduler, job_monitor;
