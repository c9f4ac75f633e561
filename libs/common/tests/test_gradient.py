"""The adaptive limit, against a server in virtual time whose capacity it is not told."""

from hypothesis import given
from hypothesis import strategies as st

from common.resilience.gate import Gate
from common.resilience.gradient import FIRST, LEAST, MOST, Gradient, next_limit


class Server:
    """Serves `width` requests at once, each in `seconds`; what is beyond that queues, and takes longer by as much."""

    def __init__(self, width: int, seconds: float) -> None:
        self.now = 0.0
        self.gate = Gate("server", FIRST, 10_000)
        self.width = width
        self.seconds = seconds
        self._gradient = Gradient(self.gate, lambda: self.now)

    def run(self, wanted: int, seconds: float) -> int:
        """So many callers at once, for a while. Returns the limit after it."""
        until = self.now + seconds
        while self.now < until:
            self.gate.inside = min(wanted, self.gate.limit)
            latency = self.seconds * max(1.0, self.gate.inside / self.width)
            for _ in range(self.gate.inside):
                self._gradient.observe(latency)
            self.now += latency
        return self.gate.limit


def test_it_shrinks_when_requests_queue_behind_it() -> None:
    server = Server(width=50, seconds=0.01)
    server.run(wanted=40, seconds=60)
    assert server.run(wanted=1_000, seconds=60) < 3 * server.width  # tolerance times what is served without queueing


def test_it_grows_while_latency_stays() -> None:
    server = Server(width=600, seconds=0.01)
    assert server.run(wanted=500, seconds=120) > 400


def test_it_comes_back_when_the_server_does() -> None:
    server = Server(width=400, seconds=0.01)
    server.run(wanted=150, seconds=60)
    server.width = 20
    low = server.run(wanted=1_000, seconds=20)
    assert low < FIRST
    server.width = 400
    assert server.run(wanted=150, seconds=60) > FIRST


def test_a_limit_that_limits_nothing_stays() -> None:
    server = Server(width=50, seconds=0.01)
    server.run(wanted=5, seconds=30)
    server.seconds = 1.0  # slow, but not because of us
    assert server.run(wanted=5, seconds=60) == FIRST


@given(st.floats(LEAST, MOST), st.floats(1e-6, 100), st.floats(1e-6, 100))
def test_it_never_leaves_its_bounds(limit: float, usual: float, latest: float) -> None:
    assert LEAST <= next_limit(limit, usual, latest) <= MOST
