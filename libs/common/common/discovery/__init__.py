"""Where the instances of a service are, and who finds out: a list, DNS, Kubernetes, a registry. One port for all."""

from common.discovery.port import Discovery, Endpoint
from common.discovery.static import Static

__all__ = ["Discovery", "Endpoint", "Static"]
