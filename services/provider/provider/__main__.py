"""`python -m provider` serves; `python -m provider ledger --data DIR` prints the ledger, one JSON object a line."""

import sys
from pathlib import Path

import msgspec

from common.errors import LogError
from provider import ledger


def print_ledger(data: Path) -> None:
    try:
        for entry in ledger.read(data):
            sys.stdout.buffer.write(msgspec.json.encode(entry) + b"\n")
    except LogError as error:
        sys.stderr.write(f"provider: {error}\n")
        raise SystemExit(2) from None


def serve() -> None:
    from common.main import main  # here, so that the ledger is printed without loading a server
    from provider.app import build
    from provider.settings import Settings

    main("provider", Settings, build)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ledger", "--data", data]:
            print_ledger(Path(data))
        case _:
            serve()
