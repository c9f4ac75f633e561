"""The second half of L8: every checkpoint is the fold of the events up to its version."""

from typing import Any

import msgspec

from common.checkpoint import MARKER, Checkpoint
from common.decider import Behaviour
from common.topology import PROCESSING_SERVICES, events, state
from laws.history import History, Place
from laws.stream import Decided, Stream, at_place
from laws.verdict import Tally

_decode = msgspec.json.Decoder(Checkpoint).decode

Aggregate = tuple[str, str]  # events topic, aggregate id


class Checkpoints:
    """The last checkpoint of each aggregate is nowhere ahead of its history, nor behind the marker, from which on a restart
    reads events. Where the service's behaviour is at hand, its fold of the events must give the same state.

    Folds only what has a checkpoint, and only up to it.
    """

    def __init__(self, history: History, tally: Tally) -> None:
        self._tally = tally
        self._behaviours = history.behaviours
        self._saved: dict[Aggregate, Checkpoint] = {}
        self._markers: dict[Place, int] = {}
        self._versions: dict[Aggregate, int] = {}  # of those that have a checkpoint
        self._folding: dict[Aggregate, Any] = {}  # states on their way to the checkpoint
        self._load(history)

    def _load(self, history: History) -> None:
        topics = {state(service): events(service) for service in PROCESSING_SERVICES}
        for record in history.checkpoints:
            topic = topics.get(record.topic)
            if topic is None:
                continue
            if record.value is None:
                self._saved.pop((topic, record.key), None)
            elif record.key == MARKER:
                self._markers[topic, record.partition] = _decode(record.value).version
            else:
                self._saved[topic, record.key] = _decode(record.value)

    def listen(self, stream: Stream) -> None:
        if self._saved:
            for service in PROCESSING_SERVICES:
                stream.on_decided(service, self._decided)

    def _decided(self, decided: Decided) -> None:
        record, frame, _ = decided
        aggregate = record.topic, record.key
        saved = self._saved.get(aggregate)
        if saved is None or not frame.events:
            return
        self._versions[aggregate] = frame.version
        if frame.version <= saved.version:
            self._fold(decided, saved)
        elif record.offset < self._markers.get((record.topic, record.partition), 0):
            self._tally.broke(
                f"{record.key}: its checkpoint has version {saved.version}, the marker is past {at_place(record)}, "
                f"which leads to {frame.version}: a restart would miss it"
            )

    def _fold(self, decided: Decided, saved: Checkpoint) -> None:
        record, frame, _ = decided
        behaviour = self._behaviours.get(record.topic.partition(".")[0])
        if behaviour is None:
            return
        aggregate = record.topic, record.key
        try:
            now = int(record.headers["at"])
            folded = self._folding.pop(aggregate, behaviour.initial)
            for event in frame.events:
                folded = behaviour.evolve(folded, behaviour.events.decode(event.type, event.v, event.data), now)
            if frame.version < saved.version:
                self._folding[aggregate] = folded
            else:
                self._compare(record.key, behaviour, folded, saved)
        except Exception as error:  # whatever the service's own fold raises on its own history
            self._tally.broke(f"{record.key} at {at_place(record)}: cannot be folded: {error!r}")

    def _compare(self, key: str, behaviour: Behaviour[Any], folded: Any, saved: Checkpoint) -> None:
        """Both sides as a restart would have them."""
        if behaviour.load(bytes(saved.state)) != behaviour.load(behaviour.dump(folded)):
            self._tally.broke(f"{key}: its checkpoint at version {saved.version} is not the fold of its events")

    def judge(self) -> None:
        for aggregate, saved in self._saved.items():
            self._tally.checked += 1
            version = self._versions.get(aggregate, 0)
            if saved.version > version:
                self._tally.broke(f"{aggregate[1]}: its checkpoint has version {saved.version}, its history {version}")
