"""One observed platform for all tests of a module, on the engine that the module names as ENGINE, else the embedded one."""

from collections.abc import Iterator

import pytest
from system import System

from tests.observability.observed import Observed, observed


@pytest.fixture(scope="module")
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    system = System(tmp_path_factory.mktemp("observed"), engine=getattr(request.module, "ENGINE", "embedded"))
    try:
        system.up()
        with observed(system, tmp_path_factory.mktemp("prometheus")) as found:
            yield found
    finally:
        system.down()
