"""The customers' keys from the command line's side: beside the services, whether they run or not."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from common import settings
from common.errors import OrderlyError
from common.security.vault import Vault
from orderly.failure import Failure
from orderly.folder import Folder


@contextmanager
def of(folder: Folder) -> Iterator[Vault]:
    """Raises Failure where there is none, or it cannot be used."""
    try:
        with closing(
            Vault.of(settings.read(settings.Keeping, {**os.environ, "ORDERLY_DATA": str(folder.root)}))
        ) as vault:
            yield vault
    except OrderlyError as error:
        raise Failure(str(error)) from None
