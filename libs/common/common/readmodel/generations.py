"""The generations of a read model on disk: one file each, and one name in `CURRENT` that says which one is served.

A new generation is built beside the served one, then switched to by replacing `CURRENT`, which is atomic: whoever asks sees
the old or the new one whole. Files of a read model may be deleted at any time; the log is the truth.
"""

import os
import secrets
import time
from pathlib import Path

from common.errors import OrderlyError
from common.readmodel import store

_RECENT = 0.5  # seconds


class EmbeddedGenerations:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._pointer = directory / "CURRENT"
        self._seen: str | None = None
        self._seen_at = 0.0

    def names(self) -> list[str]:
        """Oldest first."""
        return sorted(path.stem for path in self._directory.glob("*.db"))

    def path(self, name: str) -> Path:
        return self._directory / f"{name}.db"

    def current(self) -> str | None:
        """The served generation; None where there is none, or its file is gone."""
        try:
            name = self._pointer.read_text().strip()
        except FileNotFoundError:
            return None
        return name if name and self.path(name).exists() else None

    def recent(self) -> str | None:
        """`current`, perhaps half a second late, at no cost."""
        now = time.monotonic()
        if self._seen is None or now - self._seen_at > _RECENT:
            self._seen, self._seen_at = self.current(), now
        return self._seen

    def forget(self) -> None:
        """Let the next `recent` look again."""
        self._seen = None

    def new(self) -> str:
        """A name that never was. A read model opened under it makes the file."""
        self._directory.mkdir(parents=True, exist_ok=True)
        last = max((int(number) for name in self.names() if (number := name.partition("-")[0]).isdecimal()), default=0)
        return f"{last + 1:04d}-{secrets.token_hex(4)}"

    def switch(self, name: str, *, behind: bool = False) -> bool:
        """Nobody writes to the served one meanwhile, and nobody does after it: see `EmbeddedReadModel.apply`."""
        if not self.path(name).exists():
            raise OrderlyError(f"{self.path(name)}: no such generation; there are {', '.join(self.names()) or 'none'}")
        served = self.current()
        if behind or served in (None, name):
            self._point(name)
            return True
        with store.held(self.path(served)) as before, store.held(self.path(name)) as after:
            if any(after.get(place, 0) < position for place, position in before.items()):
                return False
            self._point(name)
            return True

    def _point(self, name: str) -> None:
        fresh = self._pointer.with_name("CURRENT.new")
        with fresh.open("w") as file:
            file.write(name + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._pointer)
        self._seen = None

    def condemn(self, name: str) -> None:
        """It is damaged: serve it no longer, so that the live projector starts a new one."""
        if self.current() == name:
            self._pointer.unlink(missing_ok=True)
        self._seen = None
        self.drop(name)

    def drop(self, name: str) -> None:
        """Delete a generation that is not served."""
        if name == self.current():
            raise OrderlyError(f"generation {name} is being served; switch to another one first")
        for suffix in (".db", ".db-wal", ".db-shm"):
            (self._directory / f"{name}{suffix}").unlink(missing_ok=True)
