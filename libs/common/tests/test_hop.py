"""J10, the service's side: whose word about a caller counts, for whom, and for how long."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from common.clock import HOUR, MINUTE, SECOND, Instant, system_clock
from common.security import hop, jws
from common.security.authority import Authority
from common.security.credentials import Credentials
from common.security.gate import Named
from common.security.hop import HEADER, KIND, LIFE, Minter, Verifier
from common.security.identity import CALLER, Identity
from common.testing.certificates import Certificates, spiffe
from common.testing.http import called_by, serving

ALICE = Identity("alice", frozenset({"customer"}))


class Time:
    now: Instant = system_clock()

    def __call__(self) -> Instant:
        return self.now

    @property
    def seconds(self) -> int:
        return self.now // SECOND


class Hop:
    """A gateway, and the order service that it asks."""

    def __init__(self, folder: Path) -> None:
        self.time = Time()
        self.certificates = Certificates(folder / "certs", self.time)
        self.gateway = self.certificates.credentials("gateway")
        self.order = self.certificates.credentials("order")
        self.minter = Minter(self.gateway, self.time)
        self.verifier = Verifier(self.order, self.time)

    def token(self, caller: Identity = ALICE, service: str = "order") -> str:
        return self.minter.headers(caller, service)[HEADER]

    def made(self, by: Credentials | None = None, **changes: Any) -> str:
        """Well signed, with these claims changed or, where they are `...`, left out."""
        right = {
            "iss": str(spiffe("gateway")),
            "aud": str(spiffe("order")),
            "sub": "alice",
            "iat": self.time.seconds,
            "exp": self.time.seconds + LIFE,
        }
        claims = {name: value for name, value in {**right, **changes}.items() if value is not ...}
        signer = (by or self.gateway).loaded
        return jws.sign(KIND, claims, signer.key, x5c=[signer.leaf])

    def refuses(self, token: str) -> str:
        with pytest.raises(ValueError) as caught:
            self.verifier.verify(token)
        return str(caught.value)


@pytest.fixture
def it(tmp_path: Path) -> Hop:
    return Hop(tmp_path)


def test_a_service_believes_the_gateway_about_a_caller(it: Hop) -> None:
    assert it.verifier.verify(it.token()) == ALICE
    assert it.verifier.verify(it.made()) == Identity("alice")


def test_a_token_is_for_one_service(it: Hop) -> None:
    assert "another service" in it.refuses(it.token(service="inventory"))
    for audience in ([str(spiffe("order"))], ["order"], "order", ...):
        it.refuses(it.made(aud=audience))


def test_a_token_is_good_for_a_minute(it: Hop) -> None:
    token, now = it.token(), it.time.seconds
    assert it.verifier.verify(token) == ALICE
    it.time.now += (LIFE + hop.SKEW) * SECOND
    it.refuses(token)
    for changes in ({"exp": now + 3600}, {"iat": now + 300, "exp": now + 330}, {"exp": ...}, {"exp": str(now)}):
        it.refuses(it.made(**changes))


def test_a_token_is_used_again_for_half_of_its_life_and_by_the_same_caller_alone(it: Hop) -> None:
    token = it.token()
    it.time.now += 29 * SECOND
    assert it.token() == token
    assert it.token(Identity("bob", ALICE.roles)) != token
    assert it.token(Identity("alice")) != token
    it.time.now += 2 * SECOND
    assert it.token() != token


def test_nobody_but_the_gateway_is_believed(it: Hop) -> None:
    for service in ("payment", "order"):
        assert "not signed by the gateway" in it.refuses(it.made(it.certificates.credentials(service)))
    foreign = it.certificates.leaf("gateway", trust_domain="elsewhere.local")
    it.refuses(
        it.made(it.certificates.credentials("gateway", foreign), iss="spiffe://elsewhere.local/ns/orderly/sa/gateway")
    )


def test_a_certificate_of_another_authority_is_not_believed(it: Hop, tmp_path: Path) -> None:
    it.refuses(it.made(Certificates(tmp_path / "other", it.time).credentials("gateway")))


def test_a_token_and_the_certificate_that_comes_with_it_belong_together(it: Hop) -> None:
    payment = it.certificates.credentials("payment").loaded
    good = it.gateway.loaded
    assert "signature" in it.refuses(jws.sign(KIND, {}, payment.key, x5c=[good.leaf]))
    chains: list[Any] = [[], good.leaf, [good.leaf, good.leaf], [1], ["!"], [base64.b64encode(b"x").decode()], None]
    for chain in chains:
        it.refuses(jws.sign(KIND, {}, good.key, x5c=chain))


@pytest.mark.parametrize("kind", ["JWT", "at+jwt", ""])
def test_no_other_token_is_taken_for_one_of_these(it: Hop, kind: str) -> None:
    own = it.gateway.loaded
    it.refuses(jws.sign(kind, {}, own.key, x5c=[own.leaf]))
    for text in ("", "a.b.c", "x", it.token() + "A", f"{it.token()}."):
        it.refuses(text)


def test_when_the_gateways_certificate_is_replaced_old_and_new_tokens_are_good(it: Hop) -> None:
    before = it.token()
    it.certificates.publish("gateway")
    assert it.gateway.reload()
    after = it.token()
    assert after != before
    assert it.verifier.verify(before) == it.verifier.verify(after) == ALICE


def test_an_authority_that_is_not_trusted_any_more_vouches_for_nobody(it: Hop) -> None:
    token = it.token()
    assert it.verifier.verify(token) == ALICE
    fresh = Authority.create(it.time.now)
    it.certificates.publish("order", fresh.issue(spiffe("order"), it.time.now, HOUR), [fresh])
    assert it.order.reload()
    it.refuses(token)


def test_what_a_certificate_that_has_run_out_signed_counts_no_more(it: Hop) -> None:
    short = it.certificates.credentials("gateway", it.certificates.leaf("gateway", 10 * SECOND))
    token = it.made(short)
    assert it.verifier.verify(token) == Identity("alice")
    it.time.now += 11 * SECOND
    it.refuses(token)
    it.refuses(it.made(short))


def test_a_certificate_that_is_not_good_yet_vouches_for_nobody(it: Hop) -> None:
    early = it.certificates.credentials("gateway", it.certificates.leaf("gateway"))
    it.time.now -= 10 * MINUTE
    it.refuses(it.made(early))


async def show(request: Request) -> Response:
    return PlainTextResponse(str(getattr(request.state, CALLER, None)))


@pytest.mark.parametrize(
    ("peer", "headers", "status", "name"),
    [
        ("gateway", {}, 200, None),
        ("order", {}, 200, Identity("service:order")),
        ("order", {HEADER: "any"}, 403, None),
        ("gateway", {HEADER: "any"}, 401, None),
    ],
)
async def test_at_the_door_a_request_gets_the_name_that_its_peer_may_give_it(
    tmp_path: Path, peer: str, headers: Mapping[str, str], status: int, name: Identity | None
) -> None:
    credentials = Certificates(tmp_path / "certs").credentials("inventory")
    app = Named(Starlette(routes=[Route("/", show)]), credentials)
    async with serving(called_by(peer, app)) as address:
        reply = await address.request("GET", "/", headers)
    assert (reply.status, reply.is_problem) == (status, status != 200)
    assert reply.is_problem or reply.body.decode() == str(name)
