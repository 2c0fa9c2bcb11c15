"""Where tests imported these from before they were in harness."""

from harness.cluster import ROOT, USER, Cluster, Installation, pg_config

__all__ = ["ROOT", "USER", "Cluster", "Installation", "pg_config"]
