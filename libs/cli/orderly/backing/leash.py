"""Ends a program that knows nothing of us when whoever started it is gone, even by kill -9.

Such a program does not read its standard input, where `spawn` puts the pipe that ends with us. A shell of its own process group
reads it instead, gives those who write their last records a moment, and ends the group; at once, if nobody else is left in it.
"""

from collections.abc import Sequence

MOMENT = 3  # seconds
SCRIPT = f'exec 3<&0 </dev/null; {{ read -r _ <&3; kill -0 $$ && sleep {MOMENT}; kill 0; }} & exec "$@" 3<&-'


def leashed(command: Sequence[str]) -> Sequence[str]:
    """The process that runs it becomes the program: its pid is the one to signal."""
    return ("sh", "-c", SCRIPT, "sh", *command)
