"""L8: what is derived from the events is what the events say: read models and checkpoints."""

from laws.checkpoints import Checkpoints
from laws.history import History
from laws.readmodels import read_models
from laws.stream import Stream
from laws.verdict import Tally, Verdict


class Derived:
    """Read models and checkpoints, each compared with a fold of the recorded events."""

    def __init__(self, history: History) -> None:
        self._tally = Tally("L8", "read model and checkpoints = fold of the events; lag goes to 0")
        self._models = read_models(history, self._tally)
        self._checkpoints = Checkpoints(history, self._tally)

    def listen(self, stream: Stream) -> None:
        self._checkpoints.listen(stream)
        for model in self._models:
            model.listen(stream)

    def verdict(self) -> Verdict:
        self._checkpoints.judge()
        for model in self._models:
            model.judge()
        return self._tally.verdict()
