"""A vault of a test's own."""

from pathlib import Path

from common.security.master import MasterFile
from common.security.vault import Vault


def vault_in(folder: Path) -> Vault:
    MasterFile(folder / "keys" / "master").make()
    return Vault.at(folder)
