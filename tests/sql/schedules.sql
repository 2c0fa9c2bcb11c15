SET ROLE regress_app;
SET search_path = "Elephant Test";
SET timezone = 'UTC';
SET datestyle = ISO;
\set VERBOSITY default
\set SHOW_CONTEXT never
-- What crontab(5) has.
SELECT * FROM next_runs('30 4 1,15 * 5', 'UTC', '2027-01-01', 4);
SELECT * FROM next_runs('*/20 9-10 * jan-mar mon', 'UTC', '2027-01-01', 4);
SELECT * FROM next_runs('@monthly', 'UTC', '2027-01-01', 2);
SELECT * FROM next_runs('0 22 * * 7', 'Europe/Berlin', '2027-01-01', 2);
-- Seconds first.
SELECT * FROM next_runs('*/30 * * * * *', 'UTC', '2027-01-01', 3);
-- Several entries.
SELECT * FROM next_runs('{"0 9 * * 1-5","0 12 * * 6"}', 'UTC', '2027-01-01 08:00', 3);
SELECT * FROM next_runs('{@daily,"2027-01-01 12:00",2027-01-01 18:00+01}', 'UTC', '2027-01-01 08:00', 3);
-- Intervals.
SELECT * FROM next_runs('90 minutes', 'UTC', '2027-01-01 08:00', 2);
SELECT * FROM next_runs('@every 1 day 30 seconds', 'UTC', '2027-01-01 08:00', 2);
-- The repeated and the skipped hour.
SELECT * FROM next_runs('30 2 * * *', 'Europe/Berlin', '2027-03-27', 3);
SELECT * FROM next_runs('30 2 * * *', 'Europe/Berlin', '2027-10-30', 3);
SELECT * FROM next_runs('30 * * * *', 'Europe/Berlin', '2027-10-30 23:45', 3);
-- Mistakes say what is wrong, where, and what would be right.
SELECT next_runs('0 24 * * *');  -- fails
SELECT next_runs('0 22-3 * * *');  -- fails
SELECT next_runs('* * * * fri-mon');  -- fails
SELECT next_runs('5/15 * * * *');  -- fails
SELECT next_runs('{"@daily","* * * * * * *"}');  -- fails
SELECT next_runs('{"0 0 * * *"');  -- fails
SELECT next_runs('@dayly');  -- fails
SELECT next_runs('5 minuts');  -- fails
SELECT next_runs('1 month');  -- fails
SELECT next_runs('2027-02-29');  -- fails
SELECT next_runs('@daily; DROP TABLE jobs');  -- fails
SELECT next_runs('@daily', 'Europe/Berlim');  -- fails
