"""One seed from a new platform to the verdict: load, trouble, peace, and then the laws."""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from laws import Verdict
from laws.journal import Journal
from orderly import launcher, records, verification
from orderly.api import Api
from orderly.folder import Folder
from orderly.runfile import Run
from tests.faults import inflict
from tests.faults.cards import cards
from tests.faults.customer import Customers
from tests.faults.load import Load
from tests.faults.plan import plan
from tests.faults.poison import Poisoner
from tests.faults.recovery import Recovery, Struck, Told, measure
from tests.faults.setting import Setting
from tests.faults.wishes import CUSTOMERS, SCARCE, SHELVES, wishes

WARM_UP = 3.0  # seconds of load before the first fault
ENOUGH, SCARCELY = 10_000_000, 30
ANSWER_WITHIN = 10.0  # seconds, then the client asks again
SETTLE_WITHIN = 120.0  # seconds after the last fault: generous, for machines that are busy with something else
PRICE = {"amount": 1999, "currency": "EUR"}


@dataclass
class Outcome:
    seed: int
    setting: Setting
    orders: Sequence[Told] = ()
    struck: list[Struck] = field(default_factory=list)
    verdicts: Sequence[Verdict] = ()
    complaints: list[str] = field(default_factory=list)

    @property
    def recoveries(self) -> list[Recovery]:
        return [found for struck in self.struck if (found := measure(struck, self.orders)) is not None]

    @property
    def wrong(self) -> list[str]:
        """Empty: all laws hold, every order ended, nobody was surprised."""
        broken = [f"{it.id} {it.verdict}: {it.law}: {it.first}" for it in self.verdicts if it.verdict != "holds"]
        return [*self.complaints, *broken, *([] if self.verdicts else ["no law was checked"])]

    def __str__(self) -> str:
        errors = Counter(what for order in self.orders for _, what in order.errors)
        faults = sum(len(struck.round.faults) for struck in self.struck)
        told = ", ".join(f"{count} × {what}" for what, count in errors.most_common()) or "none"
        late = max((order.sent - order.due for order in self.orders), default=0.0)
        overdue = f", sent up to {late:.0f} s too late" if late > 1 else ""
        return f"seed {self.seed}: {len(self.orders)} orders{overdue}, {faults} faults; client errors: {told}"


def run(seed: int, setting: Setting, data: Path) -> Outcome:
    """The platform is stopped when it returns; its data stays."""
    folder = Folder.at(data)
    outcome = Outcome(seed, setting)
    with _environment(setting.environment()), _platform(folder, setting) as platform, records.log_of(folder) as log:
        poisoner = Poisoner(log, random.Random(f"poison {seed}"))
        asyncio.run(_suffer(platform, inflict.Trouble(folder, poisoner), setting, outcome))
        outcome.verdicts = verification.verify(folder, SETTLE_WITHIN)
        outcome.complaints += poisoner.complaints()
    return outcome


async def _suffer(platform: Run, trouble: inflict.Trouble, setting: Setting, outcome: Outcome) -> None:
    tokens = await asyncio.to_thread(prepare, platform.base_url)
    patience = aiohttp.ClientTimeout(total=ANSWER_WITHIN)
    with Journal(Folder.at(Path(platform.data_dir)).journals / f"faults-{outcome.seed}.jsonl") as journal:
        async with aiohttp.ClientSession(
            platform.base_url, connector=aiohttp.TCPConnector(limit=0), timeout=patience
        ) as session:
            customers = Customers(session, tokens, journal)
            load = Load(customers, wishes(outcome.seed), setting.rate)
            loading = asyncio.create_task(load.run())
            try:
                await _rounds(trouble, setting, outcome)
            finally:
                loading.cancel()
                await asyncio.gather(loading, return_exceptions=True)
            late = await load.settle(SETTLE_WITHIN)
    outcome.orders = load.told
    outcome.complaints += customers.surprises
    if late:
        outcome.complaints.append(f"{late} orders had not ended {SETTLE_WITHIN:.0f} s after the last fault")


async def _rounds(trouble: inflict.Trouble, setting: Setting, outcome: Outcome) -> None:
    await asyncio.sleep(WARM_UP)
    ends = time.monotonic() + setting.seconds
    for round in plan(outcome.seed, cards(setting)):
        began = time.monotonic()
        if began + round.seconds > ends:
            return
        await trouble.round(round)
        outcome.struck.append(Struck(round, began, time.monotonic()))


def prepare(base_url: str) -> dict[str, str]:
    """Full shelves, one that is not, and a token for each customer."""
    operator = Api(base_url, "operator")
    for sku in (*SHELVES, SCARCE):
        operator.send("PUT", f"/v1/products/{sku}", {"name": sku, "price": PRICE})
        quantity = SCARCELY if sku == SCARCE else ENOUGH
        operator.send("POST", f"/v1/products/{sku}/receipts", {"quantity": quantity}, key=f"faults-{sku}")
    return {name: Api(base_url, name).token() for name in CUSTOMERS}


@contextmanager
def _platform(folder: Folder, setting: Setting) -> Iterator[Run]:
    """It lives no longer than this process, however that ends."""
    launch = launcher.bring_up(
        folder, setting.shape, port=None, attached=True, progress=lambda _: None, tell=lambda _: None
    )
    assert launch.supervisor is not None, f"a platform runs in {folder.root} already"
    try:
        yield launch.run
    finally:
        launcher.stop(folder, launch.supervisor)


@contextmanager
def _environment(more: Mapping[str, str]) -> Iterator[None]:
    """The platform inherits ours."""
    before = {name: os.environ.get(name) for name in more}
    os.environ.update(more)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
