"""A Kafka that cannot be prepared keeps the platform from starting, and says why."""

import time
from pathlib import Path

import pytest

from common.testing.eventually import eventually
from orderly.failure import Failure
from orderly.folder import Folder
from orderly.preparing import ATTEMPTS, Preparing
from orderly.servers import Servers


def test_what_fails_again_and_again_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    said: list[str] = []
    servers = Servers("127.0.0.1:1", "rediss://127.0.0.1:1/0", 1, secure=True)
    preparing = Preparing(Folder.at(tmp_path), servers, lambda event, **_: said.append(event))
    with pytest.raises(Failure, match="No such file"):
        eventually(lambda: preparing.step(time.monotonic()) < 0, within=50)
    assert said == ["kafka_not_prepared"] * ATTEMPTS
    assert not preparing.done
