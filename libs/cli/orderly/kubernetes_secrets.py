"""The platform's certificates and keys as Secrets of Kubernetes: made once, kept across upgrades, renewed when due.

    <release>-authority       the CA's key and certificates, for this program alone
    <release>-<service>-tls   tls.crt, tls.key, ca.crt: what the service mounts, and sees change
    <release>-issuer          the demo issuer's keys, named as its gateways want them: see common.security.keyring
    <release>-keys            made once and for all: the customers' master key, the passwords of Redis
    <release>-redis-acl       what the users of Redis may do

A run takes the authority out into a folder, has `Store` do there what is due, and puts back first the authority and then what
it signed: cut short anywhere, the next run goes on. Of two at once, one finds the authority changed and gives up.
"""

import base64
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography import x509

from common.clock import MINUTE, Instant, system_clock
from common.discovery.by_kubernetes import own_configuration
from common.security import keyring
from common.security.access import OPERATOR
from common.security.credentials import FILES, publish
from common.security.master import MasterFile
from common.topology import SERVICES, VERIFIER
from orderly.backing import locks
from orderly.certificates import NEXT, PREVIOUS, SIGNING, TRUST_DOMAIN, Holders, Store
from orderly.failure import Failure
from orderly.servers import KAFKA, REDIS

WITHIN = 20  # seconds for an answer of the API server
SEEN_AFTER = 3 * MINUTE  # a kubelet brings a changed Secret to its pods within two
FORGOTTEN_AFTER = 6 * MINUTE
SINCE = "orderly.dev/since-"  # annotation: when this role's file was written, in seconds
_CONFLICT, _NOT_FOUND = 409, 404

Files = Mapping[str, bytes]
Work = Callable[[Store], object]
Issuing = Callable[[Path, Instant], object]


@dataclass(frozen=True, slots=True)
class Platform:
    """A release of the chart. `trust_domain` and `namespace` are in the names that certificates speak for."""

    release: str
    namespace: str
    trust_domain: str = TRUST_DOMAIN
    certified: bool = True  # by us; else certificates come from elsewhere

    @property
    def holders(self) -> Holders:
        """Who gets a certificate. Clients of Kafka and Redis look for the name of a Service; Kafka's nodes have one each."""
        if not self.certified:
            return {}
        kafka, redis = f"{self.release}-kafka", f"{self.release}-redis"
        nodes = f"*.{kafka}-nodes.{self.namespace}.svc"
        return {
            **dict.fromkeys((*SERVICES, VERIFIER, OPERATOR), ()),
            KAFKA: _dns(kafka, f"{kafka}.{self.namespace}.svc", nodes),
            REDIS: _dns(redis, f"{redis}.{self.namespace}.svc"),
        }

    @property
    def authority(self) -> str:
        return f"{self.release}-authority"

    @property
    def redis_acl(self) -> str:
        return f"{self.release}-redis-acl"

    @property
    def issuer(self) -> str:
        return f"{self.release}-issuer"

    @property
    def keys(self) -> str:
        return f"{self.release}-keys"

    def certificate(self, service: str) -> str:
        return f"{self.release}-{service}-tls"


def issue_due(folder: Path, now: Instant) -> None:
    keyring.keep(folder, now, seen_after=SEEN_AFTER)


def issue_another(folder: Path, now: Instant) -> None:
    """Whatever is due: a new key of the issuer's, which signs when all gateways have published it for long enough."""
    keyring.rotate(folder, now + SEEN_AFTER)


async def keep(platform: Platform, work: Work = Store.step, issue: Issuing = issue_due) -> list[str]:
    """The names of the Secrets that were made or changed. Raises Failure."""
    async with _secrets(platform) as secrets:
        with TemporaryDirectory() as place:
            keys = dict(secrets.files(platform.keys))
            keys |= {name: make(Path(place)) for name, make in MAKERS.items() if name not in keys}
            users = {user: keys[f"redis-{user}"] for user in locks.REDIS_USERS}
            acl = {"users.acl": locks.acl_of_redis(users).encode()}
            issued = _issued(Path(place) / "issuer", secrets.files(platform.issuer), issue)
            wanted = {platform.keys: keys, platform.redis_acl: acl, platform.issuer: issued}
            changed = [await secrets.put(name, files) for name, files in wanted.items()]
            if platform.holders:
                changed += await _certify(secrets, platform, Path(place) / "certs", work)
            return [name for name in changed if name]


def _issued(place: Path, before: Files, issue: Issuing) -> Files:
    place.mkdir(mode=0o700)
    for name, content in before.items():
        (place / name).write_bytes(content)
    issue(place, system_clock())
    return {path.name: path.read_bytes() for path in place.glob("*.pem")}


# pragma: allowlist nextline secret
async def _certify(secrets: "_Secrets", platform: Platform, place: Path, work: Work) -> list[str | None]:
    authority = place / "authority"
    authority.mkdir(mode=0o700, parents=True)
    for role, (content, since) in secrets.authority().items():
        path = authority / f"{role}.pem"
        path.write_bytes(content)
        os.utime(path, (since, since))
    for service in platform.holders:
        if files := secrets.files(platform.certificate(service)):
            publish(place / service, *(files[name] for name in FILES))
    store = Store(
        place,
        trusted_after=SEEN_AFTER,
        forgotten_after=FORGOTTEN_AFTER,
        platform=(platform.trust_domain, platform.namespace),
        holders=platform.holders,
    )
    work(store)
    kept = {path.stem: (path.read_bytes(), path.stat().st_mtime) for path in authority.glob("*.pem")}
    changed = [await secrets.put_authority(kept)]
    for service in platform.holders:
        files = {path.name: path.read_bytes() for path in (place / service).iterdir()}
        changed.append(await secrets.put(platform.certificate(service), files, kind="kubernetes.io/tls"))
    return changed


def _dns(*names: str) -> Sequence[x509.GeneralName]:
    return [x509.DNSName(name) for name in names]


def _master(place: Path) -> bytes:
    MasterFile(place / "master").make()
    return (place / "master").read_bytes()


def _password(_: Path) -> bytes:
    return locks.new_password().encode()


MAKERS: Mapping[str, Callable[[Path], bytes]] = {
    "master": _master,
    **{f"redis-{user}": _password for user in locks.REDIS_USERS},
}


class _Secrets:
    """Those of one release, as they were loaded; each is written only if nobody else has since."""

    def __init__(self, api: Any, platform: Platform) -> None:
        self._api, self._platform = api, platform
        self._found: dict[str, Any] = {}

    async def load(self) -> None:
        from kubernetes.aio.client import ApiException

        names = [
            self._platform.authority,
            self._platform.issuer,
            self._platform.keys,
            self._platform.redis_acl,
            *map(self._platform.certificate, self._platform.holders),
        ]
        for name in names:
            try:
                self._found[name] = await self._api.read_namespaced_secret(
                    name, self._platform.namespace, _request_timeout=WITHIN
                )
            except ApiException as error:
                if error.status != _NOT_FOUND:
                    raise

    def files(self, name: str) -> Files:
        found = self._found.get(name)
        return {} if found is None else {key: base64.b64decode(text) for key, text in (found.data or {}).items()}

    def authority(self) -> Mapping[str, tuple[bytes, float]]:
        """By role, with the moment since which it is that."""
        found = self._found.get(self._platform.authority)
        notes = {} if found is None else found.metadata.annotations or {}
        files = self.files(self._platform.authority)
        return {
            role: (files[f"{role}.pem"], float(notes.get(SINCE + role, 0)))
            for role in (SIGNING, NEXT, PREVIOUS)
            if f"{role}.pem" in files
        }

    async def put_authority(self, kept: Mapping[str, tuple[bytes, float]]) -> str | None:
        files = {f"{role}.pem": content for role, (content, _) in kept.items()}
        notes = {SINCE + role: repr(since) for role, (_, since) in kept.items()}
        return await self.put(self._platform.authority, files, notes=notes)

    async def put(
        self, name: str, files: Files, *, kind: str = "Opaque", notes: Mapping[str, str] | None = None
    ) -> str | None:
        """Its name, unless it says that already."""
        if self.files(name) == files:
            return None
        before = self._found.get(name)
        labels = {"app.kubernetes.io/part-of": "orderly", "app.kubernetes.io/instance": self._platform.release}
        body: dict[str, Any] = {
            "metadata": {"name": name, "labels": labels, "annotations": dict(notes or {})},
            "type": kind,
            "data": {key: base64.b64encode(content).decode() for key, content in files.items()},
        }
        space = self._platform.namespace
        if before is None:
            await self._api.create_namespaced_secret(space, body, _request_timeout=WITHIN)
        else:
            body["metadata"]["resourceVersion"] = before.metadata.resource_version
            await self._api.replace_namespaced_secret(name, space, body, _request_timeout=WITHIN)
        return name


@asynccontextmanager
async def _secrets(platform: Platform) -> AsyncIterator[_Secrets]:
    import aiohttp
    from kubernetes.aio import client  # large, and needed only here

    try:
        async with client.ApiClient(await own_configuration()) as api:
            secrets = _Secrets(client.CoreV1Api(api), platform)
            await secrets.load()
            yield secrets
    except client.ApiException as error:
        if error.status == _CONFLICT:
            raise Failure(
                "somebody else is changing these Secrets at this moment", "let it finish, and ask again"
            ) from None
        raise Failure(
            f"Secrets of {platform.release} in {platform.namespace}: {error.reason} ({error.status})"
        ) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Failure(f"the API server cannot be reached: {error}") from None
