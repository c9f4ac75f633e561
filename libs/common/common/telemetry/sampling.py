"""Which traces are recorded: OpenTelemetry's samplers, by the names that its environment variables have.

The decision is made where a trace begins, and travels with it (parentbased_…, which is the default). A share is taken by the
trace id, so that everybody who decides anew decides the same. Errors are kept by the collector, which sees whole traces: see
deploy/observability/jaeger-sampling.yaml.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from common import tracecontext
from common.errors import SettingsError

NAMES = ("always_on", "always_off", "traceidratio")
_PARENT_BASED = "parentbased_"
_WHOLE = 1 << 64


@dataclass(frozen=True, slots=True)
class Sampling:
    """`share`: of the traces, 0 to 1. `follows`: whether what the parent's flag says goes before it."""

    share: float = 1.0
    follows: bool = True

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Sampling":
        """Raises SettingsError for a sampler that there is not, and for an argument that is no share."""
        said = environ.get("OTEL_TRACES_SAMPLER") or _PARENT_BASED + "always_on"
        name, follows = said.removeprefix(_PARENT_BASED), said.startswith(_PARENT_BASED)
        if name not in NAMES:
            raise SettingsError(
                f"OTEL_TRACES_SAMPLER: {said!r}; there are {', '.join(NAMES)}, also as {_PARENT_BASED}…"
            )
        if name != "traceidratio":
            return cls(float(name == "always_on"), follows)
        text = environ.get("OTEL_TRACES_SAMPLER_ARG") or "1"
        try:
            share = float(text)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            raise SettingsError(f"OTEL_TRACES_SAMPLER_ARG: {text!r} is no share; it is a number from 0 to 1")
        return cls(share, follows)

    def keeps(self, trace_id: str, parent: str) -> bool:
        """`parent`: its traceparent; empty: the trace begins here."""
        if parent and self.follows:
            return tracecontext.sampled(parent)
        return self.share == 1.0 or int(trace_id[16:], 16) < self.share * _WHOLE
