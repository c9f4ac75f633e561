"""The platform's certificates: made once, replaced in time, and never in a way that leaves somebody without."""

from pathlib import Path

import pytest

from common.clock import HOUR, MINUTE, SECOND, Instant, system_clock
from common.security.authority import AUTHORITY_LIFE
from common.security.credentials import AUTHORITIES, CERTIFICATE, Credentials
from common.testing.certificates import spiffe
from orderly.certificates import AUTHORITY_MARGIN, HOLDERS, NEXT, PREVIOUS, SIGNING, Shown, Store


def authorities(store: Store) -> int:
    return (store.folder_of("order") / AUTHORITIES).read_bytes().count(b"BEGIN CERTIFICATE")


class Later:
    """A clock that can be moved. It starts now, because files have their times from the machine."""

    def __init__(self) -> None:
        self.moved = 0

    def __call__(self) -> Instant:
        return system_clock() + self.moved


@pytest.fixture
def later() -> Later:
    return Later()


@pytest.fixture
def store(tmp_path: Path, later: Later) -> Store:
    made = Store(tmp_path / "certs", later)
    made.step()
    return made


def by_role(store: Store) -> dict[str, Shown]:
    return {one.role: one for one in store.show()}


def leaves(store: Store) -> dict[str, bytes]:
    return {service: (store.folder_of(service) / CERTIFICATE).read_bytes() for service in HOLDERS}


def test_every_service_gets_a_certificate_that_speaks_for_it_and_that_it_can_use(store: Store) -> None:
    for service in HOLDERS:
        credentials = Credentials(store.folder_of(service))
        assert credentials.id == spiffe(service)
        assert credentials.expired() is None
    assert set(by_role(store)) == {SIGNING, *HOLDERS}


def test_nothing_is_replaced_before_its_time(store: Store, later: Later) -> None:
    before = leaves(store)
    later.moved = 12 * HOUR - MINUTE
    store.step()
    assert leaves(store) == before


def test_leaves_are_replaced_at_half_of_their_life(store: Store, later: Later) -> None:
    before = leaves(store)
    later.moved = 12 * HOUR
    store.step()
    after = leaves(store)
    assert all(after[service] != before[service] for service in HOLDERS)
    assert by_role(store)[SIGNING].expires < later() + AUTHORITY_LIFE  # by the same authority


def test_leaves_are_replaced_when_somebody_says_so(store: Store) -> None:
    before = leaves(store)
    store.rotate()
    assert not set(before.values()) & set(leaves(store).values())


def test_a_new_authority_is_trusted_before_it_signs_and_the_old_one_is_forgotten_last(
    store: Store, later: Later
) -> None:
    old = by_role(store)[SIGNING].name
    assert store.rotate_authority()
    assert not store.rotate_authority()  # under way
    new = by_role(store)[NEXT].name
    assert {by_role(store)[service].signed_by for service in HOLDERS} == {old}
    assert authorities(store) == 2

    later.moved = 20 * SECOND
    store.step()
    assert by_role(store)[SIGNING].name == new
    assert by_role(store)[PREVIOUS].name == old
    assert {by_role(store)[service].signed_by for service in HOLDERS} == {new}
    assert authorities(store) == 2

    later.moved = 3 * MINUTE
    store.step()
    assert set(by_role(store)) == {SIGNING, *HOLDERS}
    assert authorities(store) == 1


def test_an_authority_is_replaced_in_time_without_being_asked(store: Store, later: Later) -> None:
    old = by_role(store)[SIGNING].name
    later.moved = AUTHORITY_LIFE - AUTHORITY_MARGIN
    store.step()
    assert by_role(store)[SIGNING].name != old
    assert by_role(store)[PREVIOUS].name == old


def test_after_a_year_of_sleep_everything_is_made_anew(store: Store, later: Later) -> None:
    old = by_role(store)[SIGNING].name
    later.moved = AUTHORITY_LIFE + HOUR
    store.step()
    assert by_role(store)[SIGNING].name != old
    assert Credentials(store.folder_of("order"), later).expired() is None


def test_a_rotation_that_was_cut_short_is_finished(store: Store, later: Later, tmp_path: Path) -> None:
    store.rotate_authority()
    new = by_role(store)[NEXT].name
    signing = (tmp_path / "certs/authority/signing.pem").read_bytes()
    (tmp_path / "certs/authority/previous.pem").write_bytes(signing[signing.index(b"-----BEGIN CERT") :])
    later.moved = 20 * SECOND
    store.step()
    assert by_role(store)[SIGNING].name == new
    assert {by_role(store)[service].signed_by for service in HOLDERS} == {new}
