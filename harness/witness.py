"""Another server, which keeps what runs do there, whatever becomes of the first one."""

from __future__ import annotations

from psycopg import sql

from harness.cluster import Cluster
from harness.scheduler import Scheduler


class Witness:
    """A server on which runs of another one leave their numbers."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._admin = cluster.connect()
        self._admin.execute("CREATE ROLE clerk LOGIN PASSWORD 'beans'")
        self._admin.execute("CREATE TABLE witness (run bigint)")
        self._admin.execute("GRANT ALL ON witness TO clerk")

    def define_job(self, scheduler: Scheduler) -> int:
        """Define a job that runs here every second; returns its number."""
        scheduler.execute("CREATE EXTENSION postgres_fdw SCHEMA public")
        scheduler.execute(
            "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port {})",
            sql.Literal(str(self.cluster.port)),
        )
        scheduler.execute("CREATE USER MAPPING FOR current_user SERVER far OPTIONS (user 'clerk', password 'beans')")
        command = "INSERT INTO public.witness VALUES (current_setting('elephant_worker.run_id')::bigint)"
        return scheduler.insert(command, "postgres", schedule="1 second", server="far")

    def runs(self) -> list[int]:
        """The numbers that runs have left."""
        return [run for (run,) in self._admin.execute("SELECT run FROM witness").fetchall()]

    def forget(self) -> None:
        self._admin.execute("TRUNCATE witness")
