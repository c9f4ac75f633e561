"""L10: no effect of an aborted transaction. What the histories list as sent, and what was sent, are the same messages."""

import re
from sys import intern

import msgspec

from common.clock import MINUTE, Instant, Millis
from common.codec import Cause
from common.eventlog import Stored
from common.topology import PROCESSING_SERVICES, commands, dead_letters
from laws.history import History
from laws.stream import Decided, Stream
from laws.verdict import Tally, Verdict

# The names that processors give: "{topic}-{partition}-{offset}.{n}", "{service}.timer-{aggregate}-{version}.{n}", and "answer".
OUTPUT = re.compile(r"([a-z]+\.commands-\d+-\d+|[a-z]+\.(timer|answer)-.+-\d+)\.\d+")

MARGIN: Millis = MINUTE  # a message and the record that lists it were written together, in two partitions


class Message(msgspec.Struct, frozen=True, gc=False):
    """As the record that lists it knows it, or as it is. `late`: its counterpart may be past the cut. There may be very many
    of them waiting, so the strings are shared."""

    type: str
    topic: str
    key: str
    at: Instant
    late: bool = False

    def agrees(self, other: "Message") -> bool:
        return (self.type, self.topic, self.key) == (other.type, other.topic, other.key)

    def __str__(self) -> str:
        return f"{self.type} to {self.topic} for {self.key}"


class Effects:
    """Each message that a history record lists is in its topic exactly once; each message there that a processor sent is
    listed by the history record of its cause. A message is named by the position of its cause, so both sides know its name.
    """

    def __init__(self, history: History) -> None:
        self._tally = Tally("L10", "no event of an aborted transaction has an effect")
        self._history = history
        self._topics = {topic(service) for service in PROCESSING_SERVICES for topic in (commands, dead_letters)}
        self._listed: dict[str, Message] = {}  # not yet found
        self._found: dict[str, Message] = {}  # not yet listed

    def listen(self, stream: Stream) -> None:
        for service in PROCESSING_SERVICES:
            stream.on_decided(service, self._decided)
            stream.on_command(service, self._message)
            stream.on_dead_letter(service, self._message)  # parked work is sent there, to be redriven

    def _decided(self, decided: Decided) -> None:
        record, frame, _ = decided
        if not frame.sent or record.at < self._history.cut.kept_since - MARGIN:
            return  # what was sent so long ago may be gone
        stem = stem_of(frame.cause)
        for number, sent in enumerate(frame.sent, 1):
            if sent.topic in self._topics:
                self._tally.checked += 1
                listed = Message(intern(sent.type), intern(sent.topic), intern(sent.key), record.at)
                self._meet(f"{stem}.{number}", listed, mine=self._listed, other=self._found)

    def _message(self, record: Stored) -> None:
        headers = record.headers
        name = headers.get("id", "")
        if not headers.get("actor", "").startswith("service:") or "dead_topic" in headers or not OUTPUT.fullmatch(name):
            return  # from outside, or a poison message set aside
        if record.at < self._history.cut.kept_since:
            return  # of what lists it, some may not have been looked at
        late = self._history.cut.is_late((record.topic, record.partition), record.offset)
        found = Message(intern(headers.get("type", "")), record.topic, intern(record.key), record.at, late)
        self._meet(name, found, mine=self._found, other=self._listed)

    def _meet(self, name: str, seen: Message, *, mine: dict[str, Message], other: dict[str, Message]) -> None:
        counterpart = other.pop(name, None)
        if counterpart is None:
            if name in mine:
                self._tally.broke(f"{name}: {seen} is there twice")
            mine[name] = seen
        elif not counterpart.agrees(seen):
            one, sent = (seen, counterpart) if mine is self._listed else (counterpart, seen)
            self._tally.broke(f"{name}: {one} is listed, {sent} was sent")

    def verdict(self) -> Verdict:
        recent = self._history.recent
        for name, listed in self._listed.items():
            if listed.at >= self._history.cut.kept_since:
                self._tally.judge(f"{name}: {listed} is listed, and was not sent", recent=recent(listed.at))
        for name, found in self._found.items():
            if not found.late:
                sentence = f"{name}: {found} was sent, and no committed record lists it, or it was sent twice"
                self._tally.judge(sentence, recent=recent(found.at))
        return self._tally.verdict()


def stem_of(cause: Cause) -> str:
    """How the messages that an input causes are named, but for their number."""
    return f"{cause.topic}-{cause.partition}-{cause.offset}" if cause.topic else cause.id
