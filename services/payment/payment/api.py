"""The payment service's HTTP API: one question. Everything else reaches it by the log."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from common import parameters
from common.consistency import Asked
from common.resilience import deadline
from common.respond import application, versioned
from common.security.identity import caller_of
from payment.queries import Queries, shown


def build(queries: Queries) -> Starlette:
    async def show(request: Request) -> Response:
        caller = caller_of(request)
        view = await queries.payment(parameters.order_id(request), caller, Asked.by(request))
        return versioned(request, shown(view), view.version, "private, no-cache")

    app = application({"GET /v1/payments/{order_id}": show})
    deadline.install(app)
    return app
