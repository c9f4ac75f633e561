"""A proxy that knows Kafka's frames, and does to one of them what networks do: at the worst moment, on purpose.

    client ─▶ proxy ─▶ broker      a frame is: length, api key, api version, correlation id, …

Clients that are given the proxy's address stay behind it: it puts its own in the place of the broker's in what the broker
answers. For one broker that advertises the address it is reached at, without TLS, and for requests that are answered
(acks other than 0).
"""

import asyncio
import contextlib
import enum
import struct
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

PATIENCE = 30.0  # seconds that a broker may take for anything


class Api(enum.IntEnum):
    """The requests that matter here, by their keys in Kafka's protocol."""

    PRODUCE = 0
    METADATA = 3
    FIND_COORDINATOR = 10
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28
    DESCRIBE_CLUSTER = 60


TELL_ADDRESSES = (Api.METADATA, Api.FIND_COORDINATOR, Api.DESCRIBE_CLUSTER)


class Fault(enum.Enum):
    PASS = "passed on"
    DELAY = "delayed"  # the client loses its connection, and the frame is on its way until it is released
    RELEASE = "overtaken"  # the delayed frames arrive first, then this one is passed on
    DUPLICATE = "duplicated"  # it arrives twice in a row
    CUT = "cut"  # the connection is lost before it arrives
    CUT_ANSWER = "answer cut"  # it arrives and takes effect, then the connection is lost


class Frame(NamedTuple):
    """One request as it was sent, without its length."""

    api: int
    version: int
    body: bytes


Judge = Callable[[Frame], Fault]


class Step(NamedTuple):
    apis: Api | tuple[Api, ...]
    fault: Fault
    skip: int = 0

    def is_about(self, frame: Frame) -> bool:
        return frame.api in (self.apis if isinstance(self.apis, tuple) else (self.apis,))


class Script:
    """A judge: these faults, one after the other, each to the next request of its kind after `skip` of them."""

    def __init__(self, *steps: Step) -> None:
        self.left = list(steps)

    def __call__(self, frame: Frame) -> Fault:
        if not self.left or not self.left[0].is_about(frame):
            return Fault.PASS
        step = self.left.pop(0)
        if step.skip:
            self.left.insert(0, step._replace(skip=step.skip - 1))
            return Fault.PASS
        return step.fault


class KafkaProxy:
    """Asks `judge` about each request, on the proxy's own thread. A context manager: leaving it cuts all connections."""

    def __init__(self, broker: str) -> None:
        host, _, port = broker.partition(":")
        self._broker = host, int(port)
        self._own = self._broker
        self.judge: Judge = lambda frame: Fault.PASS
        self._held: deque[tuple[Frame, _Broker]] = deque()
        self._streams: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kafka-proxy", daemon=True)

    def __enter__(self) -> "KafkaProxy":
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._serve, self._broker[0], 0))
        self._own = self._broker[0], int(self._server.sockets[0].getsockname()[1])
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    @property
    def bootstrap(self) -> str:
        return f"{self._own[0]}:{self._own[1]}"

    @property
    def held(self) -> int:
        """How many frames are on their way."""
        return len(self._held)

    def release(self) -> list[bytes]:
        """Let the delayed frames arrive, oldest first. Returns the broker's answers, which no client ever hears."""
        return self._call(self._release())

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _release(self) -> list[bytes]:
        answers = []
        while self._held:
            frame, broker = self._held.popleft()
            answers.append(await broker.ask(frame))
            broker.close()
        return answers

    async def _stop(self) -> None:
        self._server.close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:  # also those that have yet to begin
            for stream in self._streams:
                stream.transport.abort()
            await asyncio.wait(others, timeout=0.01)

    async def _serve(self, requests: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        """One connection of a client, until a fault or the end of either side."""
        broker: _Broker | None = None
        self._streams.add(client)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            answers, stream = await asyncio.open_connection(*self._broker)
            self._streams.add(stream)
            broker = _Broker(answers, stream)
            while await self._pass_on(await _read(requests), client, broker):
                pass
        if broker and broker not in (each for _, each in self._held):
            broker.close()
        await _closed(client)

    async def _pass_on(self, body: bytes, client: asyncio.StreamWriter, broker: "_Broker") -> bool:
        """False: the client shall lose its connection."""
        api, version = struct.unpack_from(">hh", body)
        frame = Frame(api, version, body)
        fault = self.judge(frame)
        match fault:
            case Fault.CUT:
                return False
            case Fault.CUT_ANSWER:
                await broker.ask(frame)
                return False
            case Fault.DELAY:
                self._held.append((frame, broker))
                return False
            case Fault.RELEASE:
                await self._release()
        broker.ask(frame).add_done_callback(partial(self._answer, client, frame))
        if fault is Fault.DUPLICATE:
            broker.ask(frame)
        return True

    def _answer(self, client: asyncio.StreamWriter, frame: Frame, answer: "asyncio.Future[bytes]") -> None:
        if answer.exception():
            client.close()
            return
        body = answer.result()
        if frame.api in TELL_ADDRESSES:  # a port is four bytes that follow the name of the host
            there, here = (host.encode() + struct.pack(">i", port) for host, port in (self._broker, self._own))
            body = body.replace(there, here)
        _write(client, body)


class _Broker:
    """A connection to the broker, which answers in the order of the requests."""

    def __init__(self, answers: asyncio.StreamReader, requests: asyncio.StreamWriter) -> None:
        self._requests = requests
        self._asked: deque[asyncio.Future[bytes]] = deque()
        self._listening = asyncio.create_task(self._listen(answers))

    def ask(self, frame: Frame) -> "asyncio.Future[bytes]":
        if self._listening.done():
            raise ConnectionResetError("the broker has closed the connection")
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked.append(answer)
        _write(self._requests, frame.body)
        return answer

    def close(self) -> None:
        self._requests.close()

    async def _listen(self, answers: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                answer = await _read(answers)
                self._asked.popleft().set_result(answer)
        for asked in self._asked:
            asked.set_exception(ConnectionResetError("the broker has closed the connection"))
            asked.exception()  # whether or not anybody asks
        await _closed(self._requests)


async def _read(reader: asyncio.StreamReader) -> bytes:
    (length,) = struct.unpack(">i", await reader.readexactly(4))
    return await reader.readexactly(length)


def _write(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(struct.pack(">i", len(body)) + body)


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
