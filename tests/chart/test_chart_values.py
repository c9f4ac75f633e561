"""Every value does something, every setting of a service can be said, and nothing else is taken."""

import dataclasses
import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from common.security.callgraph import CALLS
from common.settings import Listening
from common.topology import REGISTRY, SERVICES
from gateway.settings import Settings as OfGateway
from inventory.settings import Settings as OfInventory
from order.settings import Settings as OfOrder
from payment.settings import Settings as OfPayment
from provider.settings import Settings as OfProvider
from tests.chart.helm import CHART, objects, rendered

pytestmark = [pytest.mark.chart, pytest.mark.timeout(120)]

SETTINGS: dict[str, type[Listening]] = {
    "gateway": OfGateway,
    "order": OfOrder,
    "payment": OfPayment,
    "inventory": OfInventory,
    "provider": OfProvider,
}
# Of other ways to run: sockets that a supervisor holds, services that register themselves, brokers that tear transactions.
NOT_IN_A_CLUSTER = {"api_fd", "admin_fd", "parent_fd", "registry_url", "advertised", "kafka_degraded"}
# Said by the chart as soon as the values ask for it.
WHEN_ASKED = {
    "faults", "faults_file", "edge_certificate", "edge_key", "oidc_issuer",
    "kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password_file",
}  # fmt: skip
TAKEN_UP_WHOLE = {"resources", "issuerRef", "image", "namespaceLabels", "podLabels"}


def leaves(values: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name)


def schema_of(path: tuple[str, ...], schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any] | None:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    if not path:
        return schema
    inside = schema.get("properties", {}).get(path[0], schema.get("additionalProperties") or None)
    return None if inside is None else schema_of(path[1:], inside, root)


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    return found


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
    return found


def test_the_schema_knows_every_value_and_no_other(values: dict[str, Any], schema: dict[str, Any]) -> None:
    unknown = [path for path in leaves(values) if schema_of(path, schema, schema) is None]
    assert not unknown

    def closed(part: Any) -> Iterator[Any]:
        if isinstance(part, dict):
            if "properties" in part and part.get("type") == "object":
                yield part.get("additionalProperties")
            for inside in part.values():
                yield from closed(inside)

    assert set(closed(schema["properties"])) == {False}


def test_every_value_is_used(values: dict[str, Any]) -> None:
    """By its whole path, or by its last name in a file that takes up the part which it belongs to."""
    texts = [path.read_text() for path in (CHART / "templates").rglob("*") if path.is_file()]

    def used(path: tuple[str, ...]) -> bool:
        whole = [at + 1 for at, name in enumerate(path) if name in TAKEN_UP_WHOLE]
        path = path[: whole[0]] if whole else path
        last = re.compile(rf"\.{path[-1]}\b")
        return any(last.search(text) and f".{path[0]}" in text for text in texts)

    roles = {"all", "api", "processor", "projector"}
    assert [
        ".".join(it) for it in leaves(values) if not (it[0] == "services" and it[2] in roles) and not used(it)
    ] == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_of_a_service_is_said_by_the_chart_or_may_be(service: str, schema: dict[str, Any]) -> None:
    may = {
        "".join(f"_{it.lower()}" if it.isupper() else it for it in name)
        for name in schema["properties"]["services"]["properties"][service]["properties"]["settings"]["properties"]
    }
    deployed = {it["metadata"]["name"]: it["spec"] for it in objects("small") if it["kind"] == "Deployment"}
    container = deployed[f"orderly-{service}"]["template"]["spec"]["containers"][0]
    said = {it["name"].removeprefix("ORDERLY_").lower() for it in container["env"]}
    there = {field.name for field in dataclasses.fields(SETTINGS[service])} - (
        {"master_key"} if service == "inventory" else set()
    )
    assert there - may - said - NOT_IN_A_CLUSTER - WHEN_ASKED == set(), (
        "name it in values.schema.json: services.….settings"
    )
    assert may - there == set()
    assert may & said == set(), "who may say it cannot also be told by the chart"


@pytest.mark.parametrize(
    "wrong",
    ["image.tag=latest", "split=perhaps", "services.order.settings.nonsense=1", "kafka.brokers=2", "kafka.enabled=false",
     "redis.external.url=redis://plain", "nonsense=1", "certificates.mode=certManager", "services.provider.enabled=false"],
)  # fmt: skip
def test_values_that_would_not_work_or_not_be_safe_are_refused(wrong: str) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        rendered("small", "--set", wrong)


def test_the_network_policies_are_of_the_call_graph() -> None:
    told: dict[str, list[str]] = yaml.safe_load((CHART / "files/callgraph.yaml").read_text())["calls"]
    edges = {(caller, callee) for caller, callees in told.items() for callee in callees}
    assert edges == {edge for edge in CALLS if REGISTRY not in edge}
