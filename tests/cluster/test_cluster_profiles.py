"""Every profile of the chart is one that a real API server would take, admission included."""

import subprocess
from collections.abc import Iterator
from uuid import uuid4

import pytest
import yaml

from common.testing.cluster import reachable
from tests.chart.helm import CHART, KUBERNETES, PROFILES, helm

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(300),
    pytest.mark.skipif(reachable() is not None, reason=reachable() or ""),
]

NOT_INSTALLED_THERE = {"PodMonitor", "Certificate", "ScaledObject", "HTTPRoute"}


def kubectl(*words: str, say: str = "") -> str:
    command = ["kubectl", *words]
    done = subprocess.run(command, input=say, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """Where Pod Security is enforced. A pod by itself is looked at with its service account, so that is there."""
    name = f"profiles-{uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, "pod-security.kubernetes.io/warn=restricted")
    kubectl("--namespace", name, "create", "serviceaccount", "orderly-gateway")
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.mark.parametrize("profile", PROFILES)
def test_a_real_api_server_would_take_all_of_it(profile: str, namespace: str) -> None:
    values = [word for name in PROFILES[profile] for word in ("--values", str(CHART / name))]
    text = helm("template", "orderly", str(CHART), "--namespace", namespace, "--kube-version", KUBERNETES, *values)
    known = [it for it in yaml.load_all(text, yaml.CSafeLoader) if it and it["kind"] not in NOT_INSTALLED_THERE]
    taken = kubectl("apply", "--server-side", "--dry-run=server", "--filename", "-", say=yaml.safe_dump_all(known))
    assert len(taken.splitlines()) == len(known)
    assert "Warning" not in taken
