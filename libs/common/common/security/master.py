"""The master key, which wraps every customer's data key: a file that its owner alone may read.

One key a line, `id base64`: the first wraps, the others can still unwrap what is not wrapped anew yet. In a cluster it is a
secret that is mounted; on one machine `orderly up` makes it.
"""

import base64
import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import SettingsError

BITS = 256


@dataclass(frozen=True, slots=True)
class Master:
    id: str
    secret: bytes = field(repr=False)

    @classmethod
    def new(cls) -> "Master":
        return cls(os.urandom(4).hex(), os.urandom(BITS // 8))


class MasterFile:
    """Every method raises SettingsError where the file is not there or is none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Sequence[Master]:
        try:
            lines = self._path.read_text().split("\n")
            found = [
                Master(id, base64.b64decode(secret)) for line in lines if line for id, secret in [line.split(" ", 1)]
            ]
        except FileNotFoundError:
            raise SettingsError(f"{self._path}: no master key; `orderly up` makes one, or mount the secret") from None
        except (OSError, ValueError) as error:
            raise SettingsError(f"{self._path}: no master keys can be read from it ({error})") from None
        if not found or any(len(it.secret) != BITS // 8 for it in found):
            raise SettingsError(f"{self._path}: a line is `id base64`, of {BITS} bits")
        return found

    def current(self) -> Master:
        return self.read()[0]

    def make(self) -> None:
        """Where there is none. Of two that make one at once, one does."""
        if self._path.exists():
            return
        fresh = self._beside([Master.new()])
        with contextlib.suppress(FileExistsError):
            os.link(fresh, self._path)
        fresh.unlink()

    def write(self, keys: Sequence[Master]) -> None:
        os.replace(self._beside(keys), self._path)

    def _beside(self, keys: Sequence[Master]) -> Path:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.writelines(f"{it.id} {base64.b64encode(it.secret).decode()}\n" for it in keys)
            file.flush()
            os.fsync(file.fileno())
        return beside
