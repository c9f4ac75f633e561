"""What the tools say of the chart and the image: nothing wrong."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from orderly.failure import Failure
from tests.chart.helm import CHART, KUBERNETES, PROFILES, ROOT, TOOLS, helm, rendered, tool

pytestmark = [pytest.mark.chart, pytest.mark.timeout(300)]

NOT_KUBERNETES_OWN = "PodMonitor,Certificate,ScaledObject,HTTPRoute"


def needed(name: str) -> str:
    """As for markers: skipped without, and failed in continuous integration."""
    try:
        return tool(name)
    except Failure as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{missing.what}; {missing.advice}")


def passes(command: list[str], say: str | None = None) -> str:
    done = subprocess.run(command, input=say, capture_output=True, text=True, timeout=240, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("profile", PROFILES)
def test_helm_finds_nothing_to_object_to(profile: str) -> None:
    values = [word for name in PROFILES[profile] for word in ("--values", str(CHART / name))]
    assert "0 chart(s) failed" in helm("lint", "--kube-version", KUBERNETES, str(CHART), *values)


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those of a Kubernetes version, as kubeconform wants them."""
    found = next(TOOLS.glob(f"chart/lib/python*/site-packages/kubernetes_validate/*/v{KUBERNETES}-local-strict"), None)
    if found is None:
        pytest.skip(f"there are no schemas of Kubernetes {KUBERNETES}; make chart gets them")
    folder = tmp_path_factory.mktemp("schemas")
    for path in found.glob("*.json"):
        content = json.loads(path.read_text().replace("/api/_definitions.json#", "_definitions.json#"))
        content.pop("$id", None)
        (folder / path.name).write_text(json.dumps(content))
    return folder


def test_every_object_of_every_profile_is_one_that_kubernetes_knows(schemas: Path) -> None:
    where = f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    command = [needed("kubeconform"), "-strict", "-skip", NOT_KUBERNETES_OWN, "-schema-location", where]
    passes(command, "\n---\n".join(rendered(profile) for profile in PROFILES))


def test_the_units_of_the_chart_do_what_they_say() -> None:
    passes([needed("helm-unittest"), str(CHART)])


def test_checkov_finds_nothing(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(rendered("hardened"))
    command = [needed("checkov"), "--quiet", "--compact", "--skip-download", "--framework", "kubernetes"]
    passes([*command, "--output", "json", "--file", str(tmp_path / "all.yaml")])


def test_hadolint_finds_nothing() -> None:
    passes([needed("hadolint"), "Dockerfile"])


def test_shellcheck_finds_nothing() -> None:
    passes([needed("shellcheck"), "deploy/cluster.sh"])
