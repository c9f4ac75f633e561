"""The catalog, from a cache: what is public and asked for most need not be asked of the inventory each time.

How fresh: a change of name, price or stock is told to us and forgotten here at once; what orders reserve shows within
`fresh` (a second). A caller who asks for more (a token of the inventory, or `strong`) goes around the cache, and what comes
back is put into it. So no session reads backwards (law L9): a cache never replaces a version by an older one, and a page is
kept as a list of names only, and put together from the products as they are known now.

While the inventory is away, what was known of late stands in. `Age` says how old an answer is (RFC 9111).
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog
from fastapi import Request, Response

from common.cache import Entry, Loaded
from common.cache.reading import Reading
from common.cache.writing import Writing
from common.consistency import Asked, Level
from common.errors import OrderlyError, Unavailable
from common.http_client import Answer, Stream
from common.problems import Problem
from common.telemetry.metrics import CACHE_READS
from common.topology import INVENTORY

PRODUCTS = "/v1/products"
CHANGES = "/internal/catalog/changes"
AGAIN = 1.0  # seconds

_log = structlog.get_logger("catalog")


class Declined(OrderlyError):
    """The inventory's answer is none to be kept."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.status))
        self.answer = answer


class _Item(msgspec.Struct):
    sku: str
    version: int


class _Page(msgspec.Struct):
    items: list[msgspec.Raw]
    next_cursor: str | None


class _Names(msgspec.Struct):
    skus: list[str]
    next_cursor: str | None


_item = msgspec.json.Decoder(_Item).decode
_page = msgspec.json.Decoder(_Page).decode
_names = msgspec.json.Decoder(_Names).decode
_encode = msgspec.json.Encoder().encode

Ask = Callable[[str], Awaitable[Answer]]  # GET this path of the inventory, whoever wants to know


class Catalog:
    """Belongs to one event loop. `listen` opens the inventory's stream of changes."""

    def __init__(
        self, reading: Reading, writing: Writing, ask: Ask, listen: Callable[[str], Awaitable[Stream]]
    ) -> None:
        self._reading = reading
        self._writing = writing
        self._loader = reading.loader
        self._pages: set[str] = set()  # that may be in the cache, as far as this process knows
        self._ask = ask
        self._listen = listen
        self._bypassed = CACHE_READS.labels("catalog", "bypass")
        self._listener: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._listener = asyncio.create_task(self._follow(), name="catalog changes")

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        await self._loader.cache.close()

    async def read(self, request: Request, path: str, around: Callable[[], Awaitable[Answer]]) -> Response | Answer:
        """`around`: asks the inventory for this very caller. Raises what that raises."""
        asked = Asked.by(request)
        try:
            if asked.level is Level.STRONG or (asked.waits and asked.token and asked.token.service == INVENTORY):
                self._bypassed.inc()
                began = self._loader.clock()
                return await self._keep(path, await around(), began)
            if path.startswith(f"{PRODUCTS}/"):
                return self._product(request, await self._reading.get(path))
            return await self._listed(path)
        except Declined as declined:
            return declined.answer

    async def write(self, path: str, send: Callable[[], Awaitable[Answer]]) -> Answer:
        """`path` of the product. Its answer is what reads show from now on, or nothing is known."""
        answer: Answer | None = None

        async def store() -> Loaded:
            nonlocal answer
            answer = await send()
            return _loaded(answer)

        try:
            await self._writing.write(path, store)
        except Declined:
            pass
        finally:
            await self._forget_pages()
        assert answer is not None
        return answer

    async def load(self, path: str) -> Loaded:
        """The source behind the cache."""
        began = self._loader.clock()
        answer = await self._ask(path)
        if answer.status >= 500:
            raise Unavailable(f"inventory answered {answer.status}; try again")
        return _loaded(answer) if path.startswith(f"{PRODUCTS}/") else await self._unpack(answer, began)

    async def _keep(self, path: str, answer: Answer, began: int) -> Answer:
        if path.startswith(f"{PRODUCTS}/") and answer.status == 200:
            await self._loader.put(path, _loaded(answer))
        elif answer.status == 200:
            await self._loader.put(path, await self._unpack(answer, began))
        return answer

    async def _unpack(self, answer: Answer, began: int) -> Loaded:
        """Put the products of a page where products are; what is left is their names."""
        if answer.status != 200:
            raise Declined(answer)
        page, skus = _page(answer.body), []
        for raw in page.items:
            item = _item(raw)
            skus.append(item.sku)
            await self._loader.put(f"{PRODUCTS}/{item.sku}", Loaded(bytes(raw), item.version), began)
        return Loaded(_encode(_Names(skus, page.next_cursor)), began)

    async def _listed(self, path: str) -> Response:
        self._pages.add(path)
        entry = await self._reading.get(path)
        names = _names(entry.value or b"")
        items = await asyncio.gather(*(self._known(f"{PRODUCTS}/{sku}") for sku in names.skus))
        body = b'{"items":[%b],"next_cursor":%b}' % (b",".join(items), _encode(names.next_cursor))
        return Response(body, headers=self._headers(entry), media_type="application/json")

    async def _known(self, path: str) -> bytes:
        """A product of a page that is fresh: as of that page, or later."""
        entry = await self._loader.cache.get(path) or await self._loader.load(path)
        return entry.value or b"{}"

    def _product(self, request: Request, entry: Entry) -> Response:
        if entry.value is None:
            raise Problem(404, "product-not-found", "There is no such product.")
        headers = {"ETag": f'"{entry.version}"', **self._headers(entry)}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(entry.value, headers=headers, media_type="application/json")

    def _headers(self, entry: Entry) -> dict[str, str]:
        age = max(0, self._loader.clock() - entry.loaded) // 1000
        return {"Cache-Control": "private, max-age=1", "Age": str(age)}

    async def _follow(self) -> None:
        """Forget what changes. What was missed while nobody listened is forgotten with all the rest."""
        while True:
            try:
                stream, rest = await self._listen(CHANGES), b""
                async for chunk in stream.chunks():
                    *events, rest = (rest + chunk).split(b"\n\n")
                    for event in events:
                        await self._hear(event)
            except OrderlyError as error:
                _log.info("changes are not heard", error=str(error))
            await asyncio.sleep(AGAIN)

    async def _hear(self, event: bytes) -> None:
        if event == b": listening":
            await self._loader.cache.clear()
        elif event.startswith(b"data: "):
            await self._loader.invalidate(f"{PRODUCTS}/{event[6:].decode()}")
            await self._forget_pages()

    async def _forget_pages(self) -> None:
        """Products may be on them that were not."""
        pages, self._pages = self._pages, set()
        for path in pages:
            await self._loader.invalidate(path)


def _loaded(answer: Answer) -> Loaded:
    """A product, or that there is none. Raises Declined for every other answer."""
    tag = answer.headers.get("ETag", "").strip('"')
    if answer.status == 200 and tag.isdecimal():
        return Loaded(answer.body, int(tag))
    if answer.status == 404:
        return Loaded(None)
    raise Declined(answer)
