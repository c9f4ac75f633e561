"""Wakes those who wait for records of a topic, in whatever process, within a fraction of a millisecond of the commit.

Everybody who may wait binds a datagram socket in a directory that belongs to the log, and names it after the topics it
wants; writers send an empty datagram to the sockets that want what they wrote. A waiting process costs nothing meanwhile.
Nothing depends on it: a notification that gets lost only delays until the timed look that everybody takes as well.
"""

import itertools
import math
import os
import select
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from common.errors import LogError

FALLBACK = 1.0  # seconds after which one looks without having been told
_SETTLED = 50_000_000  # ns: a directory that changed more recently may change again unseen

_numbers = itertools.count()


def meeting_place(log: Path) -> Path:
    """The directory for the log's sockets: private, and with a path that is short enough for them (about 100 bytes)."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    base = runtime if runtime and os.path.isdir(runtime) and len(runtime) < 50 else tempfile.gettempdir()
    if len(base) >= 50:
        base = "/tmp"  # nosec B108 # a directory of our own in it, and private: see below
    name = blake2b(str(log.resolve()).encode(), digest_size=8).hexdigest()
    place = Path(base, f"orderly-{os.getuid()}-{name}")
    place.mkdir(mode=0o700, exist_ok=True)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise LogError(f"{place}: not a private directory of this user; remove it")
    return place


def _bits(topics: Iterable[int]) -> int:
    """A set of topics in one number; two of them may share a bit, and are then told of each other's news."""
    bits = 0
    for topic in topics:
        bits |= 1 << topic % 64
    return bits


class Watcher:
    """One who waits for news of some topics (their ids). Belongs to one thread, except for `wake`."""

    def __init__(self, place: Path, topics: Iterable[int]) -> None:
        self._path = place / f"{os.getpid()}-{next(_numbers)}-{_bits(topics):x}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._path.unlink(missing_ok=True)  # of a dead process that had our number
            self._socket.bind(str(self._path))
        except FileNotFoundError:  # the directory was removed by one who thought to be the last
            place.mkdir(mode=0o700, exist_ok=True)
            self._socket.bind(str(self._path))
        self._alarm, self._alarmed = socket.socketpair()
        self._alarm.setblocking(False)
        self._alarmed.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._poll.register(self._alarmed, select.POLLIN)
        self._woken = False

    def wait(self, until: float) -> None:
        """Until there may be news, `wake` is called, or it is `until` (monotonic), or FALLBACK seconds have passed."""
        seconds = min(until - time.monotonic(), FALLBACK)
        if seconds > 0 and not self._woken and self._poll.poll(math.ceil(seconds * 1000)):
            for source in (self._socket, self._alarmed):
                _drain(source)

    def wake(self) -> None:
        """From any thread, and from a signal handler."""
        self._woken = True
        with suppress(BlockingIOError):  # enough alarms are under way
            self._alarm.send(b"!")

    def woken(self) -> bool:
        """Whether `wake` was called since this was last asked."""
        woken, self._woken = self._woken, False
        return woken

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        for each in (self._socket, self._alarm, self._alarmed):
            each.close()


def _drain(source: socket.socket) -> None:
    try:
        while True:
            source.recv(16)
    except BlockingIOError:
        return


class Notifier:
    """Tells watchers, of all processes. Threads may share it. Never raises: what it is told about has been committed."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._directory = _open(place)
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._watchers: Sequence[tuple[str, int]] = ()
        self._listed = 0  # the directory's time of change when it was last listed, 0 to list it again

    def tell(self, topics: Iterable[int]) -> None:
        written = _bits(topics)
        with suppress(OSError, ValueError):  # a foreign file, a directory that was just removed
            with self._lock:
                watchers = self._find()
            for path, wanted in watchers:
                if wanted & written:
                    self._send(path)

    def close(self) -> None:
        """Leaves nothing behind, unless somebody else still waits there."""
        with suppress(OSError, ValueError):
            for path, _ in self._find():
                self._send(path)  # clears away the dead
            self._place.rmdir()
        self._socket.close()
        os.close(self._directory)

    def _send(self, path: str) -> None:
        try:
            self._socket.sendto(b"!", path)
        except ConnectionRefusedError:  # its process was killed
            Path(path).unlink(missing_ok=True)
        except OSError:
            pass  # gone, or so many datagrams wait for it that it will look anyway

    def _find(self) -> Sequence[tuple[str, int]]:
        found = os.fstat(self._directory)
        if found.st_nlink == 0:  # removed by one who thought to be the last
            os.close(self._directory)
            self._directory, self._listed = _open(self._place), 0
        if found.st_mtime_ns != self._listed:
            names = os.listdir(self._directory)
            self._watchers = [(f"{self._place}/{name}", int(name.rpartition("-")[2], 16)) for name in names]
            self._listed = found.st_mtime_ns if time.time_ns() - found.st_mtime_ns > _SETTLED else 0
        return self._watchers


def _open(place: Path) -> int:
    place.mkdir(mode=0o700, exist_ok=True)
    return os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
