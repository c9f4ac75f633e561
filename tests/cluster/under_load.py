"""`make cluster-faults`: what becomes of an installation that is restarted, upgraded, scaled and killed under a constant load.

ORDERLY_URL has to lead to the gateway's Service (a NodePort, an ingress): a forwarded port would end with its pod. It wants the
values of tests/cluster/values.yaml: two gateways, no limit on requests.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from pathlib import Path

import aiohttp

from laws.journal import Journal
from orderly.api import Api
from orderly.failure import Failure
from tests.cluster.disruptions import Disruption, Site
from tests.cluster.installed import Installed
from tests.faults.campaign import ANSWER_WITHIN, SETTLE_WITHIN, prepare
from tests.faults.customer import Customers
from tests.faults.load import Load
from tests.faults.plan import NONE_FAILS, Round
from tests.faults.recovery import Struck, Told, measure, report, table
from tests.faults.wishes import CUSTOMERS, wishes

CALM = 15.0  # seconds of load before the first, and after each
TOKENS_EVERY = 300.0  # seconds; they live for 15 minutes


@dataclass
class Outcome:
    orders: list[Told] = field(default_factory=list)
    struck: list[Struck] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rows = report(found for it in self.struck if (found := measure(it, self.orders)) is not None)
        errors = Counter(what for order in self.orders for _, what in order.errors)
        told = ", ".join(f"{count} × {what}" for what, count in errors.most_common()) or "none"
        late = max((order.sent - order.due for order in self.orders), default=0.0)
        sums = f"{len(self.orders)} orders, sent up to {late:.1f} s too late; client errors: {told}"
        return "\n".join((table(rows), "", sums, *self.broken()))

    def broken(self) -> Iterator[str]:
        """Each request that failed although none was to, by the time of day: what the pods' logs are searched for."""
        began = time.time() - time.monotonic()
        for it in self.struck:
            if any(fault.promise == NONE_FAILS for fault in it.round.faults):
                for at, what in sorted(error for order in self.orders for error in order.errors):
                    if it.at <= at < it.until:
                        moment = datetime.fromtimestamp(began + at, UTC)
                        yield f"  {moment:%H:%M:%S.%f} {it.round}, after {at - it.at:.2f} s: {what}"

    @property
    def verdict(self) -> str:
        return (
            "\n".join(f"  ✗ {it}" for it in self.wrong)
            or "0 acknowledged orders lost, all laws hold, every order ended"
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.under_load", description=__doc__)
    parser.add_argument("--rate", type=float, default=20.0, help="orders per second (default %(default)s)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of what customers want (default: the time)")
    parser.add_argument("--only", default="", help="only what has one of these words in its name: kill,redis")
    parser.add_argument("--times", type=int, default=1, help="how often all of it is done (default %(default)s)")
    parser.add_argument("--next-tag", default="", help="the image's tag to upgrade to (default: the same again)")
    given = parser.parse_args()
    installed, url = Installed.named(), os.environ.get("ORDERLY_URL", "")
    if missing := installed.missing() or ("" if url else "ORDERLY_URL has to lead to the gateway's Service"):
        print(f"✗ {missing}", file=sys.stderr)
        return 2
    words = [word for word in given.only.split(",") if word]
    chosen = [
        it
        for it in Site(installed, given.next_tag).disruptions()
        if not words or any(word in str(it.fault) for word in words)
    ]
    journals = Path(tempfile.mkdtemp(prefix="orderly-under-load-"))
    outcome = asyncio.run(run(journals, url, chosen * given.times, given.rate, given.seed))
    print(f"\n{outcome}\n\nchecking the laws …", flush=True)
    _, found = installed.verify(journals)
    outcome.wrong += [f"{it['id']} {it['verdict']}: {it['first']}" for it in found["laws"] if it["verdict"] != "holds"]
    print(outcome.verdict)
    return 1 if outcome.wrong else 0


async def run(journals: Path, url: str, disruptions: list[Disruption], rate: float, seed: int) -> Outcome:
    outcome = Outcome()
    tokens = await asyncio.to_thread(prepare, url)
    patience = aiohttp.ClientTimeout(total=ANSWER_WITHIN)
    connections = aiohttp.TCPConnector(limit=0)
    with Journal(journals / f"under-load-{seed}.jsonl") as journal:
        async with aiohttp.ClientSession(url, connector=connections, timeout=patience) as session:
            customers = Customers(session, tokens, journal)
            load = Load(customers, wishes(seed), rate)
            working = [asyncio.create_task(load.run()), asyncio.create_task(renew(tokens, url))]
            try:
                await strike(disruptions, load, outcome)
            finally:
                for task in working:
                    task.cancel()
                await asyncio.gather(*working, return_exceptions=True)
            late = await load.settle(SETTLE_WITHIN)
    outcome.orders, outcome.wrong = load.told, list(customers.surprises)
    if late:
        outcome.wrong.append(f"{late} orders had not ended {SETTLE_WITHIN:.0f} s after the last")
    return outcome


async def strike(disruptions: list[Disruption], load: Load, outcome: Outcome) -> None:
    """The next one waits until what the last one held up has ended."""
    began = time.monotonic()
    await asyncio.sleep(CALM)
    outcome.struck.append(Struck(Round((), CALM), began, time.monotonic()))
    for disruption in disruptions:
        began = time.monotonic()
        print(f"{disruption.fault} …", end=" ", flush=True)
        await asyncio.to_thread(disruption.strike)
        print(f"ready after {time.monotonic() - began:.0f} s", flush=True)
        await asyncio.sleep(CALM)
        await caught_up(load)
        outcome.struck.append(Struck(Round((disruption.fault,), CALM), began, time.monotonic()))


async def caught_up(load: Load) -> None:
    for _ in range(int(SETTLE_WITHIN)):
        held_up = time.monotonic() - CALM
        if not any(it.completed == inf and it.due < held_up for it in load.told):
            return
        await asyncio.sleep(1.0)


async def renew(tokens: dict[str, str], url: str) -> None:
    while True:
        await asyncio.sleep(TOKENS_EVERY)
        try:
            tokens |= await asyncio.to_thread(lambda: {name: Api(url, name).token() for name in CUSTOMERS})
        except Failure:  # asked again, long before they end
            continue


if __name__ == "__main__":
    sys.exit(main())
