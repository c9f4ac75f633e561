"""One connection to Redis that everybody on an event loop shares: what is asked while answers are awaited goes out together."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import hiredis
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError

from common.errors import Unavailable
from common.readmodel.redis.server import RESP, address, run_id

PATIENCE = 0.5  # seconds for a connection or for answers

Command = tuple[Any, ...]


class Answers(NamedTuple):
    """`run`: the run_id of the Redis that gave them."""

    run: bytes
    each: Sequence[Any]


class _Question(NamedTuple):
    packed: bytes
    commands: int
    answers: "asyncio.Future[Answers]"


class Lane:
    """Connects with the first question, and again with the next one after an error.

    An error fails all that is being asked at that moment, with Unavailable: nobody waits behind a Redis that does not answer
    for longer than it takes to notice.
    """

    def __init__(self, url: str) -> None:
        self._pool = ConnectionPool.from_url(url, protocol=RESP, socket_timeout=None, socket_keepalive=True)
        self._address = address(url)
        self._asked: list[_Question] = []
        self._wanted = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._run = b""

    async def ask(self, *commands: Command) -> Answers:
        """The answers to all of them, in one go, but others' commands may come between. Raises Unavailable."""
        loop = asyncio.get_running_loop()
        packed = b"".join(hiredis.pack_command(command) for command in commands)
        question = _Question(packed, len(commands), loop.create_future())
        self._asked.append(question)
        if self._worker is None or self._worker.done():
            self._wanted = asyncio.Event()
            self._worker = loop.create_task(self._work(), name="redis lane")
        self._wanted.set()
        return await question.answers

    def close(self) -> None:
        if self._worker is not None and not self._worker.get_loop().is_closed():
            self._worker.cancel()

    async def _work(self) -> None:
        connection = self._pool.make_connection()
        asked: list[_Question] = []
        try:
            while await self._wanted.wait():
                self._wanted.clear()
                asked, self._asked = self._asked, []
                try:
                    async with asyncio.timeout(PATIENCE):
                        await self._answer(connection, asked)
                except (RedisError, TimeoutError) as error:
                    await connection.disconnect(nowait=True)
                    connection = self._pool.make_connection()  # it keeps the CA that it was made with
                    self._fail(asked, str(error) or f"no answer within {PATIENCE} s")
        finally:
            await connection.disconnect(nowait=True)
            self._fail(asked, "closed")

    async def _answer(self, connection: AbstractConnection, asked: Sequence[_Question]) -> None:
        if not connection.is_connected:
            await connection.connect()
            await connection.send_command("INFO", "server")
            self._run = run_id(await connection.read_response())
        await connection.send_packed_command([question.packed for question in asked], check_health=False)
        for question in asked:
            each = [await _answer_of(connection) for _ in range(question.commands)]
            if question.answers.done():  # whoever asked has gone
                continue
            refused = next((answer for answer in each if isinstance(answer, ResponseError)), None)
            if refused is None:
                question.answers.set_result(Answers(self._run, each))
            else:
                question.answers.set_exception(self._unavailable(str(refused)))

    def _fail(self, asked: Sequence[_Question], reason: str) -> None:
        """What is being asked, and what waits behind it."""
        for question in (*asked, *self._asked):
            if not question.answers.done():
                question.answers.set_exception(self._unavailable(reason))
        self._asked = []

    def _unavailable(self, reason: str) -> Unavailable:
        return Unavailable(f"Redis at {self._address}: {reason}")


async def _answer_of(connection: AbstractConnection) -> Any:
    """An error that one command has made is its answer: the next one's follows."""
    try:
        return await connection.read_response(disable_decoding=True)
    except ResponseError as error:
        return error
