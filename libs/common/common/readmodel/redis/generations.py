"""The generations of a read model in Redis: which there are, and which one is served."""

import secrets
from itertools import islice
from typing import NamedTuple

from common.errors import OrderlyError
from common.readmodel.redis.layout import BUILDING, STATE, Space
from common.readmodel.redis.server import Server

_MANY = 1_000  # keys at a time


class Sight(NamedTuple):
    """`run`: the run_id of this Redis. `name`: the generation to go on with ("": none is there); `whole`: it may be served."""

    run: str
    name: str
    whole: bool


def look(server: Server, space: Space, own: str = "") -> Sight:
    """The served generation; where none is, the caller's `own`, if that is there."""
    run, name, state = server.run("look", [space.current], space.prefix, STATE, own)
    return Sight(run.decode(), name.decode(), state == run)


class RedisGenerations:
    """Raises Unavailable while Redis cannot be reached."""

    def __init__(self, url: str, service: str) -> None:
        self._server = Server(url)
        self._space = Space(service)

    def names(self) -> list[str]:
        return [name.decode() for name in self._server.ask("ZRANGE", self._space.generations, 0, -1)]

    def current(self) -> str | None:
        return look(self._server, self._space).name or None

    def new(self) -> str:
        last = max((int(number) for name in self.names() if (number := name.partition("-")[0]).isdecimal()), default=0)
        name = f"{last + 1:04d}-{secrets.token_hex(4)}"
        self._server.ask_all(
            ("HSET", self._space.of(name).documents, STATE, BUILDING), ("ZADD", self._space.generations, last + 1, name)
        )
        return name

    def switch(self, name: str, *, behind: bool = False) -> bool:
        """One that is taken though it is behind answers nothing until a projector has caught up."""
        space = self._space
        outcome = self._server.run("switch", [space.current], space.prefix, STATE, name, BUILDING, int(behind))
        if outcome == b"unknown":
            raise OrderlyError(f"{name}: no such generation; there are {', '.join(self.names()) or 'none'}")
        return bool(outcome == b"served")

    def condemn(self, name: str) -> None:
        self._server.ask("HDEL", self._space.of(name).documents, STATE)
        self.drop(name)

    def drop(self, name: str) -> None:
        """Its lists are searched for among all keys of this Redis."""
        if name == self.current():
            raise OrderlyError(f"generation {name} is being served; switch to another one first")
        keys = self._space.of(name)
        self._server.ask("UNLINK", keys.documents, keys.positions)
        lists = self._server.scan(keys.list("*"))
        while some := list(islice(lists, _MANY)):
            self._server.ask("UNLINK", *some)
        self._server.ask("ZREM", self._space.generations, name)

    def close(self) -> None:
        self._server.close()
