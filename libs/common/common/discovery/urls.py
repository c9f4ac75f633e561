"""Where a service is, as one line of text: what a setting says, made into a discovery.

    http://10.0.0.1:8443,http://10.0.0.2:8443    these
    dns://order.shop.svc:8443                    the addresses of a name, say of a headless Service
    srv://_api._tcp.order.shop.svc               its SRV records
    kubernetes://shop/order:api                  EndpointSlices of Service `order` in namespace `shop`, port `api`
    registry://127.0.0.1:8500/order              who has registered there

The endpoints speak TLS where we have credentials, else plain HTTP; `dns+https://` and so on say which. Only what is named is
imported.
"""

from urllib.parse import urlsplit

from common.discovery.port import Discovery, Endpoint
from common.discovery.static import Static
from common.errors import SettingsError
from common.security.credentials import Credentials


def discovery(text: str, credentials: Credentials | None = None) -> Discovery:
    """Raises SettingsError for what is none of these."""
    kind, _, scheme = text.partition("://")[0].partition("+")
    if kind in ("http", "https", ""):
        return Static(*(Endpoint(it.strip().rstrip("/")) for it in text.split(",")))
    scheme = scheme or ("https" if credentials else "http")
    try:
        url = urlsplit(text)
        host, port, path = url.hostname or "", url.port if kind != "kubernetes" else None, url.path.strip("/")
    except ValueError:
        raise _unknown(text) from None
    match kind:
        case "dns" if host and port:
            from common.discovery.by_dns import Dns

            return Dns(host, port, scheme)
        case "srv" if host:
            from common.discovery.by_dns import Dns

            return Dns(host, None, scheme)
        case "kubernetes" if host and path:
            from common.discovery.by_kubernetes import Kubernetes

            service, _, name = path.partition(":")
            return Kubernetes(host, service, name, scheme)
        case "registry" if host and path:
            from common.discovery.by_registry import Registry

            return Registry(f"{scheme}://{url.netloc}", path, credentials)
    raise _unknown(text)


def _unknown(text: str) -> SettingsError:
    return SettingsError(f"{text!r} says of no service where it is; see common/discovery/urls.py for what can be said")
