"""Programs beside elephant_worker, the cron inside PostgreSQL: nothing in the server needs them."""
