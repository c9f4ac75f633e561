"""What the brokers and the client library must be, so that exactly-once holds; looked at once, when the log is opened."""

import structlog
from kafka import __version__ as client_version
from kafka.protocol.metadata import ApiVersionsRequest

from common.errors import LogError
from common.eventlog.kafka.wire import Wire, check

TESTED = "3.0."  # versions of kafka-python, of which this uses what is not its public interface

_log = structlog.get_logger("eventlog")


async def bumps_epochs(wire: Wire, *, degraded: bool) -> bool:
    """Whether this cluster gives each transaction an epoch of its own. Raises LogError when it does not, unless `degraded`;
    and when the client library is another than was tested."""
    if not client_version.startswith(TESTED):
        raise LogError(f"kafka-python {client_version}: only {TESTED}x was tested; install one of these")
    request = ApiVersionsRequest(
        client_software_name="orderly", client_software_version="1", min_version=3, max_version=4
    )
    answer = await wire.call(None, request)
    check(answer.error_code)
    features = {each.name: each.max_version_level for each in answer.finalized_features}
    if features.get("group.version", 0) < 1:
        raise LogError(
            "the brokers have no consumer group protocol (KIP-848): Kafka 4.0 is the oldest that will do; if these are newer, "
            "finish the upgrade with `kafka-features.sh upgrade --release-version 4.0`"
        )
    if features.get("transaction.version", 0) >= 2:
        return True
    trouble = "the brokers do not give each transaction an epoch of its own (transaction.version < 2, KIP-890)"
    if not degraded:
        raise LogError(
            f"{trouble}: run `kafka-features.sh upgrade --feature transaction.version=2`, or allow it as degraded"
        )
    _log.warning(f"DEGRADED: {trouble}; a delayed request may reach into a later transaction")
    return False
