"""What an installation is put through: everything that was promised for, and each with its promise."""

from common.topology import PROCESSING_SERVICES, SERVICES
from tests.cluster.disruptions import Site
from tests.cluster.installed import Installed

FAULTS = [it.fault for it in Site(Installed("shop", "shop")).disruptions()]


def victims(kind: str) -> set[str]:
    return {it.victim for it in FAULTS if it.kind == kind}


def test_every_service_is_restarted_and_killed_and_every_processor_scaled() -> None:
    assert victims("restart") == set(SERVICES)
    assert victims("kill") == {*SERVICES, "kafka", "redis"}
    assert victims("scale 1-3-1") == set(PROCESSING_SERVICES)
    assert victims("delete") == {"kafka", "redis"}
    assert victims("helm") == {"upgrade", "rollback"}


def test_what_is_done_on_purpose_costs_nobody_a_request() -> None:
    planned = [it for it in FAULTS if it.kind in ("restart", "helm", "scale 1-3-1")]
    assert {str(it.promise) for it in planned} == {"0 failed"}
    assert all(it.promise for it in FAULTS)


def test_each_is_called_by_what_it_does() -> None:
    assert len({str(it) for it in FAULTS}) == len(FAULTS)
