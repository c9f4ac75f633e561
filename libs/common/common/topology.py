"""What several places must agree on: the services, and their topics with settings that are fixed for life."""

from collections.abc import Sequence

from common.clock import HOUR
from common.eventlog import Cleanup, Topic

ORDER = "order"
PAYMENT = "payment"
INVENTORY = "inventory"
GATEWAY = "gateway"
PROVIDER = "provider"
REGISTRY = "registry"
VERIFIER = "verifier"  # no service: whoever holds the platform to its laws, from outside

PROCESSING_SERVICES = (ORDER, PAYMENT, INVENTORY)
SERVICES = (GATEWAY, *PROCESSING_SERVICES, PROVIDER)

PARTITIONS = 12  # fixed for life: the key's partition is where its history is


def commands(service: str) -> str:
    return f"{service}.commands"


def events(service: str) -> str:
    return f"{service}.events"


def state(service: str) -> str:
    return f"{service}.state"


def dead_letters(service: str) -> str:
    return f"{service}.dead-letters"


def processor_group(service: str) -> str:
    """The group whose committed offsets say which commands are decided."""
    return f"{service}-processor"


def topics(partitions: int = PARTITIONS) -> Sequence[Topic]:
    """All topics of the platform. Every service creates them all: who starts first does not matter."""
    found: list[Topic] = []
    for service in PROCESSING_SERVICES:
        found += [
            Topic(commands(service), partitions, retention=7 * 24 * HOUR),
            Topic(events(service), partitions),
            Topic(state(service), partitions, Cleanup.COMPACT),
            Topic(dead_letters(service), partitions),
        ]
    return found
