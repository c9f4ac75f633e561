"""DNS discovery against a name server on a real socket."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from common.discovery import Discovery, Endpoint
from common.discovery.by_dns import Dns
from common.testing.discovery_contract import DiscoveryContract, Site, Watcher

NAME = "order.shop.test."
SERVICE = "_api._tcp.order.shop.test."


class NameServer(asyncio.DatagramProtocol):
    """Answers from `records` (name, type) -> texts; deaf while `away`, and broken while `failing`."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.ttl = 0
        self.away = self.failing = False
        self.asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        if self.away:
            return
        self.asked += 1
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA | dns.flags.RA
        question = query.question[0]
        name = question.name.to_text()
        kind = question.to_text().split()[-1]
        if self.failing:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif not any(known == name for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif found := self.records.get((name, kind)):
            answer.answer.append(dns.rrset.from_text_list(name, self.ttl, "IN", kind, found))
        self._transport.sendto(answer.to_wire(), sender)


class Zone(Site):
    def __init__(self, server: NameServer, port: int) -> None:
        self.server = server
        self.resolver = dns.asyncresolver.Resolver(configure=False)
        self.resolver.nameservers = ["127.0.0.1"]
        self.resolver.port = port
        self.resolver.timeout = 0.3

    def discovery(self) -> Discovery:
        return Dns(NAME, 8443, resolver=self.resolver)

    def address(self, number: int) -> str:
        return f"http://10.0.0.{number}:8443"

    async def add(self, number: int) -> None:
        self.server.records.setdefault((NAME, "A"), []).append(f"10.0.0.{number}")

    async def remove(self, number: int) -> None:
        self.server.records[(NAME, "A")].remove(f"10.0.0.{number}")
        if not self.server.records[(NAME, "A")]:
            del self.server.records[(NAME, "A")]

    async def cut(self) -> None:
        self.server.failing = True

    async def mend(self) -> None:
        self.server.failing = False


@pytest.fixture
async def zone() -> AsyncIterator[Zone]:
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(NameServer, ("127.0.0.1", 0))
    yield Zone(server, transport.get_extra_info("sockname")[1])
    transport.close()


class TestDns(DiscoveryContract):
    @pytest.fixture
    def site(self, zone: Zone) -> Site:
        return zone


async def first(found: Dns) -> list[Endpoint]:
    watch = found.watch()
    async with asyncio.timeout(20):
        return list(await anext(aiter(watch)))


async def test_both_families_of_addresses_are_found(zone: Zone) -> None:
    zone.server.records = {(NAME, "A"): ["10.0.0.1"], (NAME, "AAAA"): ["fd00::1"]}
    found = await first(Dns(NAME, 80, "https", zone.resolver))
    assert found == [Endpoint("https://10.0.0.1:80"), Endpoint("https://[fd00::1]:80")]


async def test_SRV_records_say_port_and_weight_and_only_the_first_priority_counts(zone: Zone) -> None:
    zone.server.records = {
        (SERVICE, "SRV"): ["10 3 8443 a.test.", "10 0 8444 b.test.", "20 9 8445 c.test."],
        ("a.test.", "A"): ["10.0.0.1"],
        ("b.test.", "A"): ["10.0.0.2"],
        ("c.test.", "A"): ["10.0.0.3"],
    }
    found = await first(Dns(SERVICE, None, resolver=zone.resolver))
    assert found == [Endpoint("http://10.0.0.1:8443", weight=3.0), Endpoint("http://10.0.0.2:8444")]


async def test_a_name_that_is_not_there_has_no_endpoints(zone: Zone) -> None:
    assert await first(Dns(NAME, 80, resolver=zone.resolver)) == []
    assert await first(Dns(SERVICE, None, resolver=zone.resolver)) == []


async def test_a_name_server_that_is_deaf_is_no_answer(zone: Zone) -> None:
    zone.server.records = {(NAME, "A"): ["10.0.0.1"]}
    zone.server.away = True
    watcher = Watcher(zone.discovery())
    await asyncio.sleep(1)
    assert watcher.lists == []
    zone.server.away = False
    await watcher.sees(zone.address(1))
    await watcher.close()


async def test_it_is_not_asked_again_before_the_time_to_live_is_over(zone: Zone) -> None:
    zone.server.records = {(NAME, "A"): ["10.0.0.1"]}
    zone.server.ttl = 600
    watcher = Watcher(zone.discovery())
    await watcher.sees(zone.address(1))
    await asyncio.sleep(1.5)
    assert zone.server.asked == 2  # A and AAAA
    await watcher.close()
