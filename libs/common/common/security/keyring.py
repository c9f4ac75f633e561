"""The keys that the demo issuer signs with: a folder of files `<milliseconds since 1970>.pem`, which its gateways share, and
nobody else may read.

When a key was made tells what it is for, so that gateways need not agree on anything:

    at once             it is published, and what it has signed is accepted
    2 minutes later     it signs, and the one before it does no more: by then whoever keeps the key set for a minute has it
    17 minutes later    the one before it is deleted: the last token that it signed has expired

A folder's first key signs at once. A new one is made every day, and whenever somebody asks for it (`orderly keys rotate`).
"""

import asyncio
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import structlog
from joserfc.jwk import Key, RSAKey

from common.clock import HOUR, MINUTE, Clock, Instant, Millis, system_clock
from common.errors import SettingsError

ROTATED_AFTER: Millis = 24 * HOUR
SIGNS_AFTER: Millis = 2 * MINUTE
KEPT_FOR: Millis = 15 * MINUTE  # after its successor signs; the longest life of a token, see tokens.py
MARGIN: Millis = MINUTE  # for clocks that differ, and gateways that look only now and then
LOOK_EVERY = 2.0  # seconds
BITS = 2048

_log = structlog.get_logger("keyring")


class KeyRing:
    """`kept`: this process makes the keys and deletes them; else somebody else does, and mounts them. Raises SettingsError
    where there is none. Belongs to one event loop."""

    def __init__(
        self, folder: Path, clock: Clock = system_clock, *, kept: bool = True, signs_after: Millis = SIGNS_AFTER
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._kept = kept
        self._signs_after = signs_after
        self._keys: Mapping[Instant, RSAKey] = {}
        self._by_id: Mapping[str, RSAKey] = {}
        self._changed = 0  # the folder, as of the last look
        self._watching: asyncio.Task[None] | None = None
        try:
            self.step()
        except (OSError, ValueError) as error:
            raise SettingsError(f"the issuer's keys in {folder}: {error}") from None
        if not self._keys:
            raise SettingsError(f"{folder}: no key there; it is <milliseconds since 1970>.pem, an RSA key")

    def __contains__(self, key_id: object) -> bool:
        return key_id in self._by_id

    async def get(self, key_id: str) -> Key | None:
        """Another gateway may have made it just now."""
        if key_id not in self._by_id:
            with _complaining():
                if self._folder.stat().st_mtime_ns != self._changed:
                    self._look()
        return self._by_id.get(key_id)

    @property
    def signing(self) -> RSAKey:
        """The youngest that has been published for long enough; else the oldest."""
        keys, now = self._keys, self._clock()
        due = [made for made in keys if made + self._signs_after <= now]
        return keys[max(due) if due else min(keys)]

    def key_set(self) -> Sequence[Mapping[str, object]]:
        return [{**key.as_dict(private=False), "use": "sig", "alg": "RS256"} for key in self._keys.values()]

    async def start(self) -> None:
        self._watching = asyncio.create_task(self._watch(), name="keyring")

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    def step(self) -> None:
        """Do what is due, and know what is there. Raises OSError, and ValueError for a file that is no key."""
        if self._kept:
            keep(self._folder, self._clock(), signs_after=self._signs_after)
        self._look()

    def _look(self) -> None:
        changed = self._folder.stat().st_mtime_ns
        made = _made(self._folder)
        if changed != self._changed or made != list(self._keys):
            self._keys = {it: _load(_path(self._folder, it)) for it in made}
            self._by_id = {str(key.kid): key for key in self._keys.values()}
            _log.info("signing keys", known=len(self._keys))
        self._changed = changed  # last: until then, who misses a key looks too

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            with _complaining():
                await asyncio.to_thread(self.step)


def keep(folder: Path, now: Instant, *, signs_after: Millis = SIGNS_AFTER, seen_after: Millis = 0) -> None:
    """Make and delete the keys of which that is due. `seen_after`: how long it may take until gateways see a new one; it is
    named by the moment at which the last of them does."""
    with _alone(folder):
        made = _made(folder)
        if not made or made[-1] + ROTATED_AFTER <= now:
            make(folder, now + seen_after)
        for old, successor in pairwise(made):
            if successor + signs_after + KEPT_FOR + MARGIN <= now:
                _path(folder, old).unlink(missing_ok=True)


def rotate(folder: Path, now: Instant, *, forget: bool = False) -> None:
    """Make a key now. `forget` the others at once, where one of them was stolen: every token of theirs is refused."""
    with _alone(folder):
        before = _made(folder)
        make(folder, now)
        for old in before if forget else ():
            _path(folder, old).unlink()


def make(folder: Path, now: Instant) -> None:
    path = _path(folder, now)
    fresh = path.with_suffix(".new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(RSAKey.generate_key(BITS).as_pem(private=True))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _load(path: Path) -> RSAKey:
    key = RSAKey.import_key(path.read_bytes())
    key.ensure_kid()
    return key


def _made(folder: Path) -> list[Instant]:
    """Oldest first."""
    return sorted(int(path.stem) for path in folder.glob("*.pem") if path.stem.isdecimal())


def _path(folder: Path, made: Instant) -> Path:
    return folder / f"{made}.pem"


@contextmanager
def _complaining() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        _log.error("the issuer's keys cannot be used, those known go on", error=str(error))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """All gateways and the command line may be here."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
