"""What a network may do to the frames of a transaction, one schedule each: a few transactions with one frame in trouble."""

from collections.abc import Callable
from random import Random

from common.testing.kafka_proxy import Api, Fault, Frame, Script, Step
from tests.integration.exactly_once.lab import Lab

Schedule = Callable[[Lab], None]

OFFSETS = (Api.ADD_OFFSETS_TO_TXN, Api.TXN_OFFSET_COMMIT)
WRITES = (Api.PRODUCE, Api.TXN_OFFSET_COMMIT, Api.END_TXN)
TRANSACTIONAL = (*WRITES, Api.INIT_PRODUCER_ID, Api.ADD_PARTITIONS_TO_TXN, Api.ADD_OFFSETS_TO_TXN)


def delayed_abort(lab: Lab) -> None:
    """T1's abort is delayed, sent again, and the first copy arrives in the middle of T2"""
    lab.put(1)
    lab.proxy.judge = Script(Step(Api.END_TXN, Fault.DELAY), Step(OFFSETS, Fault.RELEASE))
    lab.abort()
    lab.attempt()


def delayed_commit(lab: Lab) -> None:
    """T1's commit is delayed, sent again, and the first copy arrives in the middle of T2, which is aborted"""
    lab.put(2)
    lab.proxy.judge = Script(Step(Api.END_TXN, Fault.DELAY), Step(Api.END_TXN, Fault.RELEASE, skip=1))
    lab.attempt()
    lab.abort()


def delayed_offsets(lab: Lab) -> None:
    """T1's input offsets are delayed, sent again, and the first copy arrives after those of T2"""
    lab.put(2)
    lab.proxy.judge = Script(Step(Api.TXN_OFFSET_COMMIT, Fault.DELAY), Step(Api.END_TXN, Fault.RELEASE, skip=1))
    lab.attempt()
    lab.attempt()


def delayed_records(lab: Lab) -> None:
    """T1's records are delayed, sent again, T1 is aborted, and the first copy arrives in the middle of T2"""
    lab.put(1)
    lab.proxy.judge = Script(Step(Api.PRODUCE, Fault.DELAY), Step(OFFSETS, Fault.RELEASE))
    lab.abort()
    lab.attempt()


FLAWS: tuple[Schedule, ...] = (delayed_abort, delayed_commit, delayed_offsets)


def in_trouble(api: Api, fault: Fault) -> Schedule:
    """This happens to one request of the second of three transactions."""

    def schedule(lab: Lab) -> None:
        lab.put(3)
        lab.attempt()
        lab.proxy.judge = Script(Step(api, fault))
        lab.attempt()
        lab.attempt()

    schedule.__doc__ = f"{api.name} {fault.value}"
    return schedule


TROUBLES: tuple[Schedule, ...] = (
    delayed_records,
    *(in_trouble(api, fault) for api in WRITES for fault in (Fault.CUT, Fault.CUT_ANSWER, Fault.DUPLICATE)),
)


def seeded(seed: int, transactions: int) -> Schedule:
    """So many transactions, every fourth of them failing, while every tenth frame is in some trouble"""

    def schedule(lab: Lab) -> None:
        chance = Random(seed)

        def judge(frame: Frame) -> Fault:
            if frame.api not in TRANSACTIONAL or chance.random() > 0.1:
                return Fault.PASS
            return chance.choice(list(Fault))

        lab.put(transactions)
        lab.proxy.judge = judge
        for _ in range(transactions):
            match chance.random():
                case luck if luck < 0.01:
                    lab.abort()
                case luck:
                    lab.attempt(fail=luck < 0.25)

    return schedule
