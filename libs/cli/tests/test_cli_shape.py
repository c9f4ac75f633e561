"""Which processes a platform is made of."""

from pathlib import Path

import pytest

from orderly import backing, keeping
from orderly.failure import Failure
from orderly.fleet import places
from orderly.folder import Folder
from orderly.shape import START_ORDER, Shape


def names(*scale: str) -> list[str]:
    return [it.name for it in Shape(scale=scale).posts()]


def test_by_default_each_service_is_one_process_under_its_own_name() -> None:
    assert names() == list(START_ORDER)


def test_a_service_of_which_a_role_is_scaled_is_split_into_its_roles() -> None:
    posts = Shape(scale=("order.processor=2",)).posts()
    found = [(it.name, it.role, it.slot) for it in posts if it.service == "order"]
    assert found == [
        ("order-api", "api", 0),
        ("order-processor-1", "processor", 0),
        ("order-processor-2", "processor", 1),
        ("order-projector", "projector", 0),
    ]


def test_whole_processes_can_stand_side_by_side() -> None:
    assert names("payment=2") == ["registry", "provider", "inventory", "payment-1", "payment-2", "order", "gateway"]


def test_a_registry_is_there_only_where_a_service_has_several_APIs() -> None:
    assert "registry" not in names("order.processor=2", "gateway=3")
    assert "registry" in names("order.api=2")
    posts = Shape(scale=("order=2",)).posts()
    ports = {it.name: 9000 + number for number, it in enumerate(posts)}
    found = places(posts, ports)
    assert found["order"] == "registry://127.0.0.1:9000/order"
    assert found["inventory"] == f"https://127.0.0.1:{ports['inventory']}"


@pytest.mark.parametrize(
    "wrong",
    ["order", "order=0", "order=17", "order.cook=2", "nobody=2", "gateway.api=2", "provider=2", "order.processor=x"],
)
def test_what_cannot_be_is_refused_with_what_can(wrong: str) -> None:
    with pytest.raises(Failure) as failed:
        Shape(scale=(wrong,)).check()
    assert wrong in failed.value.what
    assert "SERVICE.ROLE=N" in failed.value.advice


def test_a_service_is_either_split_or_whole() -> None:
    with pytest.raises(Failure, match="not both"):
        Shape(scale=("order=2", "order.api=2")).check()


@pytest.mark.parametrize("brokers", [2, 4, -1])
def test_brokers_are_one_or_three(brokers: int) -> None:
    with pytest.raises(Failure, match=f"{brokers} brokers"):
        Shape("kafka", brokers).check()


def test_only_what_is_asked_for_can_differ() -> None:
    running = Shape("kafka", 3, ["order=2"])
    assert not Shape().differs(running)
    assert not Shape("kafka", scale=("order=2",)).differs(running)
    assert Shape("embedded").differs(running)
    assert Shape(scale=("order=3",)).differs(running)
    assert Shape(durable=True).differs(running)
    assert Shape(secure=True).differs(running)


def test_data_that_was_made_secure_stays_secure(tmp_path: Path) -> None:
    folder = Folder.at(tmp_path)
    keeping.claim(folder, Shape("kafka"))
    assert not keeping.secured(folder)
    keeping.claim(folder, Shape("kafka", secure=True))
    keeping.claim(folder, Shape("kafka"))
    assert keeping.secured(folder)


def test_secure_is_for_servers_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failure, match="embedded engine has no server"):
        backing.find(Shape("embedded", secure=True), print)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    with pytest.raises(Failure, match="REDIS_URL names others"):
        backing.find(Shape("kafka", secure=True), print)


def test_beside_a_platform_elsewhere_the_environment_names_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORDERLY_ENGINE", raising=False)
    folder = Folder.at(tmp_path)
    with pytest.raises(Failure, match="there is no log"):
        keeping.engine_of(folder)
    monkeypatch.setenv("ORDERLY_ENGINE", "kafka")
    assert keeping.engine_of(folder) == "kafka"
    keeping.claim(folder, Shape("embedded"))
    assert keeping.engine_of(folder) == "embedded"
