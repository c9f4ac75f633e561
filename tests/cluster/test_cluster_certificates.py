"""The Secrets of an installation, on a real API server: made once, kept, renewed, and its authority replaced step by step."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography import x509
from kubernetes.aio import client

from common.clock import MINUTE, system_clock
from common.discovery.by_kubernetes import own_configuration
from common.testing.cluster import cluster, reachable
from orderly.certificates import Store
from orderly.kubernetes_secrets import SEEN_AFTER, SINCE, Platform, issue_another, keep

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(180),
    pytest.mark.skipif(reachable() is not None, reason=reachable() or ""),
]


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with cluster() as site:
        yield Platform("shop", site.namespace)


@pytest.fixture
async def api() -> AsyncIterator[Any]:
    async with client.ApiClient(await own_configuration()) as opened:
        yield client.CoreV1Api(opened)


async def data(api: Any, platform: Platform, name: str) -> dict[str, str]:
    found: dict[str, str] = (await api.read_namespaced_secret(name, platform.namespace)).data
    return found


async def test_what_is_missing_is_made_and_what_is_there_is_kept(api: Any, platform: Platform) -> None:
    made = await keep(platform)
    assert set(made) == {
        "shop-keys",
        "shop-issuer",
        "shop-redis-acl",
        "shop-authority",
        *(f"shop-{it}-tls" for it in platform.holders),
    }
    before = await data(api, platform, "shop-keys")
    assert await keep(platform) == []
    await api.delete_namespaced_secret("shop-order-tls", platform.namespace)
    assert await keep(platform) == ["shop-order-tls"]
    assert await data(api, platform, "shop-keys") == before


async def test_a_certificate_speaks_for_one_service_of_this_namespace(api: Any, platform: Platform) -> None:
    await keep(platform)
    pem = base64.b64decode((await data(api, platform, "shop-order-tls"))["tls.crt"])
    names = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        f"spiffe://orderly.local/ns/{platform.namespace}/sa/order"
    ]


async def test_a_new_authority_is_trusted_before_it_signs_and_the_old_one_until_nobody_shows_it(
    api: Any, platform: Platform
) -> None:
    async def trusted() -> int:
        bundle = base64.b64decode((await data(api, platform, "shop-order-tls"))["ca.crt"])
        return len(x509.load_pem_x509_certificates(bundle))

    async def an_hour_passes() -> None:
        secret = await api.read_namespaced_secret("shop-authority", platform.namespace)
        notes = {
            name: str(float(since) - 3600)
            for name, since in secret.metadata.annotations.items()
            if name.startswith(SINCE)
        }
        await api.patch_namespaced_secret("shop-authority", platform.namespace, {"metadata": {"annotations": notes}})

    await keep(platform)
    first = await data(api, platform, "shop-authority")
    await keep(platform, Store.rotate_authority)
    assert await trusted() == 2
    assert (await data(api, platform, "shop-authority"))["signing.pem"] == first["signing.pem"]
    await an_hour_passes()
    assert "shop-order-tls" in await keep(platform)
    assert (await data(api, platform, "shop-authority"))["signing.pem"] != first["signing.pem"]
    assert await trusted() == 2
    await an_hour_passes()
    await keep(platform)
    assert await trusted() == 1


async def test_a_new_key_of_the_issuer_is_named_by_when_all_gateways_will_have_seen_it(
    api: Any, platform: Platform
) -> None:
    async def made() -> list[int]:
        return sorted(int(name.removesuffix(".pem")) for name in await data(api, platform, "shop-issuer"))

    await keep(platform)
    (first,) = await made()
    assert await keep(platform, issue=issue_another) == ["shop-issuer"]
    kept, new = await made()
    assert kept == first
    assert new > system_clock() + SEEN_AFTER - MINUTE


async def test_a_password_that_is_new_is_added_and_no_other_changes(api: Any, platform: Platform) -> None:
    await keep(platform)
    before = await data(api, platform, "shop-keys")
    await api.patch_namespaced_secret("shop-keys", platform.namespace, {"data": {"redis-gateway": None}})
    assert await keep(platform) == ["shop-keys", "shop-redis-acl"]
    after = await data(api, platform, "shop-keys")
    assert {name for name in before if before[name] != after[name]} == {"redis-gateway"}
