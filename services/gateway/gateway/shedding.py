"""Sheds load at the edge: what cannot be served soon is refused at once, with 503 and Retry-After, before queues grow.

One gate for each upstream, whose limit follows its latency (common.resilience.gradient). A burst waits in line for up to
PATIENCE; who comes while the line stands longer is refused. Requests that were asked to wait, and streams, are not measured
here: being slow is their purpose. They have a compartment of their own in the bulkhead.
"""

import contextlib
from collections.abc import AsyncIterator, Callable

from common.errors import Refused
from common.resilience.gate import Gate
from common.resilience.gradient import FIRST, MOST, Gradient
from common.telemetry import metrics

PATIENCE = 2.0  # seconds


class Edge:
    """Before one upstream. `clock` in seconds, never backwards."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self._gate = Gate(f"gateway to {name}", FIRST, MOST, PATIENCE)
        self._gradient = Gradient(self._gate, clock)
        self._clock = clock
        self._shed = metrics.GATEWAY_SHED.labels(name)
        metrics.GATEWAY_LIMIT.labels(name).set_function(lambda: self._gate.limit)

    @contextlib.asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Raises Refused when it would have to wait too long."""
        try:
            await self._gate.enter()
        except Refused:
            self._shed.inc()
            raise
        begun = self._clock()
        try:
            yield
        finally:
            self._gate.leave()
            self._gradient.observe(self._clock() - begun)
