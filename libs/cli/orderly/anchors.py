"""A hash chain over each stream of the evidence, and anchors: what the chains' heads were, and when.

    head(n) = SHA-256(head(n-1) · place · length · item)        anchor(n) = HMAC-SHA-256(key, anchor(n-1) · time · new heads)

Whatever is changed, removed, inserted or moved below an anchored head gives another head. Anchors are chained as well, and made
with a key that those who write the log do not need; who has that key too can forge them all, so keep the last one (`orderly
audit verify` says it) somewhere else and ask for it later. What came after the last anchor is not covered yet.

(Bruce Schneier and John Kelsey, "Secure Audit Logs to Support Computer Forensics", 1999.)
"""

import contextlib
import fcntl
import hashlib
import hmac
import os
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from common.clock import Instant, rfc3339, system_clock
from common.errors import OrderlyError
from common.security.master import MasterFile
from orderly import records
from orderly.evidence import Stream, streams
from orderly.failure import Failure
from orderly.folder import Folder

BEGINNING = ""


class Head(msgspec.Struct, frozen=True):
    """The chain over everything before the place `end`."""

    end: int = 0
    digest: str = BEGINNING


class Anchor(msgspec.Struct, frozen=True):
    """`heads`: of the streams that have grown."""

    at: Instant
    heads: dict[str, Head]
    mac: str


class Report(msgspec.Struct, frozen=True):
    """`broken`: sentences. `covered` and `uncovered` count items; `last` is to be kept elsewhere."""

    broken: list[str]
    anchors: int
    covered: int
    uncovered: int
    last: str


def extend(head: Head, stream: Stream) -> Head:
    """The head over everything that there is now."""
    return next(iter(deque(chain(head, stream), maxlen=1)), head)


def chain(head: Head, stream: Stream) -> Iterator[Head]:
    """The head after each further item."""
    digest = head.digest
    for place, item in stream(head.end):
        digest = hashlib.sha256(f"{digest} {place} {len(item)} ".encode() + item).hexdigest()
        yield Head(place + 1, digest)


class Anchors:
    """The file of anchors. Raises OSError where it cannot be used."""

    def __init__(self, file: Path, key: bytes) -> None:
        self._file = file
        self._key = key

    @classmethod
    def of(cls, folder: Folder) -> "Anchors":
        """Raises SettingsError where the key was never made, or is gone."""
        return cls(folder.anchors, MasterFile(folder.audit_key).current().secret)

    def add(self, streams: Mapping[str, Stream], at: Instant) -> Anchor | None:
        """None: nothing has happened since the last one. Reads what has, and nothing before. Of two at once one waits."""
        with self._alone():
            known = self.read()
            heads = _heads(known)
            grown = {name: extend(heads.get(name, Head()), stream) for name, stream in streams.items()}
            grown = {name: head for name, head in grown.items() if head.end > heads.get(name, Head()).end}
            if not grown:
                return None
            anchor = Anchor(at, grown, self._mac(known[-1].mac if known else BEGINNING, at, grown))
            with open(os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as file:
                file.write(msgspec.json.encode(anchor) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            return anchor

    def read(self) -> Sequence[Anchor]:
        """Those that can be read; `check` complains of the others."""
        found = []
        for line in self._lines():
            with contextlib.suppress(msgspec.MsgspecError):
                found.append(msgspec.json.decode(line, type=Anchor))
        return found

    def check(self, streams: Mapping[str, Stream], kept: str = "") -> Report:
        """`kept`: an anchor that was noted elsewhere; it must be among them."""
        anchors = self.read()
        broken = list(self._forged(anchors))
        if kept and kept not in {it.mac for it in anchors}:
            broken.append("the anchor that you kept is not there: the anchors were cut off, or made anew")
        covered = uncovered = 0
        for name in sorted({*streams, *_heads(anchors)}):
            seen = [(it.at, it.heads[name]) for it in anchors if name in it.heads]
            complaint, within, beyond = _compare(name, seen, streams.get(name, lambda start: iter(())))
            broken += [complaint] if complaint else []
            covered, uncovered = covered + within, uncovered + beyond
        return Report(broken, len(anchors), covered, uncovered, anchors[-1].mac if anchors else BEGINNING)

    def _forged(self, anchors: Sequence[Anchor]) -> Iterator[str]:
        if len(anchors) != len(self._lines()):
            yield f"{self._file.name}: a line is no anchor"
        before = BEGINNING
        for number, anchor in enumerate(anchors, 1):
            if not hmac.compare_digest(anchor.mac, self._mac(before, anchor.at, anchor.heads)):
                yield f"anchor {number} of {rfc3339(anchor.at)} was changed, moved or forged, or the one before it removed"
                return
            before = anchor.mac

    def _mac(self, before: str, at: Instant, heads: Mapping[str, Head]) -> str:
        said = msgspec.json.encode([before, at, sorted(heads.items())])
        return hmac.new(self._key, said, hashlib.sha256).hexdigest()

    def _lines(self) -> list[bytes]:
        return self._file.read_bytes().splitlines() if self._file.exists() else []

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _heads(anchors: Sequence[Anchor]) -> dict[str, Head]:
    return {name: head for anchor in anchors for name, head in anchor.heads.items()}


def _compare(name: str, seen: Sequence[tuple[Instant, Head]], stream: Stream) -> tuple[str, int, int]:
    """What is wrong below the last anchor that knows of this stream, how many items are covered, and how many are not."""
    walk = chain(Head(), stream)
    head = Head()
    covered = 0
    for at, anchored in seen:
        start = head.end
        while head.end < anchored.end:
            head = next(walk, Head(-1))
            if head.end < 0:
                return f"{name}: cut off before {anchored.end}, which was there at {rfc3339(at)}", covered, 0
            covered += 1
        if head != anchored:
            return (
                f"{name}: something from {start} to {anchored.end - 1} is not what it was at {rfc3339(at)}",
                covered,
                0,
            )
    return "", covered, sum(1 for _ in walk)


def main() -> None:
    """`python -m orderly.anchors DIR`: add one, if anything has happened."""
    os.nice(10)  # orders go first
    folder = Folder.at(Path(sys.argv[1]))
    try:
        with records.log_of(folder) as log:
            Anchors.of(folder).add(streams(log, folder.acts), system_clock())
    except (Failure, OrderlyError) as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()
