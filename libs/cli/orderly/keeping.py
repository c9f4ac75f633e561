"""Which engine a data folder belongs to, for life, and how to open what it keeps: with the embedded one at any time, else
while its servers run."""

import os

from common import engine, settings
from common.engine import Engine
from common.security.access import OPERATOR
from common.settings import ENGINES, Keeping
from orderly import backing, runfile
from orderly.failure import NOT_RUNNING, Failure, NotRunning
from orderly.folder import Folder
from orderly.servers import Servers
from orderly.shape import Shape

NEVER_RAN = "has the platform ever run here? orderly up"


def engine_in(folder: Folder) -> str | None:
    """The one it was made with; None before its first start."""
    try:
        return (folder.root / "engine").read_text().strip()
    except FileNotFoundError:
        return "embedded" if folder.log.exists() else None


def chosen(folder: Folder, wanted: str) -> str:
    """The engine to start it with: the wanted one, else the one it was made with, else embedded. Raises Failure for another."""
    made = engine_in(folder)
    if made is not None and wanted not in ("", made):
        raise Failure(
            f"the data in {folder.root} was made with the {made} engine, not {wanted}",
            f"start it with --engine {made}, or choose another folder: --data DIR",
        )
    return made or wanted or ENGINES[0]


def secured(folder: Folder) -> bool:
    """It was made with --secure, and stays so: nobody takes the locks off by leaving out a word."""
    return (folder.root / "secure").exists()


def claim(folder: Folder, shape: Shape) -> None:
    """From now on its data is of this engine."""
    (folder.root / "engine").write_text(shape.engine + "\n")
    if shape.secure:
        (folder.root / "secure").touch()


def servers_of(folder: Folder) -> Servers:
    """Raises NotRunning where they would have to run and do not."""
    run = runfile.read(folder)
    if run is not None and (run.running() or run.leftovers()):
        return run.servers
    found = backing.outside()
    if engine_in(folder) == "kafka" and not (found.kafka_bootstrap and found.redis_url):
        raise NotRunning(folder.root)
    return found


def engine_of(folder: Folder) -> str:
    """The one it was made with, or that the environment names: see elsewhere.py. Raises Failure where nothing ever ran."""
    made = engine_in(folder) or os.environ.get("ORDERLY_ENGINE")
    if not made:
        raise Failure(f"{folder.root}: there is no log", NEVER_RAN, NOT_RUNNING)
    return made


def open_engine(folder: Folder) -> Engine:
    """Raises Failure where nothing ever ran, NotRunning where its servers are not there."""
    told = {
        "ORDERLY_DATA": str(folder.root),
        "ORDERLY_ENGINE": engine_of(folder),
        **servers_of(folder).environment(folder, OPERATOR),
    }
    return engine.of(settings.read(Keeping, {**os.environ, **told}))
