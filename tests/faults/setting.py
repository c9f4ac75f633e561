"""What a campaign runs on, how hard, and for how long."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orderly.shape import Shape

SCALED = ("order=2", "payment.processor=2")  # two owners side by side, whole and split into roles


@dataclass(frozen=True, slots=True)
class Setting:
    """`rate`: orders per second; `seconds`: how long new trouble comes; `scale`: as `orderly up --scale` has it."""

    engine: str = "embedded"
    brokers: int = 1
    scale: Sequence[str] = ()
    rate: float = 50.0
    seconds: float = 60.0

    @property
    def lease(self) -> float:
        """Seconds after which the silent are fenced: short, so that a freeze need not be long, and long enough for processes
        that share a machine with a JVM."""
        return 3.0 if self.engine == "kafka" else 1.5

    @property
    def shape(self) -> Shape:
        return Shape(self.engine, self.brokers if self.engine == "kafka" else 0, tuple(self.scale))

    def environment(self) -> Mapping[str, str]:
        return {"ORDERLY_RATE_LIMIT": "off", "ORDERLY_LEASE_MS": str(round(self.lease * 1000))}

    def __str__(self) -> str:
        brokers = f", {self.brokers} broker{'s' * (self.brokers > 1)}" if self.engine == "kafka" else ""
        scaled = f", {' '.join(self.scale)}" if self.scale else ""
        return f"{self.engine}{brokers}{scaled}, {self.rate:g} orders/s"
