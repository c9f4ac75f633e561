"""All of them, by the name of their file."""

from collections.abc import Mapping

from deploy.observability.dashboards import log, overview, reads, resilience, runtime, sagas, security, slos
from deploy.observability.dashboards.board import Board

BOARDS: Mapping[str, Board] = {
    "overview": overview.BOARD,
    "sagas": sagas.BOARD,
    "log": log.BOARD,
    "reads": reads.BOARD,
    "resilience": resilience.BOARD,
    "security": security.BOARD,
    "slos": slos.BOARD,
    "runtime": runtime.BOARD,
}
