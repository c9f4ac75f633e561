"""Who may do what in Kafka and in Redis: the least rights of each service, as plain data. What is not here is refused.

`orderly kafka prepare --acls` gives those in Kafka; docs/kafka-access.md tells what each is for, and is held to this table by
tests, which execute it too. The operator is whoever runs `orderly` commands on the log: it reads everything, and sends dead
letters back.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from common.topology import GATEWAY, PROCESSING_SERVICES

OPERATOR = "operator"
USERS = (*PROCESSING_SERVICES, OPERATOR)  # of Kafka


class Right(NamedTuple):
    """Words as Kafka has them. A `name` that ends in `*` is a prefix."""

    resource: str
    name: str
    operation: str


# SERVICE is the service itself, OTHER each of the others, ANY each of all
OF_A_SERVICE = (
    Right("topic", "SERVICE.*", "Read"),
    Right("topic", "SERVICE.*", "Write"),
    Right("topic", "SERVICE.*", "DescribeConfigs"),
    Right("topic", "OTHER.commands", "Write"),
    Right("topic", "OTHER.events", "Read"),
    Right("topic", "OTHER.*", "Describe"),
    Right("topic", "OTHER.*", "DescribeConfigs"),
    Right("group", "SERVICE-*", "Read"),
    Right("transactional id", "SERVICE-*", "Write"),
)
TO_SET_A_LEASE = Right("group", "SERVICE-*", "AlterConfigs")  # all works without, but with the broker's own lease
OF_THE_OPERATOR = (
    Right("topic", "ANY.*", "Read"),
    Right("topic", "ANY.*", "DescribeConfigs"),
    Right("topic", "ANY.commands", "Write"),
    Right("group", "ANY-*", "Describe"),
)


def in_kafka(user: str) -> Sequence[Right]:
    """All rights of one of the USERS, by name."""
    table = OF_THE_OPERATOR if user == OPERATOR else (*OF_A_SERVICE, TO_SET_A_LEASE)
    return [named for right in table for named in expand(right, user)]


def expand(right: Right, service: str) -> Sequence[Right]:
    """A row of a table, once for each name that it means."""
    meant = {
        "SERVICE": [service],
        "OTHER": [other for other in PROCESSING_SERVICES if other != service],
        "ANY": PROCESSING_SERVICES,
    }
    word = next(word for word in meant if right.name.startswith(word))
    return [right._replace(name=right.name.replace(word, name)) for name in meant[word]]


class Space(NamedTuple):
    """What a user of Redis may name and say. Patterns and commands as `ACL SETUSER` has them."""

    keys: Sequence[str]
    channels: Sequence[str]
    commands: Sequence[str]

    def rules(self) -> Sequence[str]:
        keys, channels = [f"~{key}" for key in self.keys], [f"&{channel}" for channel in self.channels]
        return ["resetchannels", *keys, *channels, *(f"+{command}" for command in self.commands)]


_ALWAYS = ("ping", "info")
_SCRIPTS = ("eval", "evalsha", "script|load")
_READS = (
    "get",
    "hget",
    "hmget",
    "hgetall",
    "hexists",
    "hscan",
    "scan",
    "zrange",
    "zrangebylex",
    "zrevrangebylex",
    "zlexcount",
)
_WRITES = ("set", "hset", "hdel", "zadd", "zrem", "zremrangebylex", "unlink", "publish")
_TOGETHER = ("multi", "exec", "discard", "watch", "unwatch", "subscribe", "unsubscribe")

# A line of an aclfile: nobody gets in without a name. As this user a Redis reads its own file again when it starts, and leaves
# out each transaction that this one may not do, of which nobody is told (seen in 7.0 and 8.0; redis/redis#14541).
NOBODY_IN_REDIS = "user default off ~* &* +@all"
IN_REDIS: Mapping[str, Space] = {
    **{
        service: Space(
            [f"orderly:{{{service}}}:*"],
            [f"orderly:{{{service}}}:*"],
            (*_ALWAYS, *_SCRIPTS, *_READS, *_WRITES, *_TOGETHER),
        )
        for service in PROCESSING_SERVICES
    },
    GATEWAY: Space(
        ["orderly:limit:*", "orderly:catalog:*", "orderly:spent"],
        [],
        (
            *(*_ALWAYS, "eval", "get", "set", "del", "hmget", "hset", "pexpire", "time", "client|tracking"),
            *("zadd", "zrange", "zremrangebyscore"),
        ),
    ),
    OPERATOR: Space(["orderly:*"], [], (*_ALWAYS, *_SCRIPTS, *_READS, "multi", "exec", "discard")),
}
