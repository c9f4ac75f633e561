"""Faults of the asking side of HTTP: a middleware of the client's session, around each attempt."""

import asyncio

import aiohttp

from common.faults.catalog import CALL_DROP, CALL_ERRORS, CALL_LATENCY
from common.faults.switches import Switches


def faulty_client(switches: Switches) -> aiohttp.ClientMiddlewareType:
    """`ClientSession(middlewares=(faulty_client(switches),))`."""

    async def attempt(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if latency := switches.amount(CALL_LATENCY):
            await asyncio.sleep(latency)
        if switches.strikes(CALL_ERRORS):
            raise aiohttp.ClientConnectionError("a fault switch kept it from leaving")
        response = await handler(request)
        if switches.strikes(CALL_DROP):
            response.close()
            raise aiohttp.ServerDisconnectedError("a fault switch lost the answer")
        return response

    return attempt
