"""Who is there: registrations with a lease, kept alive by heartbeats. A pure fold of what it is told and the time.

    heartbeat ──▶ there ──silence, φ ≥ SUSPICIOUS──▶ suspected: not ready ──lease over──▶ forgotten
                    ▲───────────────heartbeat──────────────┘

The lease is a promise: nobody stays who does not say so. Suspicion comes earlier, and is only an opinion.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from common.discovery.phi import Detector
from common.discovery.port import Endpoint

SUSPICIOUS = 8.0  # φ


@dataclass(slots=True)
class Registration:
    """Times are seconds on one monotonic clock."""

    endpoint: Endpoint
    lease: float
    until: float
    detector: Detector


class Leases:
    def __init__(self) -> None:
        self._registered: dict[str, dict[str, Registration]] = {}  # by service, by instance

    def heartbeat(
        self, service: str, instance: str, endpoint: Endpoint, every: float, lease: float, now: float
    ) -> None:
        instances = self._registered.setdefault(service, {})
        known = instances.get(instance)
        if known is None or known.until <= now:
            instances[instance] = Registration(endpoint, lease, now + lease, Detector(every, now))
        else:
            known.endpoint, known.lease, known.until = endpoint, lease, now + lease
            known.detector.heartbeat(now)

    def leave(self, service: str, instance: str) -> None:
        self._registered.get(service, {}).pop(instance, None)

    def services(self) -> list[str]:
        return sorted(self._registered)

    def endpoints(self, service: str, now: float) -> Sequence[Endpoint]:
        """Sorted by address. Who is suspected is not ready; whose lease is over is not there."""
        instances = self._registered.get(service, {})
        for name in [name for name, it in instances.items() if it.until <= now]:
            del instances[name]
        found = [
            replace(it.endpoint, ready=it.endpoint.ready and it.detector.suspicion(now) < SUSPICIOUS)
            for it in instances.values()
        ]
        return sorted(found, key=lambda endpoint: endpoint.address)
