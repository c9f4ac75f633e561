"""Sends what a process appends: the appends of a round go together, and are sent again until they are acknowledged."""

from collections.abc import Sequence
from functools import partial

from kafka import errors

from common.eventlog.appending import Job
from common.eventlog.kafka import batches
from common.eventlog.kafka.producing import Producer
from common.eventlog.kafka.topics import Catalog
from common.eventlog.kafka.wire import Place, Wire
from common.eventlog.port import Position

PATIENCE = 5.0  # seconds from the append until its future says `Unavailable` at the latest
PRODUCE_VERSION = 11  # later ones name topics otherwise


class Sends:
    """The rounds of the log in Kafka. A record whose acknowledgement did not come in time may or may not be in the log."""

    def __init__(self, wire: Wire, catalog: Catalog) -> None:
        self._wire = wire
        self._catalog = catalog
        self._producer = Producer(wire, None)
        self._sound = False  # the producer has an identity, and nothing of unknown outcome

    def write(self, jobs: Sequence[Job]) -> None:
        begin, self._sound = not self._sound, False
        self._wire.run(self._write(jobs, begin))
        self._sound = True

    def close(self) -> None:
        self._wire.close()

    async def _write(self, jobs: Sequence[Job], begin: bool) -> None:
        """The oldest of its appends is the first to lose patience, and all others with it."""
        until = min(job.at for job in jobs) + PATIENCE
        if begin:
            await self._wire.persist(self._producer.begin, until)
        encoded: dict[Place, list[bytes]] = {}
        placed: list[tuple[Job, list[tuple[Place, int]]]] = []  # where each record of a job stands in `encoded`
        for job in jobs:
            try:
                places = [await self._catalog.place(self._wire, record) for record in job.records]
                raw = [batches.encode(record) for record in job.records]
            except errors.KafkaError:
                raise
            except Exception as error:  # this one's fault alone
                job.done.set_exception(error)
                continue
            indices = []
            for place, each in zip(places, raw, strict=True):
                there = encoded.setdefault(place, [])
                indices.append((place, len(there)))
                there.append(each)
            placed.append((job, indices))
        offsets = await self._producer.write(encoded, partial(self._wire.persist, until=until), version=PRODUCE_VERSION)
        for job, indices in placed:
            job.done.set_result([Position(*place, offsets[place][index]) for place, index in indices])
