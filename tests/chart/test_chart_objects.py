"""What every profile promises: restricted pods, no secret in the environment, requests that fit, edges that meet."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.chart.helm import PROFILES, ROOT, Object, containers, objects, pods

pytestmark = [pytest.mark.chart, pytest.mark.timeout(120)]

UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "m": 1e-3, "": 1.0}


def amount(text: Any) -> float:
    found = str(text)
    unit = next(it for it in UNITS if found.endswith(it))
    return float(found.removesuffix(unit)) * UNITS[unit]


@pytest.fixture(params=PROFILES)
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_pod_is_restricted(profile: str) -> None:
    for owner, pod in pods(objects(profile)):
        name = owner["metadata"]["name"]
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True and security["runAsUser"] >= 10_000, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, name
        for container in containers(pod):
            inside = container["securityContext"]
            assert inside["readOnlyRootFilesystem"] is True, name
            assert inside["allowPrivilegeEscalation"] is False, name
            assert inside["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["requests"] and container["resources"]["limits"], name
            assert not container["image"].endswith(":latest") and ":" in container["image"], name


def test_what_runs_for_good_has_three_probes(profile: str) -> None:
    for owner, pod in pods(objects(profile)):
        if owner["kind"] in ("Deployment", "StatefulSet") and not owner["metadata"]["name"].endswith("-auditor"):
            for container in pod["containers"]:
                assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container), owner["metadata"]["name"]


def test_no_secret_is_in_the_environment(profile: str) -> None:
    for owner, pod in pods(objects(profile)):
        for container in containers(pod):
            for variable in container.get("env", ()):
                assert "secretKeyRef" not in variable.get("valueFrom", {}), owner["metadata"]["name"]
                secret = "PASSWORD" in variable["name"] or "SECRET" in variable["name"]  # pragma: allowlist secret
                assert not secret or variable["name"].endswith("FILE"), variable["name"]
    assert not [it for it in objects(profile) if it["kind"] == "Secret"]


def test_nobody_reads_secrets_by_the_API_but_who_makes_them(profile: str) -> None:
    for it in objects(profile):
        if it["kind"] in ("Role", "ClusterRole"):
            assert it["kind"] == "Role"
            for rule in it["rules"]:
                assert "*" not in (*rule["verbs"], *rule["resources"], *rule["apiGroups"])
                assert "secrets" not in rule["resources"] or "certificates" in it["metadata"]["name"]


def test_the_small_profile_asks_for_less_than_three_gigabytes() -> None:
    total = 0.0
    for owner, pod in pods(objects("small")):
        if owner["kind"] in ("Deployment", "StatefulSet"):
            inside = sum(amount(it["resources"]["requests"]["memory"]) for it in pod["containers"])
            total += inside * owner["spec"].get("replicas", 1)
    assert total < 3e9
    print(f"requests of memory in the small profile: {total / 1e9:.2f} GB")


def test_everything_is_in_the_namespace_of_the_release(profile: str) -> None:
    assert [it["metadata"]["name"] for it in objects(profile) if it["metadata"].get("namespace") != "shop"] == []


def selected(selector: Object, labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels", {})
    among = selector.get("matchExpressions", [])
    return all(labels.get(name) == value for name, value in wanted.items()) and all(
        labels.get(it["key"]) in it["values"] for it in among
    )


def components(profile: str) -> Iterator[tuple[str, dict[str, str]]]:
    for owner, _ in pods(objects(profile)):
        template = owner["spec"].get("template") or owner["spec"].get("jobTemplate", {}).get("spec", {}).get("template")
        yield owner["metadata"]["name"], (template or owner)["metadata"]["labels"]


def test_every_pod_is_under_the_default_policy_and_who_may_go_may_come_in(profile: str) -> None:
    policies = [it["spec"] for it in objects(profile) if it["kind"] == "NetworkPolicy"]
    deny = next(it for it in policies if it["policyTypes"] == ["Ingress", "Egress"])
    assert "ingress" not in deny and "egress" not in deny
    for name, labels in components(profile):
        assert selected(deny["podSelector"], labels), name
    out, into = set(), set()
    for policy in policies:
        own = str(policy["podSelector"])
        for rule in policy.get("egress", ()):
            others = [to for to in rule.get("to", ()) if set(to) == {"podSelector"}]
            out |= {(own, str(to["podSelector"]), rule["ports"][0]["port"]) for to in others}
        for rule in policy.get("ingress", ()):
            into |= {(str(it["podSelector"]), own, rule["ports"][0]["port"]) for it in rule.get("from", ())}
    assert out == into


def test_what_a_service_selects_is_there_and_has_that_port(profile: str) -> None:
    found = objects(profile)
    made = [
        (owner["spec"]["template"]["metadata"]["labels"], pod)
        for owner, pod in pods(found)
        if "template" in owner["spec"]
    ]
    for service in (it for it in found if it["kind"] == "Service"):
        ports = {
            port["name"]
            for labels, pod in made
            if selected({"matchLabels": service["spec"]["selector"]}, labels)
            for container in pod["containers"]
            for port in container.get("ports", ())
        }
        assert {it["targetPort"] for it in service["spec"]["ports"]} <= ports, service["metadata"]["name"]


def test_the_jaeger_of_the_chart_keeps_the_traces_that_one_on_this_machine_does() -> None:
    (mounted,) = (it["data"]["jaeger.yaml"] for it in objects("small") if "jaeger.yaml" in it.get("data", ()))
    ours = (ROOT / "deploy/observability/jaeger-sampling.yaml").read_text()
    usual = re.sub(r'"?\$\{env:\w+:-(\w+)\}"?', r"\1", ours)
    here, there = (yaml.safe_load(it)["processors"]["tail_sampling"] for it in (usual, mounted))
    assert here | {"num_traces": there["num_traces"]} == there
