"""The data folder: everything one platform keeps on disk, and where in it."""

import os
from dataclasses import dataclass
from pathlib import Path

from common.settings import ENGINES
from orderly.failure import Failure


@dataclass(frozen=True, slots=True)
class Folder:
    """`root` is absolute, because services are started from elsewhere."""

    root: Path

    @classmethod
    def at(cls, chosen: Path | None, engine: str = "") -> "Folder":
        """The chosen one, else $ORDERLY_DATA, else that of the engine in the user's data home; of no engine in particular:
        the one that was started last."""
        where = chosen or os.environ.get("ORDERLY_DATA")
        if where:
            return cls(Path(where).expanduser().resolve())
        from platformdirs import user_data_path  # only now: most calls name their folder

        names = {it: "orderly" if it == ENGINES[0] else f"orderly-{it}" for it in ENGINES}
        homes = {it: cls(user_data_path(name, appauthor=False).resolve()) for it, name in names.items()}
        return homes.get(engine) or max(homes.values(), key=Folder.last_started)

    def last_started(self) -> float:
        """Seconds since 1970; 0 where nothing was."""
        try:
            return (self.run / "port").stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def make(self) -> None:
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)  # keys and orders: nobody else's business
            for folder in (self.run, self.logs, self.journals, self.acts.parent):
                folder.mkdir(exist_ok=True)
        except OSError as error:
            raise Failure(
                f"cannot make the data folder {self.root}: {error.strerror}", "choose another: --data DIR"
            ) from None

    @property
    def log(self) -> Path:
        return self.root / "log.db"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def traces(self) -> Path:
        return self.root / "traces"

    @property
    def certificates(self) -> Path:
        return self.root / "certs"

    @property
    def master_key(self) -> Path:
        return self.root / "keys" / "master"

    @property
    def issuer_keys(self) -> Path:
        return self.root / "gateway" / "keys"

    @property
    def audit_key(self) -> Path:
        return self.root / "keys" / "audit"

    def redis_password(self, user: str) -> Path:
        return self.root / "keys" / "redis" / user

    @property
    def acts(self) -> Path:
        return self.root / "audit" / "acts.jsonl"

    @property
    def anchors(self) -> Path:
        return self.root / "audit" / "anchors.jsonl"

    @property
    def journals(self) -> Path:
        return self.root / "journal"

    def log_of(self, service: str) -> Path:
        return self.logs / f"{service}.jsonl"
