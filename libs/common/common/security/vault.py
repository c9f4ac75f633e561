"""Seals what is personal under a key of its customer, and forgets it by deleting that key.

    sealed = "v1." base64url(key id · nonce · AES-256-GCM(customer's key, text; order id, field))

A customer's key is wrapped by the master key, bound to the customer, and stands in one SQLite file: the only place. No process
keeps one, so what is erased is erased for all of them at once. A sealed text opens as what it was sealed as and as nothing
else: not for another order, field or customer.

Deleted means: overwritten in the file (secure_delete), and its write-ahead log emptied. A backup of that file made before must
be deleted too; nothing else holds anything that helps.
"""

import asyncio
import base64
import hashlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.errors import OrderlyError, Unavailable, Undecodable
from common.messages import Sealed
from common.security.master import Master, MasterFile
from common.settings import Keeping

VERSION = "v1."
ID, NONCE = 8, 12  # bytes; a random nonce is safe for 2^32 texts under one key (NIST SP 800-38D, 8.3)
PATIENCE = 5.0  # seconds for another writer

_TABLE = """CREATE TABLE IF NOT EXISTS keys
    (customer TEXT PRIMARY KEY, id BLOB NOT NULL UNIQUE, master TEXT NOT NULL, wrapped BLOB NOT NULL)"""

Row = tuple[str, bytes, str, bytes]


class Erased(OrderlyError):
    """The key was deleted, as its customer wished. Nobody can read this any more."""


@dataclass(frozen=True, slots=True)
class Cipher:
    """The key of one customer, for as long as one request lasts."""

    id: bytes
    secret: bytes = field(repr=False)

    def seal(self, text: str, order_id: str, name: str) -> Sealed:
        nonce = os.urandom(NONCE)
        sealed = AESGCM(self.secret).encrypt(nonce, text.encode(), _about(order_id, name))
        return VERSION + base64.urlsafe_b64encode(self.id + nonce + sealed).decode()

    def fingerprint(self, content: bytes) -> str:
        """The same for the same content of this customer; without the key nobody can try what the content may have been."""
        key = hashlib.blake2b(b"fingerprint", key=self.secret).digest()
        return hashlib.blake2b(content, key=key, digest_size=16).hexdigest()


class Vault:
    """The keys of all customers. May be shared between threads, and the file between processes.

    Every method raises Unavailable when the file cannot be used now, SettingsError without a master key.
    """

    def __init__(self, path: Path, master: MasterFile) -> None:
        self._path = path
        self._master = master
        self._masters: dict[str, Master] = {}  # as the file had them when one was last missing here
        self._reading, self._writing = threading.Lock(), threading.Lock()
        with self._explained():
            self._writer = _connect(path)
            path.chmod(0o600)
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.execute("PRAGMA secure_delete = ON")
            self._writer.execute(
                "PRAGMA synchronous = FULL"
            )  # what is sealed with a key must not outlive it by accident
            self._writer.execute(_TABLE)
            self._reader = _connect(path)  # an event loop looks up keys, and must not wait for the disk under a new one

    @classmethod
    def of(cls, settings: Keeping) -> "Vault":
        return cls.at(settings.data, settings.master_key)

    @classmethod
    def at(cls, data: Path, master_key: Path | None = None) -> "Vault":
        master = MasterFile(master_key or data / "keys" / "master")
        master.read()
        return cls(data / "vault.db", master)

    async def cipher(self, customer: str) -> Cipher:
        """The customer's key, made now if there is none: then it is on disk before this returns."""
        found = self._find("customer", customer)
        return found if found is not None else await asyncio.to_thread(self._make, customer)

    def unseal(self, sealed: Sealed, order_id: str, name: str) -> str:
        """Raises Erased, or Undecodable for what was not sealed as this field of this order."""
        try:
            raw = base64.urlsafe_b64decode(sealed.removeprefix(VERSION)) if sealed.startswith(VERSION) else b""
        except ValueError:
            raw = b""
        id, nonce, text = raw[:ID], raw[ID : ID + NONCE], raw[ID + NONCE :]
        if not text:
            raise Undecodable(f"{name} of {order_id}: not sealed")
        cipher = self._find("id", id)
        if cipher is None:
            raise Erased(f"{name} of {order_id}: erased, as the customer wished")
        try:
            return AESGCM(cipher.secret).decrypt(nonce, text, _about(order_id, name)).decode()
        except InvalidTag:
            raise Undecodable(f"{name} of {order_id}: was changed, or sealed as something else") from None

    def erase(self, customer: str) -> bool:
        """False: there is no key of this customer. Raises Unavailable when a trace of it may be left: then ask again."""
        with self._explained(), self._writing:
            found = self._writer.execute("DELETE FROM keys WHERE customer = ?", (customer,)).rowcount
            busy, *_ = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise Unavailable(f"{self._path}: somebody reads it all the time; erase again to be sure")
        return bool(found)

    def rotate(self) -> int:
        """Wrap every key by a new master key, and forget the former ones. Returns how many keys there are.

        Cut short anywhere it has lost nothing: both master keys are in the file until the last key is wrapped anew.
        """
        fresh = Master.new()
        self._master.write([fresh, *self._master.read()])
        with self._transaction() as sql:
            rows: list[Row] = sql.execute("SELECT customer, id, master, wrapped FROM keys").fetchall()
            wrapped = [(fresh.id, _wrap(fresh, row[0], row[1], self._unwrapped(row).secret), row[1]) for row in rows]
            sql.executemany("UPDATE keys SET master = ?, wrapped = ? WHERE id = ?", wrapped)
        self._master.write([fresh])
        return len(rows)

    def close(self) -> None:
        self._reader.close()
        self._writer.close()

    def _find(self, column: Literal["customer", "id"], value: str | bytes) -> Cipher | None:
        try:
            return self._look(column, value)
        except Unavailable:  # the master key may have been rotated between the row and the file
            return self._look(column, value)

    def _look(self, column: str, value: str | bytes) -> Cipher | None:
        asked = f"SELECT customer, id, master, wrapped FROM keys WHERE {column} = ?"
        with self._explained(), self._reading:
            row = self._reader.execute(asked, (value,)).fetchone()
        return self._unwrapped(row) if row else None

    def _make(self, customer: str) -> Cipher:
        """One customer has one key, whoever makes it: repeated requests must find the same fingerprint."""
        with (
            self._transaction() as sql
        ):  # the master key is read inside: a rotation comes before or after, never between
            master, made = self._master.current(), Cipher(os.urandom(ID), AESGCM.generate_key(256))
            row = (customer, made.id, master.id, _wrap(master, customer, made.id, made.secret))
            sql.execute("INSERT OR IGNORE INTO keys (customer, id, master, wrapped) VALUES (?, ?, ?, ?)", row)
        found = self._find("customer", customer)
        if found is None:
            raise Unavailable(f"{self._path}: the customer's key was erased as it was made; ask again")
        return found

    def _unwrapped(self, row: Row) -> Cipher:
        customer, id, name, wrapped = row
        if name not in self._masters:
            self._masters = {it.id: it for it in self._master.read()}
        master = self._masters.get(name)
        if master is None:
            raise Unavailable(f"{self._path}: wrapped by master key {name}, which is not there; restore it")
        try:
            secret = AESGCM(master.secret).decrypt(wrapped[:NONCE], wrapped[NONCE:], _about(customer, id.hex()))
        except InvalidTag:
            raise Unavailable(f"{self._path}: a key does not unwrap with master key {name}; restore both") from None
        return Cipher(id, secret)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._explained(), self._writing:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise Unavailable(f"{self._path}: the customers' keys cannot be used now ({error})") from None


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, PATIENCE, isolation_level=None, check_same_thread=False)


def _wrap(master: Master, customer: str, id: bytes, secret: bytes) -> bytes:
    nonce = os.urandom(NONCE)
    return nonce + AESGCM(master.secret).encrypt(nonce, secret, _about(customer, id.hex()))


def _about(owner: str, name: str) -> bytes:
    return f"{owner}\0{name}".encode()
