"""Imports structlog without rich, which it would bring along for coloured tracebacks: 3 MB a process, shown by no service.

To be imported before anything that imports structlog. Whoever wants rich itself still gets it.
"""

import sys

_hidden = "rich" not in sys.modules
if _hidden:
    sys.modules["rich"] = None  # type: ignore[assignment]  # the import system's own way to say that there is none

import structlog  # noqa: E402, F401

if _hidden:
    del sys.modules["rich"]
