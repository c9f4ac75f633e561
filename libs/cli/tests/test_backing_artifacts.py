"""The broker's jars come whole or not at all, and with a warm cache from nowhere."""

import hashlib
from pathlib import Path

import pytest

from orderly.backing import artifacts
from orderly.failure import Failure

CONTENT = b"a jar"


class Shelf:
    """A Maven repository of this machine with one jar, a lock that names it, and a cache."""

    def __init__(self, root: Path) -> None:
        self.jar = root / ".m2" / "repository" / "org" / "example" / "broker" / "1.0" / "broker-1.0.jar"
        self.jar.parent.mkdir(parents=True)
        self.jar.write_bytes(CONTENT)
        self.lock = root / "jars.lock"
        self.lock.write_text(f"org.example:broker:1.0 sha256:{hashlib.sha256(CONTENT).hexdigest()}\n")
        self.cache = root / "cache"
        self.told: list[str] = []

    def fetch(self) -> Path:
        return artifacts.jars(self.told.append, self.cache, self.lock) / "broker-1.0.jar"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")  # there is no network
    return Shelf(tmp_path)


def test_what_is_there_once_is_there_without_a_network(shelf: Shelf) -> None:
    assert shelf.fetch().read_bytes() == CONTENT
    shelf.jar.unlink()
    assert shelf.fetch().read_bytes() == CONTENT
    assert len(shelf.told) == 1


def test_half_a_download_is_fetched_again(shelf: Shelf) -> None:
    shelf.fetch().write_bytes(CONTENT[:3])
    assert shelf.fetch().read_bytes() == CONTENT


def test_a_jar_that_is_not_the_locked_one_never_gets_into_the_cache(shelf: Shelf) -> None:
    shelf.jar.write_bytes(b"another jar")
    with pytest.raises(Failure, match=r"org\.example:broker:1\.0 cannot be fetched") as failed:
        shelf.fetch()
    assert "KAFKA_BOOTSTRAP" in failed.value.advice
    assert not list(shelf.cache.rglob("*.jar"))


def test_the_lock_names_the_broker_first_and_nothing_twice() -> None:
    locked = artifacts.locked()
    assert locked[0].artifact == "kafka_2.13"
    assert len({(it.group, it.artifact) for it in locked}) == len(locked)
