"""The gateway's HTTP side: the table of routes, served; what is not in it does not exist."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response

from common.application import Application
from common.security.identity import caller_of
from common.topology import GATEWAY
from gateway import login, oauth, openapi, openapi_oauth
from gateway.acts import Acts
from gateway.admission import Admission
from gateway.oauth import OAuth
from gateway.proxy import Proxy
from gateway.routes import ROUTES, Route


def build(admission: Admission, proxy: Proxy, acts: Acts, issuer: OAuth | str, *, described: bool = True) -> FastAPI:
    """`issuer`: the built-in one, or the URL of another. `described`: with /openapi.json."""
    app = Application("Orderly")
    for route in ROUTES:
        app.add_api_route(
            route.path,
            acts.page if route.upstream == GATEWAY else _endpoint(route, proxy),
            methods=[route.method],
            response_model=None,
            **openapi.of_route(route),
        )
    tokens = openapi_oauth.flows(issuer.issuer.url) if isinstance(issuer, OAuth) else openapi.discovered(issuer)
    if isinstance(issuer, OAuth):
        oauth.add(app, issuer)
        login.add(app, issuer)
    if described:
        openapi.add(app, tokens)
    admission.guard(app)
    return app


def _endpoint(route: Route, proxy: Proxy) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await proxy.forward(route, request, caller_of(request))

    return endpoint
