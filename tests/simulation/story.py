"""A schedule as a person reads it: what the adversary did, and what became history by it."""

from collections import Counter
from collections.abc import Iterator

from common.codec import decode_history
from common.eventlog import Stored
from common.topology import PROCESSING_SERVICES, events
from tests.simulation.parts import PARTS, Parts
from tests.simulation.plan import Plan
from tests.simulation.schedule import run
from tests.simulation.world import PARTITIONS, START, World


def story(plan: Plan, parts: Parts = PARTS) -> str:
    chronicle = Chronicle()
    outcome = run(plan, parts, chronicle.tell)
    troubles = ", ".join(sorted(plan.kinds)) or "none"
    broken = [f"BROKEN {sentence}" for sentence in outcome.broken] or ["all laws hold"]
    return "\n".join([f"seed {plan.seed}, troubles: {troubles}", *chronicle.lines, *broken])


class Chronicle:
    """One line for each sentence; below it, one for each record that the histories have got since the last."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._read: Counter[tuple[str, int]] = Counter()

    def tell(self, world: World, sentence: str) -> None:
        self.lines.append(f"{(world.now - START) / 1000:9.3f} s  {sentence}")
        self.lines += [f"{'':13}{line}" for line in self._news(world)]

    def _news(self, world: World) -> Iterator[str]:
        for topic in map(events, PROCESSING_SERVICES):
            for partition in range(PARTITIONS):
                reader = world.log.reader({(topic, partition): self._read[topic, partition]})
                for record in reader.poll(0, 1_000):
                    self._read[topic, partition] = record.offset + 1
                    yield told(record)


def told(record: Stored) -> str:
    frame = decode_history(record.value or b"")
    happened = ", ".join(event.type for event in frame.events) or "nothing"
    sent = ", ".join(f"{message.type} to {message.key}" for message in frame.sent)
    arrow = f" => {sent}" if sent else ""
    return f"{record.topic.partition('.')[0]} {record.key}: {frame.cause.type} -> {happened}{arrow}"
