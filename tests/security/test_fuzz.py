"""schemathesis finds nothing: see fuzz.py, and `make fuzz` for more than a test has time for."""

import re
import subprocess
from pathlib import Path

import pytest
from system import System

from tests.security import fuzz

pytestmark = [pytest.mark.process, pytest.mark.timeout(400)]


def test_every_answer_is_what_openapi_says_one_by_one_and_along_the_links(system: System, tmp_path: Path) -> None:
    done = fuzz.run(system, tmp_path, said=subprocess.PIPE)
    assert done.returncode == 0, done.stdout + done.stderr
    links = re.search(r"API Links: +(\d+) covered", done.stdout)
    assert links is not None, done.stdout
    assert int(links[1]) > 0
