"""The writing side of a read model in Redis: a batch is one script, so it is there as a whole or not at all.

Several may write one generation at once (a rolling update, one that was thought dead): a document of version n is the fold of
the first n events whoever writes it, an older one is left alone, and positions only grow. What may happen to Redis:

    it is emptied           the next batch is refused; a new generation is begun, built from the first event, then served
    it comes back with      positions are behind what was written here: the batch is refused, the fold goes on from those that
    what it had before      are there, and nothing is served until it has caught up
    it does not answer      Unavailable after two seconds; whether the batch was written is unknown, writing it again harmless
    it may evict keys       Unavailable: a read model of which parts may vanish is none
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

import structlog

from common.errors import Unavailable
from common.readmodel.bell import Bell, touched
from common.readmodel.port import Document, Entry
from common.readmodel.redis import layout
from common.readmodel.redis.generations import RedisGenerations, Sight, look
from common.readmodel.redis.layout import STATE, Keys, Space
from common.readmodel.redis.server import Server, address

_RECENT = 0.5  # seconds

_log = structlog.get_logger("readmodel")


class RedisReadModel:
    """It follows the served generation, looking which one that is whenever `generation` is asked for.

    With `generation` given it keeps to that one: to build it beside the served one, or to read it in peace.
    """

    def __init__(self, url: str, service: str, bell: Bell, *, generation: str | None = None) -> None:
        self._server = Server(url)
        self._space = Space(service)
        self._generations = RedisGenerations(url, service)
        self._what = f"the read model of {service} in Redis at {address(url)}"
        self._bell = bell
        self._pinned = generation
        bell.rung_here = bell.rung_here or generation is None
        self._sight = Sight("", generation or "", whole=False)
        self._seen_at = float("-inf")
        self._reached: dict[str, int] = {}  # positions that were seen in this generation

    @property
    def generation(self) -> str:
        """Another one after a restart of Redis, too: its data may be those of a while ago."""
        if self._pinned is None and time.monotonic() - self._seen_at > _RECENT:
            self._follow()
        return self._pinned or f"{self._sight.name}@{self._sight.run}"

    def load(self, keys: Sequence[str]) -> Mapping[str, Document]:
        (state, *values), positions = self._server.ask_all(
            ("HMGET", self._keys.documents, STATE, *keys), ("HGETALL", self._keys.positions)
        )
        if state is None:
            raise self._gone()
        if any(int(positions.get(name.encode(), 0)) < reached for name, reached in self._reached.items()):
            raise self._behind()
        return layout.documents(keys, values)

    def documents(self) -> Iterator[Document]:
        whole = False
        for key, value in self._server.scan_hash(self._keys.documents):
            if key == STATE.encode():
                whole = True
            else:
                yield layout.document(key.decode(), value)
        if not whole:
            raise self._gone()

    def apply(self, documents: Sequence[Document], entries: Sequence[Entry], positions: Mapping[str, int]) -> None:
        names = list(dict.fromkeys(touched(documents, entries, positions)))
        lists: dict[str, dict[str, bytes]] = {}
        for entry in entries:
            lists.setdefault(entry.list, {})[entry.sort] = entry.body
        keys = [self._keys.documents, self._keys.positions, *map(self._keys.list, lists)]
        batch: list[str | bytes | int] = [STATE, "" if self._pinned else self._space.changed, "\0".join(names)]
        batch.append(len(positions))
        for name, position in positions.items():
            batch += (name, self._reached.get(name, 0), position)
        batch.append(len(documents))
        for document in documents:
            batch += (document.key, document.version, layout.value(document))
        for members in lists.values():
            batch += (len(members), min(members))
            for sort, body in members.items():
                batch += (sort, layout.member(sort, body))
        outcome = self._server.run("apply", keys, *batch)
        if outcome == b"lost":
            raise self._gone()
        if outcome == b"behind":
            raise self._behind()
        for name, position in positions.items():
            self._reached[name] = max(position, self._reached.get(name, 0))
        self._bell.ring(names)

    def positions(self) -> Mapping[str, int]:
        found, whole = self._server.ask_all(("HGETALL", self._keys.positions), ("HEXISTS", self._keys.documents, STATE))
        if not whole:
            raise self._gone()
        self._reached = {name.decode(): int(position) for name, position in found.items()}
        return dict(self._reached)

    def serve(self) -> None:
        if self._pinned is not None or self._sight.whole:
            return
        built, run = self._sight.name, self._sight.run
        served = self._server.run("serve", [self._space.current], self._space.prefix, STATE, built, run).decode()
        self._seen_at = float("-inf")
        if served == built:
            for older in takewhile(lambda name: name != built, self._generations.names()):
                self._generations.drop(older)
            _log.warning("read model is served", generation=built)
        elif served:
            self._generations.drop(built)

    def close(self) -> None:
        self._server.close()
        self._generations.close()

    @property
    def _keys(self) -> Keys:
        return self._space.of(self._sight.name)

    def _follow(self) -> None:
        sight = look(self._server, self._space, self._sight.name)
        if sight.run != self._sight.run:
            self._refuse_eviction()
        if not sight.name:
            sight = sight._replace(name=self._generations.new())
            _log.warning("read model is built anew", generation=sight.name)
        if sight.name != self._sight.name:
            self._reached = {}
        self._sight, self._seen_at = sight, time.monotonic()

    def _refuse_eviction(self) -> None:
        memory = self._server.ask("INFO", "memory")
        if memory.get("maxmemory") and memory["maxmemory_policy"].startswith("allkeys-"):
            raise Unavailable(
                f"{self._what} could lose any of its keys (maxmemory-policy {memory['maxmemory_policy']}); "
                "set noeviction, or a volatile policy"
            )

    def _gone(self) -> Unavailable:
        self._seen_at = float("-inf")
        return Unavailable(
            f"{self._what}: generation {self._sight.name} is gone; another one is served, or being built"
        )

    def _behind(self) -> Unavailable:
        self._seen_at = float("-inf")
        return Unavailable(f"{self._what} is behind what was written to it; folding goes on from where it stands now")
