"""How one upstream is asked: a setting, as `balancing=ewma hedge=0.05 breaker=0`; what it does not name stays as it is."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from common.balancing import STRATEGIES
from common.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Every guard can be switched off by itself, to see what it buys: see docs/patterns.md.

    `deadline`: seconds for a request, all attempts together. `bulkhead`: requests at once, and as many more may wait; 0: no
    limit. `breaker`: share of failures that opens it; 0: none. `attempts`: 1 means no retries. `retries`: share of the
    requests that may be tried again. `hedge`: seconds after which a read is asked of another endpoint too; 0: never.
    `ejection`: endpoints that fail while others do not are left out for a while. `zone`: ours; endpoints in it go first.
    `largest`: bytes of an answer.
    """

    balancing: str = "least_in_flight"
    zone: str = ""
    deadline: float = 10.0
    bulkhead: int = 256
    breaker: float = 0.5
    attempts: int = 3
    retries: float = 0.1
    hedge: float = 0.0
    ejection: bool = True
    largest: int = 8 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.balancing not in STRATEGIES:
            raise SettingsError(f"balancing {self.balancing!r}: it is one of {', '.join(STRATEGIES)}")

    def but(self, text: str) -> "Policy":
        """This policy with what `text` says. Raises SettingsError for what it does not understand."""
        kinds = get_type_hints(Policy)
        changes: dict[str, object] = {}
        for part in text.split():
            name, _, value = part.partition("=")
            try:
                changes[name] = _READERS[kinds[name]](value)
            except (KeyError, ValueError):
                raise SettingsError(f"policy {part!r}: it is one of {', '.join(kinds)}, and a value") from None
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]  # read by the types of the fields


def _boolean(text: str) -> bool:
    return {"on": True, "off": False}[text]


_READERS: Mapping[Any, Callable[[str], object]] = {str: str, float: float, int: int, bool: _boolean}
