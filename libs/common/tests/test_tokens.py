"""J1-J7: every way in which a token can be wrong, and that a right one is remembered only for as long as it lives."""

import base64
import functools
import hashlib
import hmac
import json
from typing import Any

import pytest
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from common.clock import SECOND
from common.problems import Problem
from common.security import tokens
from common.security.identity import Identity
from common.security.jws import Jws
from common.security.tokens import Verifier

NOW = 1_800_000_000
ISSUER = "https://issuer.example"


class Time:
    seconds = NOW

    def __call__(self) -> int:
        return self.seconds * SECOND


@functools.cache
def rsa(kid: str = "rsa-1") -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid})


@functools.cache
def elliptic() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": "ec-1"})


@functools.cache
def edwards() -> OKPKey:
    return OKPKey.generate_key("Ed25519", {"kid": "ed-1"})


class Known:
    """The issuer's keys."""

    def __init__(self, *keys: Key) -> None:
        self._keys = {key.kid: key for key in keys}

    def __contains__(self, key_id: object) -> bool:
        return key_id in self._keys

    async def get(self, key_id: str) -> Key | None:
        return self._keys.get(key_id)


def verifier(time: Time | None = None) -> Verifier:
    return Verifier(Known(rsa(), elliptic(), edwards()), ISSUER, "orderly", time or Time())


def claims(**changes: Any) -> dict[str, Any]:
    """The right claims with changes; `...` takes one out."""
    right = {"iss": ISSUER, "aud": "orderly", "sub": "alice", "roles": ["customer"], "iat": NOW, "exp": NOW + 600}
    return {name: value for name, value in {**right, **changes}.items() if value is not ...}


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign(content: dict[str, Any] | bytes, key: Key | None = None, **header: Any) -> str:
    """A well-signed token with exactly this content and header, as no library would make it."""
    key = key or rsa()
    head = {"alg": "RS256", "typ": "at+jwt", "kid": key.kid, **header}
    raw_head = json.dumps({name: value for name, value in head.items() if value is not ...}).encode()
    signed = f"{b64(raw_head)}.{b64(content if isinstance(content, bytes) else json.dumps(content).encode())}"
    algorithm = JWSRegistry.algorithms.get(str(head["alg"]))
    if algorithm is None or head["alg"] in ("none", "HS256"):
        algorithm = JWSRegistry.algorithms["RS256"]
    return f"{signed}.{b64(algorithm.sign(signed.encode(), key))}"


async def refusal(token: str, time: Time | None = None) -> str:
    with pytest.raises(Problem) as caught:
        await verifier(time).verify(token)
    assert caught.value.status == 401
    assert caught.value.headers["WWW-Authenticate"].startswith("Bearer ")
    return caught.value.detail


@pytest.mark.parametrize("key", [rsa, elliptic, edwards])
async def test_a_right_token_tells_who_asks(key: Any) -> None:
    algorithm = {"RSA": "RS256", "EC": "ES256", "OKP": "Ed25519"}[key().key_type]
    token = sign(claims(roles=["customer", "operator"]), key(), alg=algorithm)
    assert await verifier().verify(token) == Identity("alice", frozenset({"customer", "operator"}))


async def test_EdDSA_under_its_old_name_is_known_too() -> None:
    assert (await verifier().verify(sign(claims(), edwards(), alg="EdDSA"))).subject == "alice"


async def test_a_list_of_audiences_and_the_long_media_type_are_fine() -> None:
    token = sign(claims(aud=["other", "orderly"]), typ="application/AT+JWT")
    assert (await verifier().verify(token)).subject == "alice"


@pytest.mark.parametrize("algorithm", ["none", "nOnE", "NONE", "", None, 0, ["RS256"], ...])
async def test_J1_a_token_that_wants_no_signature_is_refused(algorithm: Any) -> None:
    await refusal(sign(claims(), alg=algorithm))
    header = b64(json.dumps({"alg": "none", "typ": "at+jwt", "kid": "rsa-1"}).encode())
    await refusal(f"{header}.{b64(json.dumps(claims()).encode())}.")
    await refusal(f"{header}.{b64(json.dumps(claims()).encode())}.AA")


@pytest.mark.parametrize("secret", ["pem", "der", "n", "jwk"])
async def test_J2_a_public_key_is_never_taken_for_a_shared_secret(secret: str) -> None:
    material = {
        "pem": rsa().as_pem(private=False),
        "der": rsa().as_der(private=False),
        "n": str(rsa().as_dict(private=False)["n"]).encode(),
        "jwk": json.dumps(rsa().as_dict(private=False)).encode(),
    }[secret]
    head = {"alg": "HS256", "typ": "at+jwt", "kid": "rsa-1"}
    signed = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims()).encode())}"
    await refusal(f"{signed}.{b64(hmac.digest(material, signed.encode(), hashlib.sha256))}")


async def test_J2_a_key_is_for_one_algorithm() -> None:
    await refusal(sign(claims(), alg="RS512"))
    await refusal(sign(claims(), alg="PS256"))
    await refusal(sign(claims(), elliptic(), alg="ES256", kid="rsa-1"))
    await refusal(sign(claims(), kid="ec-1"))


@pytest.mark.parametrize("critical", [["exp"], ["b64"], ["urn:unknown"], [], "exp", None])
async def test_J3_an_extension_that_must_be_understood_is_refused(critical: Any) -> None:
    await refusal(sign(claims(), crit=critical, b64=True))


@pytest.mark.parametrize("kid", ["../../etc/passwd", "' OR 1=1 --", "https://evil.example/key", "", "rsa-2", 1, None, ["rsa-1"],
                                 {"rsa-1": 1}, "rsa-1\0", "RSA-1", "a" * 5000, ...])  # fmt: skip
async def test_J4_a_key_id_that_is_not_known_is_refused_whatever_it_looks_like(kid: Any) -> None:
    await refusal(sign(claims(), kid=kid))


async def test_J4_a_key_that_comes_with_the_token_is_not_trusted() -> None:
    mine = RSAKey.generate_key(2048, {"kid": "rsa-1"})
    elsewhere = "https://evil.example/jwks.json"
    tries: list[dict[str, Any]] = [
        {"jwk": mine.as_dict(private=False)},
        {"jku": elsewhere},
        {"x5u": elsewhere},
        {"x5c": [""]},
    ]
    for brought in tries:
        await refusal(sign(claims(), mine, **brought))
        assert (await verifier().verify(sign(claims(), **brought))).subject == "alice"  # ignored, that is


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": ISSUER + "/"},
        {"iss": ...},
        {"iss": [ISSUER]},
        {"aud": "other"},
        {"aud": ["other"]},
        {"aud": []},
        {"aud": ...},
        {"aud": {"orderly": 1}},
        {"aud": [["orderly"]]},
    ],
)
async def test_J5_another_issuer_or_audience_is_refused(changes: dict[str, Any]) -> None:
    await refusal(sign(claims(**changes)))


@pytest.mark.parametrize("typ", ["JWT", "id+jwt", "at+jwt2", "", None, 1, ["at+jwt"], ...])
async def test_J5_what_is_not_an_access_token_is_refused(typ: Any) -> None:
    await refusal(sign(claims(), typ=typ))


@pytest.mark.parametrize(
    "value", [..., str(NOW + 600), None, True, 10**30, -1, 1.5, float(NOW + 600), [NOW], {}, 1e308]
)
@pytest.mark.parametrize("name", ["exp", "iat"])
async def test_J6_a_time_that_is_none_is_refused(name: str, value: Any) -> None:
    await refusal(sign(claims(**{name: value})))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000])
async def test_J6_a_time_that_is_no_number_of_JSON_is_refused(value: str) -> None:
    await refusal(sign(json.dumps(claims()).replace(str(NOW + 600), value).encode()))


@pytest.mark.parametrize("value", [str(NOW), None, True, NOW + 1000, 10**30, float(NOW)])
async def test_J6_a_not_before_that_is_no_time_or_to_come_is_refused(value: Any) -> None:
    await refusal(sign(claims(nbf=value)))


async def test_J6_a_life_of_15_minutes_is_the_longest() -> None:
    assert (await verifier().verify(sign(claims(exp=NOW + 900)))).subject == "alice"
    for issued, expires in ((NOW, NOW + 901), (NOW - 3600, NOW + 60), (NOW, NOW), (NOW + 10, NOW + 5)):
        await refusal(sign(claims(iat=issued, exp=expires)))


async def test_J6_clocks_may_differ_by_30_seconds_and_no_more() -> None:
    token, time = sign(claims()), Time()
    for seconds in (NOW - 30, NOW + 600 + 29):
        time.seconds = seconds
        assert (await verifier(time).verify(token)).subject == "alice"
    for seconds in (NOW - 31, NOW + 600 + 30):
        time.seconds = seconds
        await refusal(token, time)


async def test_J7_a_token_of_more_than_8_kB_is_refused_unread() -> None:
    assert "too long" in await refusal(sign(claims(padding="a" * 8000)))


@pytest.mark.parametrize(
    "subject", [..., "", 1, None, ["alice"], "a b", "alice\r\nOrderly-Roles: operator", "ü", "a" * 256]
)
async def test_a_subject_that_could_not_be_a_header_is_refused(subject: Any) -> None:
    await refusal(sign(claims(sub=subject)))


@pytest.mark.parametrize(
    "roles", ["operator", {"operator": 1}, [1], [["operator"]], ["customer,operator"], ["a\nb"], None]
)
async def test_roles_that_are_no_list_of_names_are_refused(roles: Any) -> None:
    await refusal(sign(claims(roles=roles)))


async def test_a_token_without_roles_may_do_nothing() -> None:
    assert await verifier().verify(sign(claims(roles=...))) == Identity("alice")


def broken() -> dict[str, str]:
    good = sign(claims())
    head, payload, signature = good.split(".")
    twice = b'{"sub":"alice","sub":"operator",' + json.dumps(claims(sub=...)).encode()[1:]
    two_algorithms = b'{"alg":"RS256","alg":"none","typ":"at+jwt","kid":"rsa-1"}'
    return {
        "nothing": "",
        "dots": "..",
        "one part": head,
        "two parts": f"{head}.{payload}",
        "four parts": f"{good}.{signature}",
        "encrypted": f"{good}.{signature}.{signature}",
        "no signature": f"{head}.{payload}.",
        "another payload": f"{head}.{b64(json.dumps(claims(sub='bob')).encode())}.{signature}",
        "a changed signature": f"{head}.{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}",
        "a short signature": f"{head}.{payload}.{signature[:-4]}",
        "padding": f"{head}.{payload}.{signature}==",
        "spaces": f" {good}",
        "line end": f"{good}\n",
        "standard base64": f"{head}.{payload}.{'+' + signature[1:]}",
        "not ASCII": f"{good}\xff",
        "a header that is no JSON": f"{b64(b'x')}.{payload}.{signature}",
        "a header that is no object": f"{b64(b'[]')}.{payload}.{signature}",
        "a header that is no UTF-8": f"{b64(bytes([255]))}.{payload}.{signature}",
        "a header of depth 2000": f"{b64(b'[' * 2000)}.{payload}.{signature}",
        "a header with equal keys": f"{b64(two_algorithms)}.{payload}.{signature}",
        "claims that are no object": sign(b"[]"),
        "claims that are no JSON": sign(b"x"),
        "claims with equal keys": sign(twice),
        "another key": sign(claims(), rsa("rsa-other"), kid="rsa-1"),
    }


@pytest.mark.parametrize("name", broken())
async def test_what_is_not_a_signed_token_is_refused(name: str) -> None:
    token = broken()[name]
    detail = await refusal(token)
    assert not token or token not in detail


async def test_a_token_is_verified_once_and_remembered_until_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time()
    one, token = verifier(time), sign(claims())
    await one.verify(token)
    monkeypatch.setattr(Jws, "claims", None)  # a second check would break
    assert (await one.verify(token)).subject == "alice"
    monkeypatch.undo()
    time.seconds = NOW + 630
    with pytest.raises(Problem):
        await one.verify(token)


async def test_a_remembered_token_does_not_vouch_for_one_that_only_looks_like_it() -> None:
    one, token = verifier(), sign(claims())
    await one.verify(token)
    with pytest.raises(Problem):
        await one.verify(token[:-8] + "AAAAAAAA")


async def test_no_more_tokens_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MOST_REMEMBERED", 2)
    one = verifier()
    for subject in ("a", "b", "c"):
        await one.verify(sign(claims(sub=subject)))
    assert len(one._remembered) == 2
