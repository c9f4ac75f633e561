"""Certificates are there before anybody needs them, and are renewed by a process that does not stay."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.testing.eventually import eventually
from orderly.certificates import HOLDERS, Store
from orderly.failure import Failure
from orderly.folder import Folder
from orderly.renewal import Renewal

Said = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    found = Folder.at(tmp_path)
    found.make()
    return found


@pytest.fixture
def said() -> Said:
    return []


@pytest.fixture
def renewal(folder: Folder, said: Said) -> Iterator[Renewal]:
    made = Renewal(folder, lambda event, **fields: said.append((event, fields)))
    yield made
    eventually(lambda: made.step(time.monotonic()) > time.monotonic() + 1, within=30)  # leaves no process behind


def roles(folder: Folder) -> set[str]:
    return {one.role for one in Store(folder.certificates).show()}


def test_everybody_has_a_certificate_at_once(folder: Folder, renewal: Renewal) -> None:
    assert roles(folder) == {"signing", *HOLDERS}
    assert renewal.step(time.monotonic()) > time.monotonic() + 1000


def test_a_rotation_that_somebody_began_is_carried_on(folder: Folder, renewal: Renewal) -> None:
    store = Store(folder.certificates)
    before = {one.name for one in store.show() if one.role == "signing"}
    store.rotate_authority()

    def signing() -> set[str]:
        renewal.step(time.monotonic())
        return {one.name for one in store.show() if one.role == "signing"}

    eventually(signing, lambda found: found != before, within=50)


def test_what_cannot_be_read_keeps_the_platform_from_starting_and_is_named(folder: Folder) -> None:
    Store(folder.certificates).step()
    (folder.certificates / "authority" / "signing.pem").write_text("no key")
    with pytest.raises(Failure, match="certificates in"):
        Renewal(folder, lambda *_, **__: None)


def test_a_failure_later_is_said_and_tried_again(folder: Folder, renewal: Renewal, said: Said) -> None:
    signing = folder.certificates / "authority" / "signing.pem"
    good = signing.read_bytes()
    (signing.parent / "new").write_bytes(b"no key")
    (signing.parent / "new").replace(signing)

    def told() -> Said:
        renewal.step(time.monotonic())
        return said

    eventually(told, within=30)
    assert said[0][0] == "certificates_not_renewed"
    signing.write_bytes(good)
    eventually(lambda: renewal.step(time.monotonic()) > time.monotonic() + 1000, within=45)
