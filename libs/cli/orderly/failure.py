"""What the command says, and how it exits, when it cannot do what it was asked."""

from collections.abc import Sequence

from common.errors import OrderlyError

FAILED = 1  # the answer is no: unhealthy, broken, refused, timed out
NOT_RUNNING = 2  # there is no answer: the platform does not run, or nothing could be checked


class Failure(OrderlyError):
    """Printed without a traceback: what happened, to what, what to do, and the evidence (lines of a log, mostly)."""

    def __init__(self, what: str, advice: str = "", code: int = FAILED, evidence: Sequence[str] = ()) -> None:
        super().__init__(what)
        self.what, self.advice, self.code, self.evidence = what, advice, code, evidence


class NotRunning(Failure):
    """The platform has to run for this."""

    def __init__(self, where: object) -> None:
        super().__init__(f"the platform does not run on {where}", "start it: orderly up --detach", NOT_RUNNING)
