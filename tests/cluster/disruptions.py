"""What is done to an installation under load, one after the other, and what is promised of each (the targets of the design)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from common.topology import GATEWAY, PROCESSING_SERVICES, SERVICES
from tests.cluster.installed import Installed
from tests.faults.cards import ONLY_BROKER, PROCESS, REDIS
from tests.faults.plan import NONE_FAILS, Fault, Promise

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "orderly"
SEVERAL = 3
REPLICA = Promise(1.0)  # one of two gateways: no longer than it takes to ask the other one
VERSION = r"workload.podAnnotations.orderly\.dev/version"


@dataclass(frozen=True, slots=True)
class Disruption:
    """`strike` returns when all is ready again."""

    fault: Fault
    strike: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Site:
    """An installation with two gateways. `next_tag`: of the image to upgrade to; without one, equal pods replace them."""

    installed: Installed
    next_tag: str = ""

    def disruptions(self) -> Iterator[Disruption]:
        for service in SERVICES:
            yield self._of("restart", service, self.restart, NONE_FAILS)
        yield Disruption(Fault("helm", "upgrade", promise=NONE_FAILS), self.upgrade)
        yield Disruption(Fault("helm", "rollback", promise=NONE_FAILS), self.roll_back)
        for service in PROCESSING_SERVICES:
            yield self._of("scale 1-3-1", service, self.stretch, NONE_FAILS)
        for service in SERVICES:
            yield self._of("kill", service, self.kill, REPLICA if service == GATEWAY else PROCESS)
        yield self._of("delete", "kafka", self.delete, ONLY_BROKER)
        yield self._of("kill", "kafka", self.kill, ONLY_BROKER)
        yield self._of("delete", "redis", self.delete, REDIS)
        yield self._of("kill", "redis", self.kill, REDIS)

    def _of(self, kind: str, component: str, strike: Callable[[str], None], promise: Promise) -> Disruption:
        return Disruption(Fault(kind, component, promise=promise), partial(strike, component))

    def restart(self, component: str) -> None:
        self.installed.kubectl("rollout", "restart", self.installed.workload(component))
        self.installed.rolled_out(component)

    def stretch(self, component: str) -> None:
        for count in (SEVERAL, 1):
            self.installed.scale(component, count)

    def kill(self, component: str) -> None:
        """As `kill -9` does: nobody is asked to end."""
        self._without(component, "--grace-period", "0", "--force")

    def delete(self, component: str) -> None:
        self._without(component)

    def _without(self, component: str, *how: str) -> None:
        self.installed.kubectl("delete", "pod", self.installed.pod(component), *how)
        self.installed.rolled_out(component)

    def upgrade(self) -> None:
        tag = ["--set-string", f"image.tag={self.next_tag}"] if self.next_tag else []
        self._helm("upgrade", str(CHART), "--reset-then-reuse-values", "--set-string", f"{VERSION}=next", *tag)

    def roll_back(self) -> None:
        self._helm("rollback")

    def _helm(self, verb: str, *words: str) -> None:
        self.installed.helm(verb, self.installed.release, *words, "--wait", "--timeout", "5m")
