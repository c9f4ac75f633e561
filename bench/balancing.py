"""Load spread and latency of each balancing strategy with one slow replica among five: docs/pictures/balancing.svg and a table.

    .venv/bin/python bench/balancing.py

Virtual time and fixed seeds: the same figures on every machine. The balancer is the real one; only the replicas are simulated.
Each serves four requests at once, in 20 ms on average (exponential), the slow one in 100 ms; what is beyond that queues. Four
clients, who know nothing of each other, ask together 200 times a second (Poisson); the keys are those of 1000 products (Zipf).
"""

import argparse
import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bars import Bar, Panel, picture

from common.balancing import STRATEGIES, Candidate
from common.balancing.balancer import Balancer
from common.discovery import Endpoint

REPLICAS, SLOW = 5, 0
USUAL, FACTOR, WORKERS = 0.02, 5.0, 4
CLIENTS, ARRIVALS, PRODUCTS = 4, 200.0, 1000
WARM_UP = 10.0  # seconds that are not counted
PICTURE = Path(__file__).parents[1] / "docs/pictures/balancing.svg"


@dataclass
class Case:
    """What is compared. `weights` and `zones` by replica."""

    name: str
    strategy: str
    weights: Sequence[float] = (1.0,) * REPLICAS
    zones: Sequence[str] = ("",) * REPLICAS
    zone: str = ""


CASES = (
    Case("round_robin", "round_robin"),
    Case("weighted, told the truth", "weighted", weights=(1 / FACTOR, 1, 1, 1, 1)),
    Case("least_in_flight", "least_in_flight"),
    Case("two_choices", "two_choices"),
    Case("ewma", "ewma"),
    Case("consistent_hash, bounded", "consistent_hash"),
    Case("zone of 3, least_in_flight", "least_in_flight", zones=("a", "a", "a", "b", "b"), zone="a"),
)


@dataclass
class World:
    """Events in the order of their time."""

    now: float = 0.0
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), event))

    def run(self, seconds: float) -> None:
        while self._events and self._events[0][0] <= seconds:
            self.now, _, event = heapq.heappop(self._events)
            event()


@dataclass
class Replica:
    world: World
    mean: float
    dice: random.Random
    busy: int = 0
    queue: "deque[Callable[[], None]]" = field(default_factory=deque)

    def take(self, done: Callable[[], None]) -> None:
        if self.busy < WORKERS:
            self.busy += 1
            self.world.after(self.dice.expovariate(1 / self.mean), lambda: self._finish(done))
        else:
            self.queue.append(done)

    def _finish(self, done: Callable[[], None]) -> None:
        self.busy -= 1
        done()
        if self.queue:
            self.take(self.queue.popleft())


def simulate(case: Case, seconds: float, seed: int) -> tuple[list[float], list[int]]:
    """Latencies, and requests by replica."""
    dice, world = random.Random(seed), World()
    replicas = [Replica(world, USUAL * (FACTOR if number == SLOW else 1), dice) for number in range(REPLICAS)]
    endpoints = [Endpoint(str(number), case.zones[number], case.weights[number]) for number in range(REPLICAS)]
    clients = [
        Balancer(STRATEGIES[case.strategy], case.zone, False, lambda: world.now, random.Random(seed + number))
        for number in range(CLIENTS)
    ]
    for client in clients:
        client.update(endpoints)
    popularity = list(itertools.accumulate(1 / rank for rank in range(1, PRODUCTS + 1)))
    latencies: list[float] = []
    served = [0] * REPLICAS

    def arrive() -> None:
        client = dice.choice(clients)
        candidate = client.pick(str(dice.choices(range(PRODUCTS), cum_weights=popularity)[0]))
        begun = client.begin(candidate)
        replicas[int(candidate.endpoint.address)].take(lambda: finish(client, candidate, begun))
        world.after(dice.expovariate(ARRIVALS), arrive)

    def finish(client: Balancer, candidate: Candidate, begun: float) -> None:
        client.end(candidate, begun, True)
        if begun > WARM_UP:
            latencies.append(world.now - begun)
            served[int(candidate.endpoint.address)] += 1

    arrive()
    world.run(WARM_UP + seconds)
    return sorted(latencies), served


def main(seconds: float, seed: int) -> None:
    panels = (
        Panel("share of the requests, the slow replica in red", "%"),
        Panel("latency, p50 and p99, logarithmic", "ms", log=True),
    )
    print("| strategy | to the slow one | to each of the others | p50 ms | p99 ms |\n|---|---|---|---|---|")
    for case in CASES:
        latencies, served = simulate(case, seconds, seed)
        shares = [100 * count / sum(served) for count in served]
        others = [share for number, share in enumerate(shares) if number != SLOW]
        p50, p99 = (latencies[int(len(latencies) * share)] * 1000 for share in (0.5, 0.99))
        spread = f"{min(others):.0f} to {max(others):.0f} %"
        print(f"| {case.name} | {shares[SLOW]:.1f} % | {spread} | {p50:.0f} | {p99:,.0f} |")
        panels[0].bars.append(Bar(case.name, shares, slow=SLOW))
        panels[1].bars.append(Bar(case.name, [p50, p99]))
    title = "Five replicas, one of them five times slower"
    PICTURE.write_text(picture(title, panels))
    print(f"\n{PICTURE.relative_to(Path.cwd()) if PICTURE.is_relative_to(Path.cwd()) else PICTURE}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Load spread and latency of each balancing strategy.")
    parser.add_argument("--seconds", type=float, default=300.0, help="of virtual time")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    main(chosen.seconds, chosen.seed)
