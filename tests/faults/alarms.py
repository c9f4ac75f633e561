"""Which alert each fault of the suite must fire, when it lasts for as long as the alert wants."""

from tests.faults.plan import Card

PROCESS = {"kill": "OrderlyRestarted", "freeze": "OrderlyDown"}
SERVERS = {
    ("kill", "brokers"): "OrderlyLogAway",
    ("freeze", "brokers"): "OrderlyLogAway",
    ("kill", "redis"): "OrderlyStepsFail",
    ("freeze", "redis"): "OrderlyStepsFail",
    ("flush", "redis"): "OrderlyReadModelRebuilt",
    ("poison", "topics"): "OrderlyDeadLetters",
    ("repeat", "topics"): "OrderlyDuplicates",
}


def alarm(card: Card, brokers: int) -> str:
    """Its alert, where there are so many brokers. Raises KeyError for a fault that nobody would hear of."""
    if card.place == "brokers" and brokers > 1:
        return "OrderlyLogCopiesMissing"
    of_place = SERVERS.get((card.kind, card.place))
    return of_place or PROCESS[card.kind]
