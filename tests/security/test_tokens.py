"""The checklist of tokens, line by line, at the gateway's door; and a second issuer, in a process of its own, behind it."""

import asyncio
import base64
import functools
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import Key, RSAKey
from joserfc.jws import JWSRegistry

from common.clock import MINUTE, SECOND, system_clock
from common.security import hop, keyring
from common.security.identity import OPERATOR, Identity
from gateway.testing import Edge, edge, signing_key
from tests.security.issuer import Issuer, issuer

pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])  # none of it is about the loop

ROTATIONS = 3
ISSUER = "http://gateway.test"


@pytest.fixture
async def gateway() -> AsyncIterator[Edge]:
    async with edge() as it:
        yield it


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    with issuer(tmp_path_factory.mktemp("issuer")) as started:
        yield started


@functools.cache
def mallorys() -> RSAKey:
    return RSAKey.generate_key(2048)


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    """The right ones with changes; `...` takes one out."""
    now = system_clock() // SECOND
    right = {"iss": ISSUER, "aud": "orderly", "sub": "alice", "client_id": "alice", "roles": ["customer"], "jti": "1"}
    return {k: v for k, v in {**right, "iat": now, "exp": now + 600, **changes}.items() if v is not ...}


def unsigned(said: dict[str, Any] | str, **header: Any) -> str:
    head = {"alg": "RS256", "typ": "at+jwt", "kid": signing_key().kid, **header}
    text = said if isinstance(said, str) else json.dumps(said)
    return f"{b64(json.dumps({k: v for k, v in head.items() if v is not ...}).encode())}.{b64(text.encode())}"


def signed(said: dict[str, Any] | str, key: Key | None = None, by: str = "RS256", **header: Any) -> str:
    """With a signature that holds, as no library would make such a token."""
    text = unsigned(said, **header)
    return f"{text}.{b64(JWSRegistry.algorithms[by].sign(text.encode(), key or signing_key()))}"


async def status(gateway: Edge, token: str) -> int:
    reply = await gateway.address.request("GET", "/v1/orders", {"Authorization": f"Bearer {token}"})
    if reply.status == 401:
        assert reply.is_problem and 'error="invalid_token"' in reply.headers["www-authenticate"]
        assert not token or token not in reply.body.decode()
    return reply.status


async def refused(gateway: Edge, *tokens: str) -> None:
    """Each of them, and none reaches a service; a right one does."""
    before = len(gateway.service.heard)
    for token in tokens:
        assert await status(gateway, token) == 401, token
    assert len(gateway.service.heard) == before
    assert await status(gateway, signed(claims())) == 200


async def test_j1_a_token_that_wants_no_signature_is_refused(gateway: Edge) -> None:
    wanted: list[str] = []
    for algorithm in ("none", "nOnE", "NONE", "", None, 0, ["none"], ...):
        text = unsigned(claims(), alg=algorithm)
        wanted += [f"{text}.", text, f"{text}.AA", signed(claims(), alg=algorithm)]
    await refused(gateway, *wanted)


async def test_j2_a_public_key_is_no_shared_secret(gateway: Edge) -> None:
    text = unsigned(claims(), alg="HS256")
    public = [
        signing_key().as_pem(private=False),
        signing_key().as_der(private=False),
        json.dumps(signing_key().as_dict(private=False)).encode(),
    ]
    macs = [hmac.digest(secret, text.encode(), hashlib.sha256) for secret in public]
    await refused(gateway, *(f"{text}.{b64(mac)}" for mac in macs))


async def test_j3_an_extension_that_must_be_understood_is_refused(gateway: Edge) -> None:
    criticals: Sequence[Any] = (["urn:unknown"], ["exp"], ["b64"], [], "exp", None)
    await refused(gateway, *(signed(claims(), crit=critical, b64=True) for critical in criticals))


async def test_j4_a_key_id_leads_nowhere_and_a_key_that_comes_along_is_ignored(gateway: Edge) -> None:
    kids: Sequence[Any] = (
        "../../etc/passwd",
        "/dev/null",
        "' OR 1=1 --",
        "http://127.0.0.1:1/key",
        "",
        1,
        None,
        [],
        "k\0",
        ...,
    )
    await refused(gateway, *(signed(claims(), kid=kid) for kid in kids))
    elsewhere = "http://127.0.0.1:1/jwks.json"
    brought: Sequence[dict[str, Any]] = (
        {"jwk": mallorys().as_dict(private=False)},
        {"jku": elsewhere},
        {"x5u": elsewhere},
        {"x5c": ["MAA="]},
    )
    await refused(gateway, *(signed(claims(), mallorys(), **header) for header in brought))
    for header in brought:
        assert await status(gateway, signed(claims(), **header)) == 200


async def test_j5_another_issuer_audience_or_type_is_refused(gateway: Edge) -> None:
    changes: Sequence[dict[str, Any]] = (
        {"iss": "http://evil.example"},
        {"iss": ISSUER + "/"},
        {"iss": ...},
        {"aud": "other"},
        {"aud": ["other"]},
        {"aud": ...},
    )
    kinds: Sequence[Any] = ("JWT", "id+jwt", hop.KIND, "orderly-code+jwt", "", None, ...)
    await refused(gateway, *(signed(claims(**change)) for change in changes))
    await refused(gateway, *(signed(claims(), typ=kind) for kind in kinds))


async def test_j6_a_token_lives_for_15_minutes_and_its_times_are_times(gateway: Edge) -> None:
    now = system_clock() // SECOND
    values: Sequence[Any] = (str(now + 600), None, True, 10**30, -1, 1.5, [now], {}, ...)
    texts = ("NaN", "Infinity", "1e999", "9" * 5000)
    lives = ((now, now + 901), (now - 3600, now + 60), (now - 600, now - 31), (now + 300, now + 600))
    await refused(
        gateway,
        *(signed(claims(**{name: value})) for name in ("exp", "iat") for value in values),
        *(signed(json.dumps(claims(exp="@")).replace('"@"', text)) for text in texts),
        *(signed(claims(iat=issued, exp=expires)) for issued, expires in lives),
    )
    now = system_clock() // SECOND
    assert await status(gateway, signed(claims(iat=now - 600, exp=now - 10))) == 200, "clocks may differ by 30 s"
    assert await status(gateway, signed(claims(iat=now + 20, exp=now + 600))) == 200


async def test_j7_a_token_of_more_than_8_kB_is_refused(gateway: Edge) -> None:
    await refused(gateway, signed(claims(padding="a" * 8000)))
    assert await status(gateway, signed(claims(padding="a" * 5000))) == 200


async def test_j8_the_keys_rotate_under_load_and_no_request_fails(tmp_path: Path) -> None:
    keys = tmp_path / "gateway" / "keys"
    keys.mkdir(parents=True)
    keyring.make(keys, system_clock() - 10 * MINUTE)
    async with edge(data=tmp_path) as one, edge(data=tmp_path) as two:
        for begin in (*one.process.background, *two.process.background):
            await begin()
        signers: set[str] = set()
        answers: list[int] = []

        async def load(giver: Edge, taker: Edge) -> None:
            kept: list[str] = []
            while len(signers) < 1 + ROTATIONS:
                given = (await giver.token("alice")).json()["access_token"]
                signers.add(json.loads(base64.urlsafe_b64decode(given.partition(".")[0] + "=="))["kid"])
                kept = [*kept[-20:], given]
                answers.extend([await status(taker, given), await status(giver, given), await status(taker, kept[0])])

        loads = [asyncio.create_task(load(*pair)) for pair in ((one, two), (two, one))]
        for number in range(ROTATIONS):
            await asyncio.to_thread(keyring.make, keys, system_clock() - keyring.SIGNS_AFTER)
            async with asyncio.timeout(60):
                while True:
                    if len(signers) > number + 1:
                        break
                    await asyncio.sleep(0.02)
        await asyncio.gather(*loads)
        assert set(answers) == {200}, answers
        assert len(answers) > 6 * ROTATIONS


async def test_j8_a_second_issuer_is_asked_for_keys_when_it_has_new_ones_and_not_by_strangers(other: Issuer) -> None:
    async with edge(oidc_issuer=other.url) as gateway:
        begun = other.fetches()
        old = await asyncio.to_thread(other.token, "alice")
        assert await status(gateway, old) == 200
        await asyncio.to_thread(other.rotate)
        new = [await asyncio.to_thread(other.token, f"customer-{number}") for number in range(10)]
        assert set(await asyncio.gather(*(status(gateway, it) for it in (*new, old)))) == {200}
        assert other.fetches() - begun == 2
        strangers = [signed(claims(iss=other.url), mallorys(), kid=f"unknown-{number}") for number in range(20)]
        assert set(await asyncio.gather(*(status(gateway, it) for it in strangers))) == {401}
        assert other.fetches() - begun == 2, "at most one in 30 s, whoever wants it"


async def test_j9_while_the_second_issuer_is_down_its_known_keys_go_on(other: Issuer) -> None:
    async with edge(oidc_issuer=other.url) as gateway:
        known = [await asyncio.to_thread(other.token, name) for name in ("alice", "bob")]
        assert await status(gateway, known[0]) == 200
        other.kill()
        assert await status(gateway, known[1]) == 200
        assert await status(gateway, signed(claims(iss=other.url), kid="unknown")) == 401
        assert not any(gateway.process.health.readyz().values())
    async with edge(oidc_issuer=other.url) as late:
        reply = await late.address.request("GET", "/v1/orders", {"Authorization": f"Bearer {known[0]}"})
        assert (reply.status, reply.is_problem) == (503, True), "who never had them cannot tell"


async def test_j10_a_service_hears_in_whose_name_from_the_gateway_alone(gateway: Edge) -> None:
    forged = {
        "Orderly-Subject": "bob",
        "Orderly-Roles": OPERATOR,
        hop.HEADER: hop.Minter(gateway.process.credentials).headers(Identity("bob", frozenset({OPERATOR})), "order")[
            hop.HEADER
        ],
    }
    assert (await gateway.call("alice", "GET", "/v1/orders", forged)).status == 200
    (heard,) = gateway.service.heard
    assert heard.state.caller == Identity("alice", frozenset({"customer"}))
    assert not {"orderly-subject", "orderly-roles"} & set(heard.headers)
    (token,) = heard.headers.getlist(hop.HEADER)
    said = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert said["aud"] == "spiffe://orderly.local/ns/orderly/sa/order"
    assert 0 < said["exp"] - said["iat"] <= 60
