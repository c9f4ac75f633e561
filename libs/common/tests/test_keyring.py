"""The demo issuer's keys: what each is for is told by its age, and gateways that share the folder agree without a word."""

import stat
from pathlib import Path

import pytest

from common.clock import HOUR, MINUTE, SECOND, Instant
from common.errors import SettingsError
from common.security import keyring
from common.security.keyring import KEPT_FOR, MARGIN, ROTATED_AFTER, SIGNS_AFTER, KeyRing, keep, rotate
from common.security.tokens import LONGEST_LIFE, SKEW


class Time:
    now: Instant = 1_800_000_000_000

    def __call__(self) -> Instant:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    monkeypatch.setattr(keyring, "BITS", 1024)  # quick to make; these sign nothing
    return Time()


def known(ring: KeyRing) -> list[object]:
    return [key["kid"] for key in ring.key_set()]


@pytest.mark.filterwarnings("ignore:Key size should be:joserfc.errors.SecurityWarning")
class TestKeyRing:
    def test_the_first_key_signs_at_once_and_its_owner_alone_reads_it(self, tmp_path: Path, time: Time) -> None:
        ring = KeyRing(tmp_path / "keys", time)
        assert known(ring) == [ring.signing.kid]
        (file,) = (tmp_path / "keys").glob("*.pem")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert KeyRing(tmp_path / "keys", time).signing.kid == ring.signing.kid

    def test_a_new_key_is_published_before_it_signs_and_the_old_one_after(self, tmp_path: Path, time: Time) -> None:
        ring = KeyRing(tmp_path, time)
        old = ring.signing.kid
        time.now += HOUR
        rotate(tmp_path, time.now)
        ring.step()
        old_one, new = known(ring)
        assert (old_one, ring.signing.kid) == (old, old)
        time.now += SIGNS_AFTER
        assert ring.signing.kid == new
        time.now += KEPT_FOR
        ring.step()
        assert known(ring) == [old, new], "the last token of the old key has not expired everywhere"
        time.now += MARGIN
        ring.step()
        assert known(ring) == [new]
        assert len(list(tmp_path.glob("*.pem"))) == 1

    def test_a_day_later_a_new_key_is_made_by_one_of_the_gateways(self, tmp_path: Path, time: Time) -> None:
        rings = [KeyRing(tmp_path, time) for _ in range(3)]
        time.now += ROTATED_AFTER
        for ring in rings:
            ring.step()
        for ring in rings:
            ring.step()
        assert len(known(rings[0])) == 2
        assert known(rings[0]) == known(rings[1]) == known(rings[2])

    def test_one_that_arrives_late_counts_from_when_it_has_arrived_everywhere(self, tmp_path: Path, time: Time) -> None:
        late = 3 * MINUTE
        keep(tmp_path, time.now, seen_after=late)
        ring = KeyRing(tmp_path, time, kept=False)
        old = ring.signing.kid
        time.now += ROTATED_AFTER + late
        keep(tmp_path, time.now, seen_after=late)
        ring.step()
        time.now += SIGNS_AFTER
        assert ring.signing.kid == old
        time.now += late
        _, new = known(ring)
        assert ring.signing.kid == new
        time.now += KEPT_FOR
        keep(tmp_path, time.now, seen_after=late)
        ring.step()
        assert known(ring) == [old, new]
        time.now += MARGIN
        keep(tmp_path, time.now, seen_after=late)
        ring.step()
        assert known(ring) == [new]

    async def test_a_key_that_another_gateway_has_just_made_is_found_when_it_is_asked_for(
        self, tmp_path: Path, time: Time
    ) -> None:
        ring = KeyRing(tmp_path, time)
        time.now += HOUR
        rotate(tmp_path, time.now)
        other = KeyRing(tmp_path, time)
        (new,) = set(known(other)) - set(known(ring))
        assert await ring.get(str(new)) is not None
        assert await ring.get("../../etc/passwd") is None

    def test_what_a_stolen_key_signed_is_good_no_more(self, tmp_path: Path, time: Time) -> None:
        ring = KeyRing(tmp_path, time)
        stolen = ring.signing.kid
        time.now += SECOND
        rotate(tmp_path, time.now, forget=True)
        ring.step()
        assert stolen not in ring
        assert known(ring) == [ring.signing.kid] != [stolen]

    def test_mounted_keys_are_used_and_never_touched(self, tmp_path: Path, time: Time) -> None:
        keyring.make(tmp_path, 0)
        keyring.make(tmp_path, time.now - HOUR)
        before = sorted(tmp_path.iterdir())
        ring = KeyRing(tmp_path, time, kept=False)
        time.now += 10 * ROTATED_AFTER
        ring.step()
        assert len(known(ring)) == 2
        assert sorted(tmp_path.iterdir()) == before
        old = ring.signing.kid
        for name in before:
            name.unlink()
        keyring.make(tmp_path, 0)
        ring.step()
        assert known(ring) == [ring.signing.kid] != [old], "also one that has taken the name of another"

    def test_a_folder_without_a_usable_key_stops_the_start(self, tmp_path: Path, time: Time) -> None:
        with pytest.raises(SettingsError, match="no key"):
            KeyRing(tmp_path, time, kept=False)
        (tmp_path / "1.pem").write_text("no key")
        with pytest.raises(SettingsError, match="issuer's keys"):
            KeyRing(tmp_path, time, kept=False)

    async def test_a_file_that_is_no_key_changes_nothing_while_it_runs(self, tmp_path: Path, time: Time) -> None:
        ring = KeyRing(tmp_path, time)
        signing = ring.signing.kid
        time.now += MINUTE
        (tmp_path / f"{time.now}.pem").write_text("no key")
        assert await ring.get("unknown") is None
        assert ring.signing.kid == signing


def test_a_key_is_kept_for_as_long_as_the_last_token_that_it_signed_is_accepted() -> None:
    assert KEPT_FOR >= LONGEST_LIFE * SECOND
    assert KEPT_FOR + MARGIN >= (LONGEST_LIFE + SKEW) * SECOND
