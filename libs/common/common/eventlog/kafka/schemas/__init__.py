"""The requests of Kafka's protocol that the client library does not know yet.

Its own classes are made from such files too, and its registry finds the class of an answer by the number of the request.
"""

import sys

from kafka.protocol.api_message import ApiMessage

_here = sys.modules[__name__]


class ConsumerGroupHeartbeatRequest(ApiMessage, load_json=_here):  # type: ignore[call-arg,misc]
    """KIP-848: one request to join a group, to stay in it, to follow its assignments, and to leave it."""


class ConsumerGroupHeartbeatResponse(ApiMessage, load_json=_here):  # type: ignore[call-arg,misc]
    pass
