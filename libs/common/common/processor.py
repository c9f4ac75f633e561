"""The single writer of its partitions: each input is decided once, and a batch of decisions is one transaction.

    poll ─ decide(state, input) ─ evolve(state, event) ─▶ one transaction: history, requests, dead letters, input offsets
                                                        └▶ then, and only then: memory, timers, effects

- State lives in memory and is staged: an aborted transaction leaves no trace there.
- Every input leaves exactly one history record, or one dead letter if it cannot be handled (laws L11, L12).
- A due timer is an input like any other, and so is the answer to an effect. A restored state brings its timers and its
  unfinished effects with it.
- Every few seconds the aggregates that changed are checkpointed (see checkpoint.py).

Not thread-safe: one thread calls `step` again and again. Deterministic, given the log, the clock and the order of calls.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence, Set
from functools import partial
from typing import Generic, TypeVar

import msgspec
import structlog

from common import checkpoint, topology
from common.answers import Answer, Answers
from common.checkpoint import Aggregate, Shard
from common.clock import SECOND, Clock, Instant, Millis
from common.decider import Behaviour, Effect
from common.errors import Fenced, OrderlyError
from common.eventlog import Batch, Consumer, EventLog, Position, partition_of
from common.staging import Staged
from common.watching import Unwatched, Watcher

S = TypeVar("S")

TRANSACTION_RECORDS = 500
KEEP_LEASE_EVERY: Millis = SECOND // 2

Offer = Callable[[str, Effect, bool], None]  # aggregate id, effect, whether it may have been tried before a restart

_log = structlog.get_logger("processor")


class Processor(Generic[S]):
    """Runs one `Behaviour` on the partitions that its consumer owns.

    `offer` is told of every effect that a committed state waits for, possibly more than once; its answer comes by `answers`.
    `watcher` is told of every change. Raises what the log raises (`Fenced`, `Unavailable`): step again, the consumer then
    reports what was lost and gained.
    """

    def __init__(
        self,
        behaviour: Behaviour[S],
        log: EventLog,
        consumer: Consumer,
        clock: Clock,
        *,
        offer: Offer = lambda key, effect, restored: None,
        answers: Answers | None = None,
        watcher: Watcher[S] | None = None,
        checkpoint_every: Millis = 5 * SECOND,
        batch: int = 200,
        transaction: int = TRANSACTION_RECORDS,
    ) -> None:
        self._behaviour = behaviour
        self._log = log
        self._consumer = consumer
        self._clock = clock
        self._offer = offer
        self._answers = answers or Answers()
        self._answers.arrived = consumer.wake
        self._watcher = watcher or Unwatched[S]()
        self._checkpoint_every = checkpoint_every
        self._batch = batch
        self._transaction = transaction
        self._shards: dict[int, Shard[S]] = {}
        self._unrestored: Set[int] = frozenset()
        self._polled_at = clock()
        self._agenda: list[tuple[Instant, int, str]] = []  # (when, partition, aggregate id): timers, some of them stale
        self._farewells: list[tuple[Instant, int, str]] = []  # finished aggregates, and when to forget them
        self._checkpoint_at = clock() + checkpoint_every
        self._events = topology.events(behaviour.service)
        self._partitions = log.topics()[topology.commands(behaviour.service)].partitions

    @property
    def restored(self) -> bool:
        """True when the state of every partition that is owned here is in memory, and there is one at least."""
        return bool(self._shards) and not self._unrestored

    @property
    def partitions(self) -> list[int]:
        return sorted(self._shards)

    def step(self, timeout: float = 0.0) -> int:
        """Handle what one poll brings and what is due; returns how many inputs that were.

        Waits up to `timeout` seconds for something to do. After an exception nothing of the step has happened.
        """
        batch = self._consumer.poll(self._patience(timeout), self._batch)
        self._polled_at = self._clock()
        staged = Staged(self._behaviour, self._shards, self._partitions, self._polled_at)
        answers: list[Answer] = []
        try:
            with self._consumer.transaction() as transaction:  # commits nothing when nothing was polled or is due
                self._rebalance(batch)
                for record in batch.records:
                    staged.consume(record)
                answers += self._answers.take()
                for answer in answers:
                    partition = partition_of(answer.key, self._partitions)
                    if partition in self._shards:  # else another owns it now, and asks for the answer himself
                        staged.hear(partition, answer)
                for partition, key in self._due(staged.now):
                    staged.fire(partition, key)
                for written in staged.records:
                    transaction.send(written)
        except BaseException as error:
            for partition, key in staged.fired:  # the timers of an aborted step are still due
                heapq.heappush(self._agenda, (staged.now, partition, key))
            self._answers.give_back(answers)
            staged.aborted(error)
            raise
        staged.committed()
        self._adopt(staged, transaction.positions)
        if staged.now >= self._checkpoint_at:
            self.checkpoint()
        return staged.inputs

    def checkpoint(self) -> None:
        """Write what changed since the last one, so that a restart has less to roll forward.

        Only then is forgotten what may be: a tombstone must not reach the log before the marker has passed all that
        happened to its aggregate, or a restart would take the rest for a gap. So it goes there with the next checkpoint.
        """
        now = self._clock()
        self._checkpoint_at = now + self._checkpoint_every
        shards = self._shards.items()
        records = [it for partition, shard in shards for it in checkpoint.write(self._behaviour, shard, partition)]
        for start in range(0, len(records), self._transaction):
            with self._consumer.transaction() as transaction:
                for record in records[start : start + self._transaction]:
                    transaction.send(record)
        for _, shard in shards:
            shard.clean()
        self._forget(now)

    def wake(self) -> None:
        """Make a waiting step return now; from any thread."""
        self._consumer.wake()

    def close(self) -> None:
        """Decide upon what was answered, checkpoint and leave the group, so that the next owner starts at once."""
        try:
            if self._answers.waiting:
                self.step()
            self.checkpoint()
        except OrderlyError as error:  # the successor asks again, and rolls forward a little more
            _log.warning("not all is checkpointed at close", service=self._behaviour.service, error=str(error))
        finally:
            self._consumer.close()

    def _patience(self, timeout: float) -> float:
        """How long a poll may wait without missing a timer or an answer."""
        if self._answers.waiting:
            return 0
        due = self._agenda[0][0] if self._agenda else None
        return timeout if due is None else min(timeout, max(0, due - self._clock()) / 1000)

    def _rebalance(self, batch: Batch) -> None:
        """Drop what was lost, restore what was gained; what cannot be restored now is tried again with the next step."""
        self._follow(batch)
        while partitions := sorted(self._unrestored):
            alive = partial(self._keep_lease, self._unrestored | {record.partition for record in batch.records})
            restored = checkpoint.restore(self._behaviour, self._log, partitions, alive)
            self._shards.update(restored)
            for partition, shard in restored.items():
                for key, aggregate in shard.aggregates.items():
                    self._plan(partition, key, aggregate, None, restored=True)
                    self._watcher.restored(partition, key, aggregate.state, self._polled_at)
            _log.info("restored", service=self._behaviour.service, partitions=partitions)
            self._unrestored -= {*partitions}

    def _follow(self, batch: Batch) -> None:
        for partition in batch.lost:
            self._shards.pop(partition, None)
            self._watcher.lost(partition)
        self._unrestored = self._unrestored - {*batch.lost} | {*batch.gained}

    def _keep_lease(self, needed: Set[int]) -> None:
        """While it restores: a poll for no records. Raises `Fenced` when a partition was lost that the step works on: another
        may have written for it, so what was read of it so far is worth nothing."""
        now = self._clock()
        if now - self._polled_at < KEEP_LEASE_EVERY:
            return
        self._polled_at = now
        batch = self._consumer.poll(0, 0)
        self._follow(batch)
        if needed & {*batch.lost}:
            raise Fenced(
                f"{self._behaviour.service}: lost partitions while it restored them; the next step begins anew"
            )

    def _due(self, now: Instant) -> Iterator[tuple[int, str]]:
        """Aggregates whose timer is due. A state that waits for something later, or nothing, made its entry stale."""
        while self._agenda and self._agenda[0][0] <= now:
            _, partition, key = heapq.heappop(self._agenda)
            yield partition, key

    def _adopt(self, staged: Staged[S], positions: Sequence[Position]) -> None:
        """It is committed: now it is true here too."""
        for position in positions:
            if position.topic == self._events:
                self._shards[position.partition].rolled_to = position.offset + 1
        for (partition, key), aggregate in staged.aggregates.items():
            shard = self._shards[partition]
            before = shard.aggregates.get(key)
            shard.aggregates[key] = aggregate
            shard.dirty[key] = None
            self._plan(partition, key, aggregate, before, restored=False)
        for move in staged.moves:
            self._watcher.moved(move)

    def _plan(
        self, partition: int, key: str, aggregate: Aggregate[S], before: Aggregate[S] | None, *, restored: bool
    ) -> None:
        """Put the state's timer, farewell and effect where they will be found."""
        wake = self._behaviour.wake(aggregate.state)
        if wake is not None:
            heapq.heappush(self._agenda, (wake.at, partition, key))
        farewell = self._behaviour.forget_at(aggregate.state)
        if farewell is not None:
            heapq.heappush(self._farewells, (farewell, partition, key))
        effect = self._behaviour.effect(aggregate.state)
        if effect is not None and (before is None or self._behaviour.effect(before.state) != effect):
            self._offer(key, msgspec.structs.replace(effect, traceparent=aggregate.trace), restored)

    def _forget(self, now: Instant) -> None:
        while self._farewells and self._farewells[0][0] <= now:
            _, partition, key = heapq.heappop(self._farewells)
            shard = self._shards.get(partition)
            aggregate = shard.aggregates.get(key) if shard else None
            if shard is None or aggregate is None:
                continue
            due = self._behaviour.forget_at(aggregate.state)
            if due is not None and due <= now:
                shard.forget(key)
