"""A setting says in one line where a service is."""

import pytest

from common.discovery import Discovery, Endpoint, urls
from common.discovery.by_dns import Dns
from common.discovery.by_kubernetes import Kubernetes
from common.discovery.by_registry import Registry
from common.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("dns://order.shop.svc:8443", Dns),
        ("srv+https://_api._tcp.order.shop.svc", Dns),
        ("kubernetes+https://shop/order:api", Kubernetes),
        ("kubernetes://shop/order", Kubernetes),
        ("registry://127.0.0.1:8500/order", Registry),
    ],
)
def test_the_scheme_names_the_discovery(text: str, kind: type[Discovery]) -> None:
    assert isinstance(urls.discovery(text), kind)


async def test_a_list_of_addresses_is_a_list_of_endpoints() -> None:
    found = [list(it) async for it in urls.discovery("http://b:2/, http://a:1").watch()]
    assert found == [[Endpoint("http://a:1"), Endpoint("http://b:2")]]


@pytest.mark.parametrize(
    "text", ["ftp://a", "dns://a", "kubernetes://shop", "registry://a:1", "srv://", "dns://a:99999", "dns://[a"]
)
def test_what_says_nothing_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match="where it is"):
        urls.discovery(text)
