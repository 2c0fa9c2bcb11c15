SET client_min_messages = warning;
DROP EXTENSION elephant_worker;
DROP SCHEMA "Elephant Test";
DROP ROLE regress_app, regress_team, regress_stranger;
SELECT count(*) FROM pg_roles WHERE rolname LIKE 'elephant_worker%';
