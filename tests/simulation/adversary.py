"""Chooses what happens next: usually the next step of somebody, sometimes the worst that the guarantees allow."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from random import Random

from common.clock import MINUTE, SECOND, Millis
from common.eventlog import Record
from common.topology import PROCESSING_SERVICES, commands
from tests.simulation.calls import Calls
from tests.simulation.link import Fate
from tests.simulation.parts import Parts
from tests.simulation.plan import Plan
from tests.simulation.process import Process
from tests.simulation.world import World

Tell = Callable[[World, str], None]
Action = Callable[[], str]

POISON: Sequence[tuple[str, bytes, Mapping[str, str]]] = (
    ("not JSON", b"\xff\xfe", {"type": "CheckHold", "schema": "1"}),
    ("a type of tomorrow", b"{}", {"type": "FrobnicateOrder", "schema": "1"}),
    ("a version of tomorrow", b"{}", {"type": "ShipStock", "schema": "7"}),
    ("no headers", b"{}", {}),
)
COMMIT_FATES: Sequence[tuple[str, Fate, str]] = (
    ("crash", "die before", "dies before its commit"),
    ("crash", "die after", "dies after its commit"),
    ("cut", "cut before", "loses the log, and its commit with it"),
    ("cut", "cut after", "loses the log, but not its commit"),
    ("freeze", "sleep", "falls asleep before its commit, longer than its lease"),
)
FAR_BACK: Millis = 50 * SECOND


class Menu:
    """What there is to choose from, by weight."""

    def __init__(self, dishes: Sequence[tuple[int, Action]]) -> None:
        self.actions = [action for _, action in dishes]
        self.weights = list(accumulate(weight for weight, _ in dishes))


class Adversary:
    """Everything it does is drawn from the plan's seed. `tell` hears it, one sentence at a time."""

    def __init__(self, plan: Plan, parts: Parts, tell: Tell) -> None:
        self._random = Random(plan.seed)
        self._plan = plan
        self._kinds = plan.kinds
        self._tell = tell
        self._asleep: Process | None = None
        self._latest = 0
        self._poisoned = 0
        self._stirred = False  # something bad has just happened
        self._all = Menu([*self._everyday(), *self._trouble()])
        self._troubles = Menu(self._trouble() or self._everyday())
        self.world = World(plan, parts, self._random, self._fates)
        self._calls = Calls(self.world, self._random, plan.kinds)
        self.healed = False

    def rage(self) -> None:
        """Each choice is drawn by itself: when some are left out, the others stay nearly what they were."""
        for step in range(self._plan.steps):
            self._random.seed(self._plan.seed << 10 | step)
            if step not in self._plan.skipped:
                self.act()
        self.healed = True

    def act(self) -> None:
        """Troubles seldom come alone: one is likely to be followed by another."""
        menu = self._troubles if self._stirred and self._random.random() < 0.4 else self._all
        (action,) = self._random.choices(menu.actions, cum_weights=menu.weights)
        self._stirred = action in self._troubles.actions
        sentence = action()
        if sentence:
            self._tell(self.world, sentence)

    def _everyday(self) -> list[tuple[int, Action]]:
        return [
            (120, self._step),
            (50, self._work),
            (25, self._tick),
            (10, self._place),
            (8, self._receive),
            (8, self._project),
        ]

    def _trouble(self) -> list[tuple[int, Action]]:
        troubles: list[tuple[str, int, Action]] = [
            ("cancel", 5, self._cancel),
            ("twin", 5, self._twin),
            ("duplicate", 25, self._duplicate),
            ("jump", 10, self._jump),
            ("back", 6, self._back),
            ("age", 3, self._age),
            ("crash", 5, self._kill),
            ("crash", 2, self._lose_projector),
            ("rebalance", 6, self._rebalance),
            ("poison", 4, self._poison),
            ("redrive", 5, self._redrive),
            ("late", 10, self._arrive),
        ]
        return [(weight, action) for kind, weight, action in troubles if kind in self._kinds]

    def _step(self) -> str:
        awake = [p for p in (*self.world.processes, *self.world.zombies) if p is not self._asleep]
        self._random.shuffle(awake)
        for process in awake:
            inputs = self.world.step(process) if self.world.lives(process) else 0
            if inputs:
                return f"{process.name} handles {inputs} inputs"
        return ""

    def _tick(self) -> str:
        self.world.now += self._random.randint(1, 400)
        return ""

    def _jump(self) -> str:
        """Often to the moment when somebody's patience ends."""
        patience = self._random.choice(self.world.processes).patience
        seconds = patience if patience < 70 and self._random.random() < 0.7 else self._random.uniform(1, 70)
        self.world.now += round(seconds * SECOND)
        return f"{seconds:.1f} s pass" if seconds else ""

    def _age(self) -> str:
        minutes = self._random.randint(2, 20)
        self.world.now += minutes * MINUTE
        return f"{minutes} minutes pass"

    def _back(self) -> str:
        self._latest = max(self._latest, self.world.now)
        back = self._random.randint(1, 40 * SECOND)
        if self.world.now - back < self._latest - FAR_BACK:
            return ""
        self.world.now -= back
        self.world.seen["clock set back"] += 1
        return f"the clock is set back by {back} ms"

    def _place(self) -> str:
        return self.world.client.place()

    def _receive(self) -> str:
        return self.world.client.receive()

    def _duplicate(self) -> str:
        return self.world.duplicate(orders_too="age" not in self._kinds)

    def _cancel(self) -> str:
        return self.world.client.cancel()

    def _twin(self) -> str:
        return "" if "age" in self._kinds else self.world.client.twin()

    def _kill(self) -> str:
        process = self._random.choice(self.world.processes)
        if process is self._asleep:
            return ""
        self.world.die(process)
        return f"{process.name} is killed between two steps"

    def _project(self) -> str:
        self.world.project(self._random.choice(PROCESSING_SERVICES), self._random.choice((1, 3, 500)))
        return ""

    def _lose_projector(self) -> str:
        return self.world.lose_projector(
            self._random.choice(PROCESSING_SERVICES), model_too=self._random.random() < 0.3
        )

    def _rebalance(self) -> str:
        process = self._random.choice(self.world.processes)
        return "" if process is self._asleep else self.world.leave(process)

    def _poison(self) -> str:
        self._poisoned += 1
        name, value, headers = self._random.choice(POISON)
        known = {
            "id": f"poison-{self._poisoned}",
            "at": str(self.world.now),
            "actor": "user:mallory",
            "correlation": "x",
        }
        topic = commands(self._random.choice(PROCESSING_SERVICES))
        self.world.append(
            Record(topic, self._random.choice(("o0", "tea")), value, {**known, **headers} if headers else {})
        )
        return f"somebody writes {name} to {topic}"

    def _redrive(self) -> str:
        letters = list(self.world.dead(parked=False))
        return self.world.redrive(self._random.choice(letters)) if letters else ""

    def _work(self) -> str:
        return self._calls.work(self._asleep)

    def _arrive(self) -> str:
        return self._calls.arrive()

    def _fates(self, process: Process) -> "ProcessFates":
        return ProcessFates(self, process)

    def wrote(self, topics: Iterable[str]) -> None:
        self.world.changes.update(topics)

    def of_commit(self, process: Process) -> Fate:
        draw = 1.0 if self.healed else self._random.random()
        for kind, fate, sentence in COMMIT_FATES:
            if kind in self._kinds and not (fate == "sleep" and self._asleep):
                if draw < 0.06:
                    self._stirred = True
                    self._tell(self.world, f"{process.name} {sentence}")
                    return fate
                draw -= 0.06
        return "commit"

    def of_poll(self) -> bool:
        return self.healed or "cut" not in self._kinds or self._random.random() > 0.05

    def limit(self) -> int:
        return 200 if self.healed else self._random.choice((1, 1, 2, 5, 200))

    def put_to_sleep(self, process: Process) -> None:
        """Past its lease. Others go on, perhaps one that was started in its place; then it wakes up, and goes on too."""
        self._asleep = process
        self.world.oversleep(process)
        for _ in range(self._random.randint(1, 12)):
            self.act()
        self._asleep = None
        self._tell(self.world, f"{process.name} wakes up")


class ProcessFates:
    """What befalls one process."""

    def __init__(self, adversary: Adversary, process: Process) -> None:
        self._adversary = adversary
        self._process = process
        self.wrote = adversary.wrote
        self.of_poll = adversary.of_poll
        self.limit = adversary.limit

    def of_commit(self) -> Fate:
        return self._adversary.of_commit(self._process)

    def sleep(self) -> None:
        self._adversary.put_to_sleep(self._process)
