"""What other extensions of the server make of the worker's statements."""

from __future__ import annotations

from collections.abc import Callable

from harness.cluster import Cluster
from harness.scheduler import SCHEMA, new_scheduler


def test_what_they_do_in_the_session_of_the_worker(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster(
        **{
            "shared_preload_libraries": "pg_stat_statements",
            "pg_stat_statements.track": "all",
            # As Citus has it: with its library, roles that are created or altered are so on all nodes.
            "citus.enable_ddl_propagation": "on",
        }
    )
    scheduler = new_scheduler(cluster)
    scheduler.execute("CREATE EXTENSION pg_stat_statements SCHEMA public")
    scheduler.execute(
        """CREATE TABLE public.propagation AS SELECT 'no'::text AS value WHERE false;
           CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
               INSERT INTO public.propagation VALUES (current_setting('citus.enable_ddl_propagation'));
               RETURN NULL;
           END$$"""
    )
    scheduler.execute(f'CREATE TRIGGER note AFTER INSERT ON "{SCHEMA}".job_log EXECUTE FUNCTION public.note()')
    scheduler.start()
    scheduler.execute("SELECT pg_stat_statements_reset()")
    for role in (scheduler.role(), scheduler.role(), None):
        assert scheduler.run("SELECT 1", rolname=role).state == "succeeded"
    assert {row.value for row in scheduler.execute("SELECT value FROM public.propagation")} == {"off"}
    assert scheduler.value("SELECT count(*) > 10 FROM public.pg_stat_statements")
    scheduler.stop()
    kept = """SELECT query FROM public.pg_stat_statements
        WHERE query ~ 'SCRAM|^(CREATE|ALTER|GRANT|DROP) .*elephant_worker_[0-9]'"""
    assert scheduler.execute(kept).fetchall() == []
    scheduler.admin.close()
