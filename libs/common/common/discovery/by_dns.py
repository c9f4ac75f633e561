"""Endpoints by DNS: the addresses of a name, or its SRV records; asked again when the answer's time to live is over.

It fits a headless Service of Kubernetes, whose name has an address for each ready pod. An answer without addresses is an
answer: there are no endpoints. No answer (a timeout, SERVFAIL) is none: the last list stands. Of SRV records those of the
lowest priority count, with their weights and ports (RFC 2782).
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

import dns.asyncresolver
import dns.exception
import dns.resolver
import dns.rrset
import structlog

from common.discovery.backoff import Backoff
from common.discovery.port import Endpoint

SHORTEST, LONGEST = 1.0, 30.0  # seconds between questions, whatever the time to live
WITHIN = 3.0

_log = structlog.get_logger("dns")

Found = tuple[list[Endpoint], float]


class Dns:
    """`port` None: the name is that of SRV records, `_api._tcp.order.shop.svc`."""

    def __init__(
        self, name: str, port: int | None, scheme: str = "http", resolver: dns.asyncresolver.Resolver | None = None
    ) -> None:
        self._name = name
        self._port = port
        self._scheme = scheme
        self._resolver = resolver or dns.asyncresolver.Resolver()

    async def watch(self) -> AsyncIterator[Sequence[Endpoint]]:
        backoff = Backoff()
        last: Sequence[Endpoint] | None = None
        while True:
            try:
                found, ttl = await (self._addresses(self._name, self._port) if self._port else self._services())
            except dns.exception.DNSException as error:
                _log.warning("cannot resolve", name=self._name, error=str(error))
                await backoff.pause()
                continue
            backoff.succeeded()
            found = sorted(found, key=lambda endpoint: endpoint.address)
            if found != last:
                last = found
                yield found
            await asyncio.sleep(max(SHORTEST, min(LONGEST, ttl)))

    async def _services(self) -> Found:
        answer = await self._ask(self._name, "SRV")
        if answer is None:
            return [], 0.0
        records = list(answer)
        best = [record for record in records if record.priority == min(it.priority for it in records)]
        ttl = float(answer.ttl)
        endpoints: list[Endpoint] = []
        for record in best:
            found, other = await self._addresses(record.target.to_text(), record.port, max(1.0, record.weight))
            endpoints += found
            ttl = min(ttl, other)
        return endpoints, ttl

    async def _addresses(self, name: str, port: int, weight: float = 1.0) -> Found:
        answers = [it for it in await asyncio.gather(self._ask(name, "A"), self._ask(name, "AAAA")) if it is not None]
        hosts = [record.address for answer in answers for record in answer]
        urls = [f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{port}" for host in hosts]
        return [Endpoint(url, weight=weight) for url in urls], min((float(it.ttl) for it in answers), default=0.0)

    async def _ask(self, name: str, kind: str) -> dns.rrset.RRset | None:
        """None: there is no such name, or it has no such record."""
        try:
            answer = await self._resolver.resolve(name, kind, lifetime=WITHIN, search=True)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        return answer.rrset
