"""One thread's conversation with the brokers: every request goes to the node that answers for it.

The client library makes, secures and authenticates the connections and encodes what is said. Its loop runs in the caller's
thread, and only while the caller waits: a process that is frozen or busy is silent, and leases are made of just that.
"""

import contextlib
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any, TypeVar

from kafka import errors
from kafka.future import Future
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.net.wakeup_notifier import WakeupNotifier
from kafka.protocol.metadata import CoordinatorType, FindCoordinatorRequest, MetadataRequest

from common.errors import LogError, Unavailable
from common.eventlog.kafka.connection import KafkaConnection
from common.eventlog.kafka.polling import StandingSelector

T = TypeVar("T")
Node = int | str
Place = tuple[str, int]  # topic, partition

REQUEST_TIMEOUT = 5.0  # seconds until a broker that does not answer is taken for gone
CONNECT_WITHIN = 1  # seconds, doubled up to REQUEST_TIMEOUT: an address that was a pod's swallows what is sent there
FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.2  # seconds before a request is sent again

GROUP, TRANSACTION = CoordinatorType.GROUP, CoordinatorType.TRANSACTION

HUNG_UP = (
    ": a broker that hangs up wants another protocol, mechanism, user or password"  # the client loses its last word
)
REFUSED = ": the broker wants another user or password"

_NOT_YET = (errors.ConcurrentTransactionsError, errors.CoordinatorLoadInProgressError, errors.UnstableOffsetCommitError)


class Wire:
    """Not thread-safe, but for `wake`.

    A broker serves the requests of one connection one after the other. Who waits for records therefore needs a wire of its
    own `beside` the one for all the rest; the two share a loop.
    """

    def __init__(self, connection: KafkaConnection, name: str, *, beside: "Wire | None" = None) -> None:
        manner = connection.client()
        self._connection = connection
        self._beside = beside
        self._net: NetworkSelector = (
            beside._net if beside else NetworkSelector(client_id=name, selector=StandingSelector)
        )
        self._news = WakeupNotifier(self._net)
        self._manager = KafkaConnectionManager(
            self._net,
            client_id=name,
            reconnect_backoff_ms=20,
            reconnect_backoff_max_ms=500,
            socket_connection_setup_timeout_ms=CONNECT_WITHIN * 1000,
            socket_connection_setup_timeout_max_ms=int(REQUEST_TIMEOUT * 1000),
            request_timeout_ms=int(REQUEST_TIMEOUT * 1000),
            receive_message_max_bytes=2**30,
            **manner,
        )
        self._leaders: dict[Place, Node] = {}
        self._coordinators: dict[tuple[int, str], Node] = {}
        self._closed = False

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Drive the loop until `work` is done. Raises `Unavailable` for what may pass, LogError for what will not."""
        try:
            return self._drive(work)
        except errors.RetriableError as error:
            raise Unavailable(f"{self._connection.bootstrap}: {error!r}; try again later") from None
        except errors.KafkaError as error:
            raise LogError(f"{self._connection.bootstrap} refuses: {error!r}") from None

    def _drive(self, work: Coroutine[Any, Any, T]) -> T:
        """The loop's own `run` is for any thread, and so wakes itself through a socket."""
        outcome: Future = Future()

        async def drive() -> None:
            try:
                outcome.success(await work)
            except BaseException as error:
                outcome.failure(error)

        self._net.call_soon(drive)
        self._net.poll(future=outcome)
        if outcome.exception is not None:
            raise outcome.exception
        value: T = outcome.value
        return value

    def spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """It goes on whenever the loop is driven."""
        self._net.call_soon(work)

    async def pause(self, until: float) -> None:
        """Until that moment (time.monotonic), or `wake`."""
        await self._news(max(0.0, until - time.monotonic()))

    def wake(self) -> None:
        """From any thread, and from a signal handler."""
        if not self._closed:
            self._news.notify()

    async def call(self, node: Node | None, request: Any) -> Any:
        """One attempt; `node` None is any broker. Raises the client's errors."""
        if not self._manager.bootstrapped:
            await self._introduce()
        return await self.send(node, request)

    async def _introduce(self) -> None:
        """The client tries again whatever it was, and says in the end that time is up. One more attempt says why."""
        try:
            await self._manager.bootstrap_async(REQUEST_TIMEOUT * 1000)
        except errors.KafkaTimeoutError:
            broker = self._manager.cluster.bootstrap_brokers()[0].node_id
            self._manager.reset_backoff(broker)
            connection = self._manager.get_connection(broker, refresh_metadata_on_err=False)
            try:
                await self._manager.wait_for(connection.init_future, REQUEST_TIMEOUT * 1000)
            except (errors.KafkaConnectionError, errors.SaslAuthenticationFailedError) as error:
                said = ", ".join(map(str, error.args))
                refused = isinstance(error, errors.SaslAuthenticationFailedError)
                advice = REFUSED if refused else HUNG_UP if "disconnected" in said else ""
                raise type(error)(f"{said}, spoken to in {self._connection.manner}{advice}") from None
            raise

    def send(self, node: Node | None, request: Any) -> Awaitable[Any]:
        """Under way when this returns; requests to one node are served in the order of the sends."""
        try:
            answer: Awaitable[Any] = self._manager.send(request, node_id=node)
        except errors.UnknownBrokerIdError as error:  # the cluster has changed
            raise errors.StaleMetadata(*error.args) from None
        return answer

    async def persist(self, attempt: Callable[[], Awaitable[T]], until: float) -> T:
        """Try again what may pass, whoever leads now, until that moment (time.monotonic); then raise its error."""
        pause = FIRST_PAUSE
        while True:
            try:
                return await attempt()
            except errors.RetriableError as error:
                if not isinstance(error, _NOT_YET):
                    self.forget()
                if time.monotonic() + pause > until:
                    raise
            await self._net.sleep(pause)
            pause = min(1.5 * pause, LONGEST_PAUSE)

    async def leaders(self, places: Collection[Place]) -> dict[Node, list[Place]]:
        """Who leads what. Asks when it does not know."""
        unknown = {topic for topic, partition in places if (topic, partition) not in self._leaders}
        if unknown:
            for topic in await self.describe(unknown):
                check(topic.error_code)
                found = {(topic.name, each.partition_index): each.leader_id for each in topic.partitions}
                self._leaders |= {place: leader for place, leader in found.items() if leader >= 0}
        by_node: dict[Node, list[Place]] = defaultdict(list)
        for place in places:
            leader = self._leaders.get(place)
            if leader is None:
                raise errors.LeaderNotAvailableError(place)
            by_node[leader].append(place)
        return by_node

    async def describe(self, topics: Collection[str] | None, *, rights: bool = False) -> Any:
        """What the cluster says of these topics, or of all; with `rights` also what we may do to them."""
        wanted = None if topics is None else [MetadataRequest.MetadataRequestTopic(name=name) for name in topics]
        request = MetadataRequest(
            topics=wanted, allow_auto_topic_creation=False, include_topic_authorized_operations=rights
        )
        response = await self.call(None, request)
        self._manager.cluster.update_metadata(response)
        return response.topics

    async def coordinator(self, kind: CoordinatorType, key: str) -> Node:
        """The broker that keeps a group, or the transactions of an id."""
        known = self._coordinators.get((kind, key))
        if known is None:
            request = FindCoordinatorRequest(key_type=kind, coordinator_keys=[key], min_version=4)
            (found,) = (await self.call(None, request)).coordinators
            check(found.error_code)
            known = self._coordinators[kind, key] = self._manager.cluster.add_coordinator(found, kind, key)
        return known

    async def line(self, kind: CoordinatorType, key: str) -> object:
        """The connection to it, another object whenever that was lost. Raises the client's errors."""
        node = await self.coordinator(kind, key)
        return self._manager.get_connection(node)

    def forget(self) -> None:
        """Who leads what has changed, perhaps."""
        self._leaders.clear()
        self._coordinators.clear()

    def hang_up(self, node: Node) -> None:
        """Give up the requests under way to this node."""
        connection = self._manager.get_connection(node)
        if connection.connected:
            connection.close()

    def close(self) -> None:
        self._closed = True
        self._drive(self._close())
        if self._beside is None:
            self._net.close()

    async def _close(self) -> None:
        """A connection that is still being made cannot be closed, one that is in use can when it has sent what it has."""
        for connection in list(self._manager._conns.values()):
            with contextlib.suppress(errors.KafkaError):
                await self._manager.wait_for(connection.init_future, REQUEST_TIMEOUT * 1000)
                connection.close()
                await self._manager.wait_for(connection.close_future, REQUEST_TIMEOUT * 1000)
        self._manager.close()


def check(code: int, what: str = "") -> None:
    """Raise the error that an answer tells of."""
    if code:
        raise errors.for_code(code)(what)
