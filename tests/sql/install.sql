-- The superuser's part: one schema, one extension, three ordinary roles.
CREATE SCHEMA "Elephant Test";
SET client_min_messages = warning;
CREATE EXTENSION elephant_worker WITH SCHEMA "Elephant Test" CASCADE;
RESET client_min_messages;
CREATE ROLE regress_app;
CREATE ROLE regress_team;
CREATE ROLE regress_stranger;
GRANT job_scheduler, regress_team TO regress_app;
GRANT job_scheduler TO regress_stranger;
