"""The proxy does to frames what it says, seen from a client and from a broker that only notes and echoes."""

import socket
import socketserver
import struct
import threading
from collections.abc import Iterator

import pytest

from common.testing.kafka_proxy import Api, Fault, KafkaProxy, Script, Step


class Broker(socketserver.ThreadingTCPServer):
    """Answers each request with its correlation id and its payload."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[bytes] = []
        self.port: int = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class Handler(socketserver.StreamRequestHandler):
    server: Broker

    def handle(self) -> None:
        while head := self.rfile.read(4):
            body = self.rfile.read(*struct.unpack(">i", head))
            self.server.seen.append(body[8:])
            self.wfile.write(struct.pack(">i", len(body) - 4) + body[4:])


class Client:
    def __init__(self, bootstrap: str) -> None:
        host, port = bootstrap.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self._sent = 0

    def send(self, api: Api, payload: bytes) -> None:
        self._sent += 1
        body = struct.pack(">hhi", api, 0, self._sent) + payload
        self.socket.sendall(struct.pack(">i", len(body)) + body)

    def receive(self) -> tuple[int, bytes] | None:
        """Correlation id and payload; None: the connection was cut."""
        try:
            head = self.socket.recv(4, socket.MSG_WAITALL)
            if len(head) < 4:
                return None
            (length,) = struct.unpack(">i", head)
            body = self.socket.recv(length, socket.MSG_WAITALL)
        except ConnectionResetError:
            return None
        return struct.unpack_from(">i", body)[0], body[4:]

    def ask(self, api: Api, payload: bytes) -> bytes | None:
        self.send(api, payload)
        answer = self.receive()
        return answer[1] if answer else None


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker
        broker.shutdown()


@pytest.fixture
def proxy(broker: Broker) -> Iterator[KafkaProxy]:
    with KafkaProxy(f"127.0.0.1:{broker.port}") as proxy:
        yield proxy


@pytest.fixture
def connect(proxy: KafkaProxy) -> Iterator["Connect"]:
    connect = Connect(proxy)
    yield connect
    for client in connect.made:
        client.socket.close()


class Connect:
    def __init__(self, proxy: KafkaProxy) -> None:
        self._proxy = proxy
        self.made: list[Client] = []

    def __call__(self) -> Client:
        self.made.append(Client(self._proxy.bootstrap))
        return self.made[-1]


def test_without_a_fault_everything_is_passed_on_in_order(broker: Broker, connect: Connect) -> None:
    client = connect()
    for number in range(3):
        client.send(Api.PRODUCE, b"%d" % number)
    assert [client.receive() for _ in range(3)] == [(1, b"0"), (2, b"1"), (3, b"2")]
    assert broker.seen == [b"0", b"1", b"2"]


def test_a_duplicated_request_arrives_twice_and_is_answered_once(
    broker: Broker, proxy: KafkaProxy, connect: Connect
) -> None:
    proxy.judge = Script(Step(Api.END_TXN, Fault.DUPLICATE))
    client = connect()
    assert client.ask(Api.END_TXN, b"end") == b"end"
    assert client.ask(Api.PRODUCE, b"next") == b"next"
    assert broker.seen == [b"end", b"end", b"next"]


def test_a_cut_request_never_arrives(broker: Broker, proxy: KafkaProxy, connect: Connect) -> None:
    proxy.judge = Script(Step(Api.END_TXN, Fault.CUT))
    assert connect().ask(Api.END_TXN, b"lost") is None
    assert connect().ask(Api.END_TXN, b"again") == b"again"
    assert broker.seen == [b"again"]


def test_when_the_answer_is_cut_the_request_has_arrived(broker: Broker, proxy: KafkaProxy, connect: Connect) -> None:
    proxy.judge = Script(Step(Api.END_TXN, Fault.CUT_ANSWER))
    assert connect().ask(Api.END_TXN, b"done") is None
    assert broker.seen == [b"done"]


def test_a_delayed_request_arrives_when_it_is_released(broker: Broker, proxy: KafkaProxy, connect: Connect) -> None:
    proxy.judge = Script(Step(Api.END_TXN, Fault.DELAY))
    assert connect().ask(Api.END_TXN, b"early") is None
    assert connect().ask(Api.END_TXN, b"late") == b"late"
    assert proxy.held == 1
    assert [answer[4:] for answer in proxy.release()] == [b"early"]
    assert broker.seen == [b"late", b"early"]
    assert proxy.held == 0


def test_delayed_requests_can_arrive_just_before_another(broker: Broker, proxy: KafkaProxy, connect: Connect) -> None:
    proxy.judge = Script(Step(Api.PRODUCE, Fault.DELAY), Step(Api.END_TXN, Fault.RELEASE, skip=1))
    assert connect().ask(Api.PRODUCE, b"delayed") is None
    client = connect()
    assert [client.ask(Api.END_TXN, each) for each in (b"one", b"two")] == [b"one", b"two"]
    assert broker.seen == [b"one", b"delayed", b"two"]


def test_clients_are_told_of_the_proxy_and_not_of_the_broker(
    broker: Broker, proxy: KafkaProxy, connect: Connect
) -> None:
    address = b"\x0a127.0.0.1" + struct.pack(">i", broker.port)
    told = connect().ask(Api.METADATA, b"before" + address + b"after")
    port = int(proxy.bootstrap.split(":")[1])
    assert told == b"before\x0a127.0.0.1" + struct.pack(">i", port) + b"after"
    assert connect().ask(Api.PRODUCE, address) == address


def test_a_client_is_cut_off_when_the_broker_is_gone(broker: Broker, proxy: KafkaProxy, connect: Connect) -> None:
    client = connect()
    assert client.ask(Api.PRODUCE, b"") == b""
    broker.shutdown()
    broker.server_close()
    assert connect().ask(Api.PRODUCE, b"") is None
