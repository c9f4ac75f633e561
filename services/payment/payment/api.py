"""The payment service's HTTP API: one question. Everything else reaches it by the log."""

from fastapi import FastAPI, Request, Response

from common import parameters
from common.application import Application
from common.consistency import Asked
from common.resilience import deadline
from common.respond import versioned
from common.security.identity import caller_of
from payment.queries import Queries, shown


def build(queries: Queries) -> FastAPI:
    app = Application("payment")
    deadline.install(app)

    @app.get("/v1/payments/{order_id}")
    async def show(request: Request) -> Response:
        view = await queries.payment(parameters.order_id(request), caller_of(request), Asked.by(request))
        return versioned(request, shown(view), view.version, "private, no-cache")

    return app
