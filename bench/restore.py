"""Measures how long a processor takes to have its state again, and how long a hand-over keeps commands waiting.

    .venv/bin/python bench/restore.py                   five minutes: 100 000 live orders, on Kafka and embedded
    .venv/bin/python bench/restore.py --orders 10000    one minute

Live: none of the orders is finished, each has its lines, amounts and deadlines in memory. Run nothing else beside it.
"""

import argparse
import gc
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from common import topology
from common.clock import system_clock
from common.codec import encode
from common.contracts.money import Money
from common.contracts.order import Line, Patience, PlaceOrder
from common.errors import LogError
from common.eventlog import EventLog, Record
from common.eventlog.embedded import EmbeddedLog
from common.eventlog.kafka import KafkaConnection, KafkaLog
from common.messages import Envelope
from common.processor import Processor
from order.handlers import OrderState, behaviour
from orderly.backing.private import Brokers

GROUP = topology.processor_group(topology.ORDER)
COMMANDS, EVENTS = topology.commands(topology.ORDER), topology.events(topology.ORDER)
LINES = (Line("tea", 2, Money(450, "EUR")), Line("pot", 1, Money(1999, "EUR")))
NEVER = 10**9  # milliseconds until the next checkpoint, and the next deadline of an order
PATIENT = behaviour(Patience(NEVER, NEVER))
FEED = 0.01  # seconds between the commands of the hand-over
HEAD = "| engine | state | orders | seconds until restored | CPU s |"


class Opener:
    """Opens one log again and again: by its broker, or by its file."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.name = "embedded" if where.endswith(".db") else "Kafka"

    def log(self) -> EventLog:
        return EmbeddedLog(self.where) if self.name == "embedded" else KafkaLog(KafkaConnection(self.where))


def command(order_id: str) -> Record:
    message = PlaceOrder(order_id, "alice", LINES, "tok_ok", "print")
    envelope = Envelope(f"id-{order_id}", "PlaceOrder", 1, system_clock(), "customer:alice", order_id)
    return Record(COMMANDS, order_id, encode(message), envelope.headers())


def processor(log: EventLog, member: str) -> Processor[OrderState]:
    consumer = log.consumer(COMMANDS, group=GROUP, member=member)
    return Processor(PATIENT, log, consumer, system_clock, checkpoint_every=NEVER)


def fill(opener: Opener, orders: int) -> None:
    log = opener.log()
    log.create(topology.topics())
    for start in range(0, orders, 1_000):
        log.append([command(f"o{n}") for n in range(start, min(start + 1_000, orders))]).result(60)
    log.close()


def work(opener: Opener, orders: int, *, checkpointed: bool) -> None:
    """Decide everything, and write checkpoints or leave without."""
    log = opener.log()
    running = processor(log, "0")
    done = 0
    while done < orders:
        done += running.step(1.0)
    if checkpointed:
        running.checkpoint()
    running._consumer.close()
    log.close()


def restored(opener: Opener) -> tuple[float, float]:
    """(seconds, CPU seconds of this process) until a new processor has its state."""
    began, cpu = time.monotonic(), time.process_time()
    log = opener.log()
    running = processor(log, "0")
    while not running.restored:
        running.step(1.0)
    found = time.monotonic() - began, time.process_time() - cpu
    running.checkpoint()
    running._consumer.close()
    log.close()
    return found


def restores(opener: Opener, orders: int) -> Iterator[str]:
    fill(opener, orders)
    work(opener, orders, checkpointed=False)
    for state in ("events only", "checkpoints"):  # the first restore leaves checkpoints behind
        seconds, cpu = restored(opener)
        yield f"| {opener.name} | {state} | {orders:,} | {seconds:.1f} | {cpu:.1f} |"


def member(where: str, name: str) -> None:
    """A processor until its parent says a line."""
    log = Opener(where).log()
    running = processor(log, name)
    stop = threading.Event()

    def listen() -> None:
        sys.stdin.readline()
        stop.set()
        running.wake()

    threading.Thread(target=listen, daemon=True).start()
    told = False
    while not stop.is_set():
        with suppress(LogError):  # fenced, for example
            running.step(0.5)
        if running.restored and not told:
            told = True
            print("restored", flush=True)
    running.close()
    log.close()


@contextmanager
def process(opener: Opener, name: str) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(
        [sys.executable, __file__, "--member", name, opener.where],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdin is not None and running.stdout is not None
    try:
        yield running
    finally:
        with suppress(BrokenPipeError):  # it was killed
            running.communicate("\n", timeout=60)


class Traffic:
    """A command every `FEED` seconds, and when each was decided."""

    def __init__(self, opener: Opener) -> None:
        self._log = opener.log()
        self._stop = threading.Event()
        self._sent: dict[str, float] = {}
        self._waits: list[tuple[float, float]] = []  # when sent, how long it took
        self._threads = [threading.Thread(target=self._send), threading.Thread(target=self._watch)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        for n in range(1_000_000):
            if self._stop.wait(FEED):
                return
            key = f"w{id(self)}-{n}"
            self._sent[key] = time.monotonic()
            self._log.append([command(key)]).result(30)

    def _watch(self) -> None:
        ends = self._log.end_offsets(EVENTS)
        reader = self._log.reader({(EVENTS, partition): end for partition, end in ends.items()})
        while not self._stop.is_set() or len(self._waits) < len(self._sent):
            for record in reader.poll(0.1):
                if record.key in self._sent and record.headers["type"].startswith("OrderPlaced"):
                    sent = self._sent[record.key]
                    self._waits.append((sent, time.monotonic() - sent))
        reader.close()

    def longest(self, since: float) -> float:
        return max((wait for sent, wait in self._waits if sent >= since), default=0.0)

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._log.close()


def handovers(opener: Opener) -> Iterator[str]:
    """A second processor joins, leaves, joins and is killed, and the first is replaced under its name."""
    traffic = Traffic(opener)

    def row(what: str, since: float, settle: float) -> str:
        time.sleep(settle)
        return f"| {opener.name} | {what} | {traffic.longest(since) * 1000:.0f} |"

    with process(opener, "a") as first:
        assert first.stdout is not None
        first.stdout.readline()
        time.sleep(3)
        yield row("nothing happens", time.monotonic(), 5)
        began = time.monotonic()
        with process(opener, "b") as second:
            assert second.stdout is not None
            second.stdout.readline()
            yield row("a second one joins", began, 3)
            began = time.monotonic()
        yield row("it leaves", began, 3)
        began = time.monotonic()
        with process(opener, "c") as third:
            assert third.stdout is not None
            third.stdout.readline()
            time.sleep(3)
            began = time.monotonic()
            third.kill()
            yield row("another is killed and does not come back", began, 10)
        began = time.monotonic()
        with process(opener, "a") as successor:
            assert successor.stdout is not None
            successor.stdout.readline()
            yield row("the first is replaced under its name", began, 3)
            traffic.close()


def show(head: str, rows: Iterator[str]) -> None:
    print(f"\n{head}\n|{'---|' * (head.count('|') - 1)}", flush=True)
    for row in rows:
        print(row, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--member", help=argparse.SUPPRESS)
    parser.add_argument("where", nargs="?", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    gc.set_threshold(20_000, 20, 50)  # as common.runtime has it
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    if given.member:
        member(given.where, given.member)
        return
    with tempfile.TemporaryDirectory() as folder:
        brokers = Brokers.start(Path(folder) / "kafka")
        try:
            for opener in (Opener(brokers.bootstrap), Opener(f"{folder}/log.db")):
                show(HEAD, restores(opener, given.orders))
                show("| engine | what happens | longest wait of a command, ms |", handovers(opener))
        finally:
            brokers.stop()


if __name__ == "__main__":
    main()
