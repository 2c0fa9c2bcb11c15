"""make installcheck: the SQL surface, as an ordinary role sees it, in a schema whose name must be quoted."""

from __future__ import annotations

from harness.cluster import ROOT, USER, Cluster, Installation


def test_installcheck(cluster: Cluster, installation: Installation) -> None:
    try:
        installation.make("installcheck", PGHOST=cluster.socket_directory, PGPORT=str(cluster.port), PGUSER=USER)
    except RuntimeError as error:
        differences = ROOT / "build/regress/regression.diffs"
        raise AssertionError(differences.read_text() if differences.exists() else str(error)) from None
