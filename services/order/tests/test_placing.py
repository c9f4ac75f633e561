"""One Idempotency-Key is one order: before, while and after the read model knows of it."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from common import topology
from common.clock import HOUR
from common.consistency import Asked, Level, Token
from common.contracts.api import PlaceOrderBody
from common.contracts.money import Money
from common.eventlog import Record
from common.eventlog.memory import MemoryLog
from common.problems import Problem
from common.processor import Processor
from common.projector import Projector
from common.readmodel.memory import MemoryReadModel
from common.security import audit
from common.security.identity import CUSTOMER, OPERATOR, Identity
from common.sender import Sender
from common.testing.eventually import eventually
from common.testing.vaults import vault_in
from order import placing
from order.catalog import Catalog
from order.handlers import BEHAVIOUR
from order.placing import Placing
from order.projection import OrderProjection
from order.queries import Queries

ALICE, BOB = Identity("alice", frozenset({CUSTOMER})), Identity("bob", frozenset({CUSTOMER}))
OPERATOR_HERSELF = Identity("operator", frozenset({OPERATOR}))


class Prices(Catalog):
    """Tea at 19.99, whatever else is asked for in dollars."""

    def __init__(self) -> None:
        """Asks nobody."""

    async def prices(self, skus: Sequence[str], token: Token | None = None) -> Mapping[str, Money]:
        await asyncio.sleep(0)
        return {sku: Money(1999, "EUR" if sku.startswith("tea") else "USD") for sku in skus}


class World:
    """The order service on an in-memory log: `decide` runs its processor and its projector."""

    def __init__(self, folder: Path, log: MemoryLog | None = None) -> None:
        self.now = 1_000_000
        self.folder = folder
        self.log = log or MemoryLog(lambda: self.now)
        self.log.create(topology.topics())
        model = MemoryReadModel()
        self.queries = Queries(model.view(), self.log)
        sender, vault = Sender("order", self.log, lambda: self.now), vault_in(folder)
        self.placing = Placing(self.queries, Prices(), sender, vault, lambda: self.now)
        self.replicas = [
            Placing(self.queries, Prices(), sender, vault, lambda: self.now, alone=False) for _ in range(2)
        ]
        group = topology.processor_group("order")
        consumer = self.log.consumer("order.commands", group=group, member="0")
        self._processor = Processor(BEHAVIOUR, self.log, consumer, lambda: self.now)
        self._projector = Projector("order", OrderProjection(), self.log, model)

    def decide(self) -> None:
        for _ in range(3):
            self._processor.step()
        self._projector.step()

    def commands(self) -> int:
        return sum(self.log.end_offsets("order.commands").values())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def body(quantity: int = 1, sku: str = "tea") -> PlaceOrderBody:
    wish = {"lines": [{"sku": sku, "quantity": quantity}], "payment_token": "tok_ok"}
    return PlaceOrderBody.model_validate(wish, strict=False)


async def place(world: World, wish: PlaceOrderBody, key: str = "k1", who: Identity = ALICE) -> str:
    return (await world.placing.place(wish, key, who, "", None)).view.order_id


async def test_a_repeated_request_is_the_same_order_before_it_was_decided(world: World) -> None:
    assert await place(world, body()) == await place(world, body())
    assert world.commands() == 1


async def test_a_repeated_request_is_the_same_order_after_it_was_decided(world: World) -> None:
    first = await place(world, body())
    world.decide()
    assert await place(world, body()) == first
    assert world.commands() == 1


async def test_twins_at_the_same_moment_are_one_order(world: World) -> None:
    assert len(set(await asyncio.gather(*(place(world, body()) for _ in range(5))))) == 1
    world.decide()
    found = await world.queries.find(await place(world, body()))
    assert found is not None and found.version == 1


@pytest.mark.parametrize("decided", [False, True])
async def test_another_body_under_the_key_is_refused(world: World, decided: bool) -> None:
    await place(world, body(1))
    if decided:
        world.decide()
    with pytest.raises(Problem, match="idempotency-key-reused"):
        await place(world, body(2))


async def test_another_body_at_the_same_moment_is_refused(world: World) -> None:
    ended = await asyncio.gather(place(world, body(1)), place(world, body(2)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in ended) == ["Problem", "str"]


async def at_both(
    world: World, patch: pytest.MonkeyPatch, first: PlaceOrderBody, second: PlaceOrderBody
) -> "list[placing.Accepted | BaseException]":
    """At two processes at the same moment; both append before anything is decided, and wait for it however long it takes."""
    patch.setattr(placing, "SETTLES", 30.0)
    bodies = zip(world.replicas, (first, second), strict=True)
    asked = asyncio.gather(*(it.place(wish, "k1", ALICE, "", None) for it, wish in bodies), return_exceptions=True)
    await asyncio.to_thread(eventually, world.commands, lambda count: count == 2)
    world.decide()
    return await asked


async def test_another_body_at_the_same_moment_at_another_process_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = await at_both(world, monkeypatch, body(1), body(2))
    assert sorted(type(one).__name__ for one in ended) == ["Accepted", "Problem"]


async def test_the_same_body_at_another_process_is_the_same_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = await at_both(world, monkeypatch, body(1), body(1))
    assert {one.view.order_id for one in ended if isinstance(one, placing.Accepted)} == {
        placing.order_id_of(ALICE.subject, "k1")
    }
    assert all(isinstance(one, placing.Accepted) and one.view.version == 1 for one in ended)


async def test_while_nobody_decides_an_order_is_accepted_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "SETTLES", 0.05)
    accepted = await world.replicas[0].place(body(), "k1", ALICE, "", None)
    assert accepted.view.version == 0


async def test_a_process_that_has_only_just_started_knows_what_its_predecessor_accepted(world: World) -> None:
    order_id = await place(world, body(1))
    restarted = World(world.folder, world.log)
    twins = [asyncio.create_task(place(restarted, body(2))) for _ in range(2)]
    cancelling = asyncio.create_task(restarted.placing.cancel(order_id, ALICE, ""))
    await asyncio.sleep(0.05)
    assert not any(task.done() for task in (*twins, cancelling))
    restarted.decide()
    refused = await asyncio.gather(*twins, return_exceptions=True)
    assert ["idempotency-key-reused" in str(one) for one in refused] == [True, True]
    assert (await cancelling).view.order_id == order_id


async def test_a_process_that_has_only_just_started_waits_for_nothing_that_can_be_seen_already(world: World) -> None:
    await place(world, body())
    world.decide()
    restarted = World(world.folder, world.log)
    restarted.decide()
    world.log.append([Record("order.commands", "poison", b"", {})]).result()
    restarted.decide()  # a dead letter is at the end of its partition: nothing of it can be read
    async with asyncio.timeout(placing.CATCH_UP / 2):
        await place(restarted, body(), "k2")


@pytest.mark.parametrize("with_token", [True, False])
async def test_an_order_that_another_process_has_accepted_is_known_here_too(world: World, with_token: bool) -> None:
    other = World(world.folder, world.log)
    await other.placing.known("ord_x")  # it has caught up, long ago
    accepted = await world.placing.place(body(), "k1", ALICE, "", None)
    order_id, asked = accepted.view.order_id, Asked(accepted.token if with_token else None)
    with pytest.raises(Problem, match="order-not-found"):
        await other.queries.order(order_id, ALICE, Asked(level=Level.EVENTUAL))
    shown = asyncio.create_task(other.queries.order(order_id, ALICE, asked))
    cancelled = asyncio.create_task(other.placing.cancel(order_id, ALICE, "", asked))
    await asyncio.sleep(0.01)
    other.decide()
    assert (await shown).order_id == (await cancelled).view.order_id == order_id
    other.decide()  # the cancellation
    with pytest.raises(Problem, match="order-not-found"):
        await other.queries.order(order_id, BOB)


async def test_the_same_key_of_another_customer_is_another_order(world: World) -> None:
    assert await place(world, body(), who=ALICE) != await place(world, body(), who=BOB)


async def test_what_the_read_model_shows_is_remembered_no_longer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "PRUNE_EVERY", 2)
    await place(world, body(), "k1")
    world.decide()
    await place(world, body(), "k2")
    assert len(world.placing._recent) == 1
    assert await place(world, body(), "k1") == await place(world, body(), "k1")


async def test_two_lines_of_one_product_are_one(world: World) -> None:
    line = {"sku": "tea", "quantity": 2}
    wish = PlaceOrderBody.model_validate({"lines": [line, line], "payment_token": "tok_ok"}, strict=False)
    accepted = await world.placing.place(wish, "k", ALICE, "", None)
    assert [(one.sku, one.quantity) for one in accepted.view.lines] == [("tea", 4)]


async def test_two_currencies_are_refused(world: World) -> None:
    lines = [{"sku": sku, "quantity": 1} for sku in ("tea", "dollar")]
    wish = PlaceOrderBody.model_validate({"lines": lines, "payment_token": "tok_ok"}, strict=False)
    with pytest.raises(Problem, match="mixed-currencies"):
        await world.placing.place(wish, "k", ALICE, "", None)


async def test_more_than_anybody_could_pay_is_refused(world: World) -> None:
    with pytest.raises(Problem, match="order-too-large"):
        await place(world, body(10**9))


async def test_a_cancellation_is_repeated_without_harm(world: World) -> None:
    order_id = await place(world, body())
    await world.placing.cancel(order_id, ALICE, "")
    world.decide()
    await world.placing.cancel(order_id, ALICE, "")


async def test_nobody_cancels_somebody_elses_order(world: World) -> None:
    order_id = await place(world, body())
    with pytest.raises(Problem, match="404"):
        await world.placing.cancel(order_id, BOB, "")
    with pytest.raises(Problem, match="403"):
        await world.placing.cancel(order_id, OPERATOR_HERSELF, "")


async def test_an_order_is_cancelled_within_14_days_or_not_at_all(world: World) -> None:
    order_id = await place(world, body())
    world.now += 14 * 24 * HOUR
    await world.placing.cancel(order_id, ALICE, "")
    world.now += 1
    with pytest.raises(Problem, match="403 forbidden: Orders can be cancelled for 14 days"):
        await world.placing.cancel(order_id, ALICE, "")


async def test_an_order_of_more_than_a_million_takes_an_operator(world: World) -> None:
    with pytest.raises(Problem, match="403 forbidden: Orders of more than"):
        await place(world, body(50_026))
    await place(world, body(50_026), who=Identity("alice", frozenset({CUSTOMER, OPERATOR})))


async def test_a_token_waits_for_its_own_write_and_no_longer(world: World) -> None:
    accepted = await world.placing.place(body(), "k1", ALICE, "", None)
    reading = asyncio.create_task(world.queries.order(accepted.view.order_id, ALICE, Asked(accepted.token)))
    await asyncio.sleep(0.01)
    assert not reading.done()
    world.decide()
    assert (await reading).version == 1


async def test_anothers_order_is_as_unknown_as_none(world: World) -> None:
    order_id = await place(world, body())
    world.decide()
    with pytest.raises(Problem, match="404"):
        await world.queries.order(order_id, BOB)


async def test_who_asks_for_an_order_of_somebody_else_is_audited(world: World, tmp_path: Path) -> None:
    order_id = await place(world, body())
    world.decide()
    audit.keep(tmp_path / "acts.jsonl")
    try:
        for asking in (world.queries.order(order_id, BOB), world.placing.cancel(order_id, BOB, "")):
            with pytest.raises(Problem, match="order-not-found"):
                await asking
        await world.queries.order(order_id, ALICE)
    finally:
        audit.keep(None)
    lines = (tmp_path / "acts.jsonl").read_text().splitlines()
    assert len(lines) == 2 and all(f'"who":"bob","what":"show_order {order_id}"' in line for line in lines)
