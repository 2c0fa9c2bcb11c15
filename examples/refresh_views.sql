-- Refreshes materialized views in the order in which they depend on each other: revenue by month is
-- computed from revenue by day, and the best month from revenue by month. Each starts when the one
-- that it reads has been refreshed, and not at all where that has failed.
BEGIN;
CREATE SCHEMA sales;

CREATE TABLE sales.sale (sold_at timestamptz NOT NULL, amount numeric NOT NULL);

CREATE MATERIALIZED VIEW sales.by_day AS
SELECT date_trunc('day', sold_at) AS day, sum(amount) AS amount FROM sales.sale GROUP BY 1;
CREATE MATERIALIZED VIEW sales.by_month AS
SELECT date_trunc('month', day) AS month, sum(amount) AS amount FROM sales.by_day GROUP BY 1;
CREATE MATERIALIZED VIEW sales.best_month AS
SELECT month, amount FROM sales.by_month ORDER BY amount DESC LIMIT 1;

-- CONCURRENTLY, so that readers do not wait, needs a unique index.
CREATE UNIQUE INDEX ON sales.by_day (day);
CREATE UNIQUE INDEX ON sales.by_month (month);

SELECT job_id AS by_day
FROM insert_job('REFRESH MATERIALIZED VIEW CONCURRENTLY sales.by_day', current_catalog, '0 * * * *',
                job_name := 'refresh sales by day')
\gset
SELECT job_id AS by_month
FROM insert_job('REFRESH MATERIALIZED VIEW CONCURRENTLY sales.by_month', current_catalog,
                job_name := 'refresh sales by month', run_after := ARRAY[:by_day])
\gset
SELECT job_id AS best_month
FROM insert_job('REFRESH MATERIALIZED VIEW sales.best_month', current_catalog,
                job_name := 'refresh best month', run_after := ARRAY[:by_month])
\gset
SELECT job_id, job_name, schedule, run_after FROM my_job WHERE job_id IN (:by_day, :by_month, :best_month) ORDER BY job_id;
COMMIT;
