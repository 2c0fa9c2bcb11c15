-- Archives old orders: every night, those that were closed more than two weeks ago move to another
-- table, a thousand in a transaction, so that nobody waits for long.
BEGIN;
CREATE SCHEMA shop;

CREATE TABLE shop.orders (
    order_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer text NOT NULL,
    amount numeric NOT NULL,
    closed_at timestamptz
);
CREATE INDEX orders_closed_at ON shop.orders (closed_at);
CREATE TABLE shop.order_archive (LIKE shop.orders, PRIMARY KEY (order_id));

CREATE PROCEDURE shop.archive_orders(older_than interval, at_once integer DEFAULT 1000)
LANGUAGE plpgsql
AS $$
DECLARE
    moved bigint;
    total bigint := 0;
BEGIN
    LOOP
        WITH old AS (
            SELECT order_id FROM shop.orders WHERE closed_at < now() - older_than
            ORDER BY closed_at LIMIT at_once FOR UPDATE SKIP LOCKED),
        gone AS (DELETE FROM shop.orders o USING old WHERE o.order_id = old.order_id RETURNING o.*)
        INSERT INTO shop.order_archive SELECT * FROM gone;
        GET DIAGNOSTICS moved = ROW_COUNT;
        COMMIT;
        total := total + moved;
        EXIT WHEN moved < at_once;
    END LOOP;
    RAISE NOTICE '% orders archived', total;
END
$$;

SELECT job_id, job_name, schedule, next_run_at
FROM insert_job(
    'CALL shop.archive_orders(''2 weeks'')',
    current_catalog,
    '@daily',
    job_name := 'archive orders',
    catch_up := 'once');
COMMIT;
