"""Asks the running services how they are."""

import http.client
import json
import ssl
import urllib.parse
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from orderly import backing
from orderly.runfile import Run, Service
from orderly.sockets import LOOPBACK

WITHIN = 2.0
UNREACHABLE = (OSError, http.client.HTTPException)


def unready(service: Service, within: float = WITHIN) -> str | None:
    """What `/readyz` complains about; None when it can serve."""
    if service.process is None or not service.process.alive():
        return "not running"
    if service.process.frozen():
        return "frozen"
    if service.role in backing.ROLES:
        question = backing.question(service.role, service.port or 0, service.tls)
        return None if question.asked(within) else "no answer yet"
    connection = http.client.HTTPConnection(LOOPBACK, service.admin_port or 0, timeout=within)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return None if answer.status == 200 else _complaints(answer.read(65536))
    except UNREACHABLE:
        return "no answer yet"
    finally:
        connection.close()


def unready_all(services: Iterable[Service], within: float = WITHIN) -> Mapping[str, str | None]:
    """Asked at the same time: one that hangs delays the answer by `within` and no more."""
    asked = list(services)
    with ThreadPoolExecutor(max_workers=max(1, len(asked))) as pool:
        return dict(zip((it.name for it in asked), pool.map(lambda it: unready(it, within), asked), strict=True))


def gateway_answers(run: Run, within: float = WITHIN) -> bool:
    """Through its public port, as a client sees it. Any answer counts, unless it is the server's fault."""
    connection = _to(run.base_url, within)
    try:
        connection.request("GET", "/.well-known/jwks.json")
        return connection.getresponse().status < 500
    except UNREACHABLE:
        return False
    finally:
        connection.close()


def _to(base_url: str, within: float) -> http.client.HTTPConnection:
    """Whether it lives is asked, not who it is: its certificate may name it as the outside knows it."""
    url = urllib.parse.urlsplit(base_url)
    if url.scheme == "http":
        return http.client.HTTPConnection(url.netloc, timeout=within)
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(url.netloc, timeout=within, context=anybody)


def _complaints(body: bytes) -> str:
    try:
        checks = json.loads(body)["checks"]
        return "; ".join(f"{name}: {reason}" for name, reason in checks.items() if reason != "ok") or "not ready"
    except (ValueError, KeyError, TypeError, AttributeError):
        return "not ready"
