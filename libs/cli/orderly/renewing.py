"""One step in the life of the platform's certificates, as a process: `python -m orderly.renewing DATA [--secure]`.

Prints in how many seconds the next one is due. `--secure`: our Kafka and Redis have certificates too, and are told of new ones,
since they look at no file by themselves.
"""

import sys
from pathlib import Path

from common.clock import system_clock
from common.errors import OrderlyError
from orderly import runfile
from orderly.certificates import Store
from orderly.folder import Folder


def main() -> None:
    folder, secure = Folder(Path(sys.argv[1])), "--secure" in sys.argv[2:]
    try:
        due = Store(folder.certificates, secure=secure).step()
        run = runfile.read(folder) if secure else None
        if run is not None and run.servers.secure and run.leftovers():
            from orderly.backing import telling  # only now: it imports what few need

            telling.new_certificates(folder, run.servers)
    except (OSError, ValueError, OrderlyError) as error:
        sys.exit(str(error))
    print(max(0.1, (due - system_clock()) / 1000 + 0.1))


if __name__ == "__main__":
    main()
