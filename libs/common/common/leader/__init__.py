"""Leader election: one of many leads for as long as it renews a lease, and has a number that only grows (a fencing token).

    port           what a lease is            by_sqlite       for processes of one machine
    election       who believes what, and when    by_kubernetes   coordination.k8s.io/v1

A lease alone is no safety: a leader that was frozen wakes up believing that it still leads. What it writes to must refuse a
token older than one it has seen (Kleppmann, "How to do distributed locking", 2016; the sequencers of Burrows, "The Chubby Lock
Service", OSDI 2006).
"""

import os
from pathlib import Path

from common.leader.election import Election
from common.leader.port import Lease

__all__ = ["Election", "Lease", "lease"]


def lease(name: str, data: Path) -> Lease:
    """In Kubernetes one of its Leases, elsewhere a row in the data folder."""
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        from common.leader.by_kubernetes import KubernetesLease

        return KubernetesLease(name)
    from common.leader.by_sqlite import SqliteLease

    return SqliteLease(data / "leases.db", name)
