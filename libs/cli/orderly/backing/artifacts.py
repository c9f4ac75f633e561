"""Kafka's jars: exactly those of `jars.lock`, each held to its SHA-256, fetched once and kept in the user's cache.

PyPI's jgo fetches them as Maven would. It writes straight into place, so it is given a folder beside: a jar is in the cache
when it is whole, and then no network is needed any more.
"""

import fcntl
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from orderly.failure import Failure

LOCK = Path(__file__).with_name("jars.lock")
ATTEMPTS = 3
TELL_EVERY = 2.0  # seconds
ADVICE = "it is needed once, after that no network is; try again, or use a broker that runs already: KAFKA_BOOTSTRAP=host:port"

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Jar:
    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def locked(lock: Path = LOCK) -> Sequence[Jar]:
    """Written by `python -m orderly.backing.locking`; the broker itself comes first."""
    return [Jar(*line.replace(" sha256:", ":").split(":")) for line in lock.read_text().splitlines()]


def jars(tell: Tell, cache: Path | None = None, lock: Path = LOCK) -> Path:
    """The folder with all of them. Raises Failure when one cannot be had."""
    wanted = locked(lock)
    kept = (cache or user_cache_path("orderly", appauthor=False)) / f"kafka-{wanted[0].version}"
    try:
        kept.mkdir(parents=True, exist_ok=True)
        with _alone(kept):
            if missing := [jar for jar in wanted if not is_whole(kept / jar.file, jar)]:
                _fetch(missing, kept, tell)
    except OSError as error:
        raise Failure(f"Kafka cannot be kept in {kept}: {error}", ADVICE) from None
    return kept


def is_whole(path: Path, jar: Jar) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def _fetch(missing: Sequence[Jar], kept: Path, tell: Tell) -> None:
    tell(f"fetching Kafka: {len(missing)} jars, once; they are kept in {kept}")
    tell_at = time.monotonic() + TELL_EVERY
    for done, jar in enumerate(missing):
        if time.monotonic() > tell_at:
            tell_at = time.monotonic() + TELL_EVERY
            tell(f"fetching Kafka: {done} of {len(missing)} jars are there")
        _fetch_one(jar, kept)


def _fetch_one(jar: Jar, kept: Path) -> None:
    """The network may be slow, be cut off, or lie. What Maven has on this machine already is looked at first."""
    beside, wrong = kept / ".part", ""
    for known in ([Path.home() / ".m2" / "repository"], *[[]] * ATTEMPTS):
        shutil.rmtree(beside, ignore_errors=True)
        try:
            found = _resolve(jar, beside, known)
        except (OSError, RuntimeError) as error:  # those of requests are OSErrors
            wrong = str(error)
            continue
        part = beside / jar.file
        shutil.copy(found, part)
        if is_whole(part, jar):
            part.replace(kept / jar.file)
            shutil.rmtree(beside)
            return
        wrong = "its SHA-256 is not the locked one"
    raise Failure(f"{jar.group}:{jar.artifact}:{jar.version} cannot be fetched: {wrong}", ADVICE)


def _resolve(jar: Jar, beside: Path, known: list[Path]) -> Path:
    try:
        from jgo.maven import MavenContext  # only now: who has the jars needs neither it nor a network
    except ImportError:
        raise Failure(
            "Kafka is not in the cache yet, and jgo, which fetches it, is not installed",
            "make run ENGINE=kafka installs it, or: pip install jgo; or use a broker that runs already: KAFKA_BOOTSTRAP",
        ) from None
    beside.mkdir()
    context = MavenContext(repo_cache=beside, local_repos=known)
    return context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Whoever comes second finds it done."""
    with (folder / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
