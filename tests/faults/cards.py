"""The faults that may come, and what is promised of each (the targets of the design)."""

from collections.abc import Sequence

from tests.faults.plan import Card, Promise
from tests.faults.setting import Setting

PROCESS = Promise(10.0)  # one process of a service, killed or frozen
ONLY_BROKER, ONE_OF_THREE = Promise(20.0), Promise(10.0)
REDIS = Promise(1.0, "read")  # what was seen before is shown without it


def cards(setting: Setting) -> Sequence[Card]:
    freeze = (1.2 * setting.lease, 2.0 * setting.lease)
    names = [post.name for post in setting.shape.posts()]
    return [
        *(Card("kill", name, name, promise=PROCESS) for name in names),
        *(Card("freeze", name, name, freeze, promise=PROCESS) for name in names),
        Card("poison", "all topics", "topics"),
        Card("repeat", "commands", "topics"),
        *(_servers(setting, freeze) if setting.engine == "kafka" else ()),
    ]


def _servers(setting: Setting, freeze: tuple[float, float]) -> Sequence[Card]:
    """One broker at a time: of three, two have to be there."""
    promised = ONLY_BROKER if setting.brokers == 1 else ONE_OF_THREE
    brokers = [f"kafka-{number}" for number in range(1, setting.brokers + 1)]
    return [
        *(Card("kill", name, "brokers", calm=10.0, promise=promised) for name in brokers),
        *(Card("freeze", name, "brokers", (5.0, 10.0), calm=8.0, promise=promised) for name in brokers),
        Card("kill", "redis", "redis", promise=REDIS),
        Card("freeze", "redis", "redis", freeze, promise=REDIS),
        Card("flush", "redis", "redis", promise=REDIS),
    ]
