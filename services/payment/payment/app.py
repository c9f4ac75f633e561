"""Wires the payment service: the one place that knows which adapter stands behind which port."""

from fastapi import FastAPI

from common import engine, faults, replay
from common.answers import Answer, Answers
from common.contracts.fields import PAYMENT_TOKEN
from common.contracts.payment import ProviderAnswered
from common.decider import Effect
from common.runtime import Process
from common.security.vault import Vault
from common.service import Platform, assemble
from payment import api
from payment.domain import Call
from payment.handlers import BEHAVIOUR
from payment.projection import PaymentProjection
from payment.provider import POLICY, ProviderWorker
from payment.queries import Queries
from payment.settings import Settings


def build(settings: Settings) -> Process:
    platform = Platform.open("payment", settings)
    answers = Answers()

    def report(effect: Effect, said: ProviderAnswered, traceparent: str) -> None:
        answers.put(Answer(said.order_id, said, effect.id, "service:provider", platform.clock(), traceparent))

    policy, calls = POLICY.but(settings.provider_policy), faults.calls(platform.switches)
    own = platform.credentials
    vault = Vault.of(settings)

    def card(call: Call) -> str:
        return vault.unseal(call.token, call.order_id, PAYMENT_TOKEN)

    worker = ProviderWorker(settings.provider_url, report, card, policy=policy, middlewares=calls, credentials=own)

    def serve() -> FastAPI:
        return api.build(Queries(platform.view(), platform.log))

    process = assemble(
        platform,
        api=serve,
        behaviour=BEHAVIOUR,
        projection=PaymentProjection(),
        offer=worker.offer,
        answers=answers,
    )
    process.background, process.drain = (worker.start,), (worker.drain,)
    process.close = (*process.close, vault.close)
    return process


def rebuild(settings: Settings, switch: bool) -> int:
    """Fold the read model anew, from the first event."""
    return replay.run("payment", PaymentProjection(), engine.of(settings), switch=switch)
