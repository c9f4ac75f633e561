"""The directory listing is the architecture: the same rooms in every service, one idea a file."""

import statistics
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [
    ROOT / name
    for name in subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "libs", "services"], capture_output=True, text=True, check=True
    ).stdout.split()
    if name.endswith(".py")
]
EVERYWHERE = {"__init__.py", "__main__.py", "api.py", "app.py", "settings.py"}
AGGREGATES = EVERYWHERE | {"domain.py", "handlers.py", "projection.py", "queries.py"}


@pytest.mark.parametrize("service", ["gateway", "order", "payment", "inventory", "provider", "registry"])
def test_every_service_has_the_same_rooms(service: str) -> None:
    rooms = {path.name for path in (ROOT / "services" / service / service).glob("*.py")}
    assert rooms >= (AGGREGATES if service in ("order", "payment", "inventory") else EVERYWHERE)


def test_files_are_short() -> None:
    sources = [path for path in SOURCES if path.exists() and "tests" not in path.parts]
    lengths = {path: len(path.read_text().splitlines()) for path in sources}
    assert not [str(path) for path, length in lengths.items() if length > 300]
    assert statistics.median(lengths.values()) < 100


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.exists() and (text := path.read_text()).strip() and not text.startswith(('"""', 'r"""'))
    ]
    assert not silent
