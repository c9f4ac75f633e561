"""What a platform is to be made of: its engine, its brokers, and how many processes play each role."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.settings import ENGINES
from common.topology import GATEWAY, INVENTORY, ORDER, PAYMENT, PROCESSING_SERVICES, PROVIDER, REGISTRY
from orderly.failure import Failure

START_ORDER = (PROVIDER, INVENTORY, PAYMENT, ORDER, GATEWAY)
ALL = "all"
PARTS = ("api", "processor", "projector")
MOST = 16  # processes of one role: more than partitions would only sleep
SCALE_ADVICE = "write SERVICE=N, or SERVICE.ROLE=N with a role of " + ", ".join(PARTS)


@dataclass(frozen=True, slots=True)
class Post:
    """One process of the platform. `slot` tells those of one service and role apart, over restarts too."""

    service: str
    role: str
    slot: int
    name: str

    @property
    def answers(self) -> bool:
        """It has an API."""
        return self.role in (ALL, "api")


@dataclass(frozen=True, slots=True)
class Shape:
    """`engine` "" and `brokers` 0: as the data folder was made, else embedded and 1. `scale`: words as `order.processor=2`.

    `durable`: the private broker writes to disk before it acknowledges. `secure`: the private servers let in only whom they
    know, and let them do only what they need; once for a data folder is for good.
    """

    engine: str = ""
    brokers: int = 0
    scale: Sequence[str] = ()
    durable: bool = False
    secure: bool = False

    def differs(self, running: "Shape") -> bool:
        """Whether it asks for anything that the running one is not."""
        asked = (self.engine, self.brokers, tuple(sorted(self.scale)), self.durable, self.secure)
        there = (running.engine, running.brokers, tuple(sorted(running.scale)), running.durable, running.secure)
        return any(wanted and wanted != found for wanted, found in zip(asked, there, strict=True))

    def arguments(self) -> list[str]:
        """For the supervisor's command line."""
        words = ["--engine", self.engine]
        words += ["--brokers", str(self.brokers)] if self.brokers else []
        words += ["--durable"] if self.durable else []
        words += ["--secure"] if self.secure else []
        return words + [word for it in self.scale for word in ("--scale", it)]

    def check(self) -> None:
        """Raises Failure for what cannot be."""
        if self.engine not in ("", *ENGINES):
            raise Failure(f"there is no engine {self.engine!r}", f"there are: {', '.join(ENGINES)}")
        if self.brokers not in (0, 1, 3):
            raise Failure(f"{self.brokers} brokers", "one, or three: then one may be down and nothing stops")
        self.posts()

    def posts(self) -> list[Post]:
        """In the order in which they are started. A service of which a role is scaled is split: each role has processes of
        its own, one where nothing else is said. Where a service has several APIs, a registry knows where they are."""
        scale = _parse(self.scale)
        found: list[Post] = []
        for service in START_ORDER:
            roles = scale[service] or {ALL: 1}
            wanted = roles if ALL in roles else {part: roles.get(part, 1) for part in PARTS}
            for role, count in wanted.items():
                base = service if role == ALL else f"{service}-{role}"
                found += [
                    Post(service, role, slot, base if count == 1 else f"{base}-{slot + 1}") for slot in range(count)
                ]
        return [Post(REGISTRY, ALL, 0, REGISTRY), *found] if replicated(found) else found


def replicated(posts: Sequence[Post]) -> frozenset[str]:
    """The services with several APIs, each with a socket of its own. Those of the gateway share the public one."""
    apis = Counter(it.service for it in posts if it.answers and it.service != GATEWAY)
    return frozenset(service for service, count in apis.items() if count > 1)


def _parse(words: Sequence[str]) -> Mapping[str, dict[str, int]]:
    scale: dict[str, dict[str, int]] = defaultdict(dict)
    for word in words:
        said = re.fullmatch(r"([a-z]+)(?:\.([a-z]+))?=(\d{1,3})", word)
        service, role, count = said.groups() if said else ("", None, "0")
        if service not in START_ORDER or role not in (None, *PARTS) or not 1 <= int(count) <= MOST:
            raise Failure(f"--scale {word}: no service, no role, or no number from 1 to {MOST}", SCALE_ADVICE)
        if service not in PROCESSING_SERVICES and role is not None:
            raise Failure(f"--scale {word}: {service} has one role only", SCALE_ADVICE)
        if service == PROVIDER and int(count) > 1:
            raise Failure(f"--scale {word}: the simulated provider is one process", SCALE_ADVICE)
        scale[service][role or ALL] = int(count)
    for service, roles in scale.items():
        if ALL in roles and len(roles) > 1:
            raise Failure(f"--scale {service}: either whole processes or its roles, not both", SCALE_ADVICE)
    return scale
