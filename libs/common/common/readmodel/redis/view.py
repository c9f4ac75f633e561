"""The asking side of a read model in Redis: right, or Unavailable, but neither stale nor a "no" for what is only not there yet.

With each answer comes the state of its generation, looked at a moment later: a generation that still is was there before, and
none that is gone comes back under its name. Answers count from a generation alone that was found whole in this run of Redis:
one that was emptied, or came back with what it had a while ago, answers nothing until a projector has caught up.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from common.errors import Unavailable
from common.readmodel.bell import LOST_RING, Bell
from common.readmodel.port import Document, Entry
from common.readmodel.redis import layout
from common.readmodel.redis.ear import Ear
from common.readmodel.redis.lane import Command, Lane
from common.readmodel.redis.layout import STATE, Keys, Space


class RedisView:
    """For one event loop. Raises Unavailable after half a second, whatever Redis does."""

    def __init__(self, url: str, service: str, bell: Bell) -> None:
        self._space = Space(service)
        self._lane = Lane(url)
        self._ear = Ear(url, self._space.changed, bell)
        self._bell = bell
        self._served: Keys | None = None

    async def get(self, key: str) -> Document | None:
        value = await self._ask(lambda of: ("HGET", of.documents, key))
        return None if value is None else layout.document(key, value)

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, Document]:
        if not keys:
            return {}
        return layout.documents(keys, await self._ask(lambda of: ("HMGET", of.documents, *keys)))

    async def list(self, name: str, *, after: str = "", limit: int = 50, newest_first: bool = False) -> Sequence[Entry]:
        if newest_first:
            command, first, last = "ZREVRANGEBYLEX", f"({after}\0" if after else "+", "-"
        else:
            command, first, last = "ZRANGEBYLEX", f"[{after}\1" if after else "-", "+"
        found = await self._ask(lambda of: (command, of.list(name), first, last, "LIMIT", 0, limit))
        return [layout.entry(name, member) for member in found]

    async def positions(self) -> Mapping[str, int]:
        flat = iter(await self._ask(lambda of: ("HGETALL", of.positions)))
        return {name.decode(): int(position) for name, position in zip(flat, flat, strict=True)}

    async def changed(self, name: str, within: float) -> None:
        if not self._bell.rung_here:
            self._ear.listen()
        await self._bell.wait(name, min(within, LOST_RING))

    def close(self) -> None:
        self._lane.close()
        self._ear.close()

    async def _ask(self, question: Callable[[Keys], Command]) -> Any:
        """The answer of the served generation. One that is replaced at this moment gives way to its successor."""
        self._bell.look()
        for _ in range(2):
            if self._served is None:
                _, (name,) = await self._lane.ask(("GET", self._space.current))
                if name is None:
                    break
                self._served = self._space.of(name.decode())
            asked = self._served
            run, (answer, state) = await self._lane.ask(question(asked), ("HGET", asked.documents, STATE))
            if state == run:
                return answer
            self._served = None
        raise Unavailable(f"no read model of {self._space.service} is served yet: it is being built, or catching up")
