"""What is personal: sealed under its customer's key, and gone when that key is (checklist: logs and data)."""

import asyncio
import json
import os
import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from common.errors import SettingsError, Unavailable, Undecodable
from common.security.master import Master, MasterFile
from common.security.vault import Cipher, Erased, Vault
from common.telemetry.masking import MASK, masked
from common.testing.vaults import vault_in


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return vault_in(tmp_path)


async def test_only_the_field_and_order_that_it_was_sealed_as_opens_it(vault: Vault) -> None:
    cipher = await vault.cipher("alice")
    sealed = cipher.seal("Ada Lovelace", "o1", "delivery")
    assert vault.unseal(sealed, "o1", "delivery") == "Ada Lovelace"
    for order_id, field in (("o2", "delivery"), ("o1", "payment_token"), ("o1\0delivery", "")):
        with pytest.raises(Undecodable):
            vault.unseal(sealed, order_id, field)


async def test_what_was_changed_or_never_sealed_does_not_open(vault: Vault) -> None:
    sealed = (await vault.cipher("alice")).seal("x", "o1", "delivery")
    for other in (sealed[:-4] + "AAAA", "x", "", "v1.", "v1.é", sealed.replace("v1.", "v2."), sealed[:20]):
        with pytest.raises((Undecodable, Erased)):
            vault.unseal(other, "o1", "delivery")


async def test_no_two_sealed_texts_are_alike(vault: Vault) -> None:
    cipher = await vault.cipher("alice")
    assert cipher.seal("x", "o1", "delivery") != cipher.seal("x", "o1", "delivery")


async def test_a_key_that_is_moved_to_another_customer_does_not_unwrap(vault: Vault, tmp_path: Path) -> None:
    await vault.cipher("alice")
    with sqlite3.connect(tmp_path / "vault.db") as db:
        db.execute("UPDATE keys SET customer = 'bob'")
    db.close()
    with pytest.raises(Unavailable):
        await vault.cipher("bob")


async def test_a_customer_has_one_key_whoever_asks_first(vault: Vault, tmp_path: Path) -> None:
    other = Vault.at(tmp_path)
    found = await asyncio.gather(*(it.cipher("alice") for it in (vault, other) * 5))
    assert len(set(found)) == 1


async def test_a_fingerprint_tells_nothing_without_the_key(vault: Vault) -> None:
    alice, bob = await vault.cipher("alice"), await vault.cipher("bob")
    assert alice.fingerprint(b"x") == alice.fingerprint(b"x") != alice.fingerprint(b"y")
    assert alice.fingerprint(b"x") != bob.fingerprint(b"x")


async def test_what_is_erased_opens_nowhere_and_comes_back_for_nobody(vault: Vault, tmp_path: Path) -> None:
    other = Vault.at(tmp_path)
    before, of_bob = await vault.cipher("alice"), await vault.cipher("bob")
    sealed, his = before.seal("Ada", "o1", "delivery"), of_bob.seal("Bob", "o2", "delivery")
    assert other.unseal(sealed, "o1", "delivery") == "Ada"
    assert vault.erase("alice") and not vault.erase("alice")
    assert await other.cipher("alice") != before, "who comes back is somebody new"
    for one in (vault, other):
        with pytest.raises(Erased):
            one.unseal(sealed, "o1", "delivery")
        assert one.unseal(his, "o2", "delivery") == "Bob"


async def test_an_erased_key_is_in_no_file_any_more(vault: Vault, tmp_path: Path) -> None:
    cipher = await vault.cipher("alice")
    with sqlite3.connect(tmp_path / "vault.db") as db:
        (wrapped,) = db.execute("SELECT wrapped FROM keys").fetchone()
    db.close()
    assert found_in(tmp_path, wrapped) and not found_in(tmp_path, cipher.secret)
    vault.erase("alice")
    for trace in (wrapped, cipher.id, cipher.secret):
        assert not found_in(tmp_path, trace)


async def test_the_master_key_rotates_under_load_without_a_failed_request(vault: Vault, tmp_path: Path) -> None:
    reader = Vault.at(tmp_path)
    sealed = (await vault.cipher("alice")).seal("Ada", "o1", "delivery")
    before = (tmp_path / "keys" / "master").read_text()
    done, made = threading.Event(), [0]

    async def customers() -> None:
        while not done.is_set():
            assert reader.unseal(sealed, "o1", "delivery") == "Ada"
            await reader.cipher(f"customer-{made[0]}")
            made[0] += 1

    def rotate() -> None:
        for _ in range(10):
            vault.rotate()
        done.set()

    await asyncio.gather(customers(), asyncio.to_thread(rotate))
    assert vault.rotate() == made[0] + 1
    master = (tmp_path / "keys" / "master").read_text()
    assert len(master.splitlines()) == 1 and master != before
    fresh = Vault.at(tmp_path)
    assert [await fresh.cipher(f"customer-{number}") for number in range(made[0])]


async def test_a_rotation_cut_short_loses_nothing(vault: Vault, tmp_path: Path) -> None:
    sealed = (await vault.cipher("alice")).seal("Ada", "o1", "delivery")
    file = MasterFile(tmp_path / "keys" / "master")
    file.write([Master.new(), *file.read()])
    assert vault.unseal(sealed, "o1", "delivery") == "Ada"
    vault.rotate()
    assert Vault.at(tmp_path).unseal(sealed, "o1", "delivery") == "Ada"


def test_nobody_else_may_read_the_keys(vault: Vault, tmp_path: Path) -> None:
    for path in (tmp_path / "keys" / "master", tmp_path / "vault.db"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_that_make_a_master_key_at_once_make_one(tmp_path: Path) -> None:
    file = MasterFile(tmp_path / "master")
    file.make()
    before = file.read()
    file.make()
    assert file.read() == before
    assert os.listdir(tmp_path) == ["master"]


@pytest.mark.parametrize("content", [None, "", "x", "a b c", "a AAAA"])
def test_a_service_without_a_master_key_does_not_start(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "keys").mkdir()
    if content is not None:
        (tmp_path / "keys" / "master").write_text(content)
    with pytest.raises(SettingsError):
        Vault.at(tmp_path)


def found_in(folder: Path, trace: bytes) -> bool:
    return any(trace in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_cipher_does_not_show_its_secret() -> None:
    assert "secret" not in repr(Cipher(b"12345678", b"secret"))


@pytest.mark.parametrize(
    "said",
    [
        {"email": "x"},
        {"body": {"delivery": {"name": "Ada"}}},
        {"lines": [{"Payment_Token": "x"}]},
        {"error": "no such user: ada.l+x@example.co.uk"},
        {"exception": "ValueError: Bearer abc.def"},
        {"error": "claims of eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"},  # pragma: allowlist secret
        {"error": "redis://order:hunter2@127.0.0.1:1 is away"},  # pragma: allowlist secret
        {"error": ValueError("tok_4242 was refused")},
        {"error": b"tok_4242"},
        {"error": "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"},  # pragma: allowlist secret
    ],
)
def test_a_log_line_masks_what_is_personal_or_secret(said: dict[str, Any]) -> None:
    line = json.dumps(masked(said))
    assert MASK in line
    for secret in ("Ada", "ada", "abc", "eyJ", "hunter2", "4242", "MIIE", '"x"'):
        assert secret not in line


def test_a_log_line_keeps_everything_else() -> None:
    said = {
        "event": "gap",
        "at": "order.events/3@17",
        "seconds": 1.5,
        "order": "ord_12",
        "url": "http://127.0.0.1:1/a@b",
    }
    assert masked(said) == said
