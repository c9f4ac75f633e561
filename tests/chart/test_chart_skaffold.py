"""skaffold.yaml says nothing that there is not. Skaffold itself was not run: this is its schema as far as it is used here."""

import subprocess
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field

from tests.chart.helm import CHART, ROOT, helm

pytestmark = [pytest.mark.chart, pytest.mark.timeout(120)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Sync(Strict):
    src: str
    dest: str
    strip: str


class InContainer(Strict):
    command: list[str]


class Hook(Strict):
    container: InContainer


class Hooks(Strict):
    after: list[Hook]


class Syncs(Strict):
    manual: list[Sync]
    hooks: Hooks


class Docker(Strict):
    dockerfile: Path


class Artifact(Strict):
    image: str
    context: Path
    docker: Docker
    sync: Syncs


class Local(Strict):
    push: bool
    useBuildkit: bool


class Build(Strict):
    local: Local
    artifacts: list[Artifact]


class Release(Strict):
    name: str
    namespace: str
    createNamespace: bool
    chartPath: Path
    valuesFiles: list[Path]
    setValues: dict[str, Any] = {}
    setValueTemplates: dict[str, str]
    wait: bool


class Helm(Strict):
    releases: list[Release]


class Deploy(Strict):
    helm: Helm
    statusCheckDeadlineSeconds: int


class Forward(Strict):
    resourceType: Literal["service"]
    resourceName: str
    namespace: str
    port: Annotated[int, Field(ge=1, le=65535)]
    localPort: Annotated[int, Field(ge=1024, le=65535)]


class Profile(Strict):
    name: str
    deploy: Deploy


class Metadata(Strict):
    name: str


class Config(Strict):
    apiVersion: Literal["skaffold/v4beta11"]
    kind: Literal["Config"]
    metadata: Metadata
    build: Build
    deploy: Deploy
    portForward: list[Forward]
    profiles: list[Profile]


@pytest.fixture(scope="module")
def config() -> Config:
    return Config.model_validate(yaml.safe_load((ROOT / "skaffold.yaml").read_text()))


def releases(config: Config) -> list[Release]:
    return [it for deploy in (config.deploy, *(p.deploy for p in config.profiles)) for it in deploy.helm.releases]


def test_what_it_builds_and_brings_into_pods_exists(config: Config) -> None:
    (artifact,) = config.build.artifacts
    assert (ROOT / artifact.context / artifact.docker.dockerfile).is_file()
    packages = {path.parent for path in ROOT.glob("*/*/*/__init__.py") if path.parts[-4] in ("libs", "services")}
    synced = set()
    for sync in artifact.sync.manual:
        assert sync.src.startswith(sync.strip)
        assert list(ROOT.glob(sync.src)), sync.src
        synced.add(ROOT / sync.src.partition("/**")[0])
    assert packages - synced == {ROOT / "services/registry/registry"}, "in a cluster nobody registers"


def test_what_it_installs_is_the_chart_with_its_image(config: Config) -> None:
    (artifact,) = config.build.artifacts
    for release in releases(config):
        assert ROOT / release.chartPath == CHART
        assert all((ROOT / path).is_file() for path in release.valuesFiles)
        assert set(release.setValueTemplates.values()) == {
            f"{{{{.IMAGE_{part}_{artifact.image}}}}}" for part in ("REPO", "TAG")
        }
        values = [word for path in release.valuesFiles for word in ("--values", str(ROOT / path))]
        told = {
            name: str(value).lower() if value in (True, False) else value for name, value in release.setValues.items()
        }
        said = [word for name, value in told.items() for word in ("--set", f"{name}={value}")]
        helm("template", release.name, str(CHART), "--kube-version", "1.33.0", *values, *said)


def test_the_ports_that_it_forwards_are_those_of_services(config: Config) -> None:
    rendered = helm("template", "orderly", str(CHART), "--namespace", "orderly", "--kube-version", "1.33.0")
    services = {it["metadata"]["name"]: it for it in yaml.safe_load_all(rendered) if it and it["kind"] == "Service"}
    for forward in config.portForward:
        assert forward.port in {port["port"] for port in services[forward.resourceName]["spec"]["ports"]}


def test_a_value_that_is_no_value_is_found_out() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        helm("template", "x", str(CHART), "--kube-version", "1.33.0", "--set", "development.nonsense=true")
