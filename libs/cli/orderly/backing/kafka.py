"""A private Kafka: one or three combined KRaft nodes on loopback, on the same ports as long as nobody takes them.

Memory is kept small and nothing expires that a platform asleep for a month would miss: see `properties`. Kafka acknowledges
from the page cache: kill -9 of a node loses nothing, power failure of a single one may; `durable` flushes every append.
"""

import os
import shlex
from collections.abc import Mapping, Sequence

from orderly.backing import artifacts, java, locks
from orderly.backing.artifacts import Tell
from orderly.backing.leash import leashed
from orderly.backing.nodes import Node, format_all, nodes_in
from orderly.child import Plan
from orderly.folder import Folder
from orderly.heartbeat import Question
from orderly.sockets import LOOPBACK

ROLE = "broker"
SEGMENT_BYTES = str(4 * 2**20)  # of its own topics: of these a broker that starts reads all that is not compacted
HEAP = {1: "512m", 3: "256m"}  # for each of so many nodes
FLAGS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:-UsePerfData")
API_VERSIONS = bytes.fromhex(
    "0000000a 0012 0000 00000000 0000"
)  # size, api key 18, version 0, correlation 0, client ""


def question(port: int, tls: bool = False) -> Question:
    """Before it serves it accepts and says nothing; a port that wants TLS hangs up, and that is an answer too."""
    return Question(port, API_VERSIONS, lambda answer: True, tls)


def bootstrap(plans: Sequence[Plan]) -> str:
    return ",".join(f"{LOOPBACK}:{it.port}" for it in plans if it.role == ROLE)


def plans(
    folder: Folder,
    count: int = 0,
    *,
    durable: bool = False,
    secure: bool = False,
    more: Mapping[str, str] | None = None,
    format_arguments: Sequence[str] = (),
    tell: Tell = lambda line: None,
) -> list[Plan]:
    """What to start. Fetches Kafka and formats its storage where that was not done. `secure`: see `locks`. `more`: properties
    for each node, `format_arguments` for StorageTool. Raises Failure for what is missing, and for data with another `count`."""
    program = java.find()
    command = [str(program.program), "-cp", f"{artifacts.jars(tell)}/*"]
    nodes = nodes_in(folder.root / "kafka", count)
    locked = locks.for_kafka(folder) if secure else {}
    for node in nodes:
        node.folder.mkdir(parents=True, exist_ok=True)
        settings = {**properties(node, nodes, durable=durable), **locked, **(more or {})}
        node.properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        (node.folder / "log4j2.properties").write_text(LOGGING.replace("NAME", node.name))
    format_all(nodes, [*command, *FLAGS], format_arguments)
    return [_plan(folder, command, node, HEAP[len(nodes)], secure) for node in nodes]


def properties(node: Node, nodes: Sequence[Node], *, durable: bool) -> dict[str, str]:
    """Client and controller listeners have names of their own, so that a test may give the clients' one TLS or SASL."""
    replicas, quorum = str(len(nodes)), "2" if len(nodes) > 1 else "1"
    return {
        "process.roles": "broker,controller",
        "node.id": str(node.number),
        "controller.quorum.voters": ",".join(f"{it.number}@{LOOPBACK}:{it.controller_port}" for it in nodes),
        "listeners": f"CLIENT://{LOOPBACK}:{node.port},CONTROLLER://{LOOPBACK}:{node.controller_port}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(node.folder / "data"),
        "auto.create.topics.enable": "false",
        "default.replication.factor": replicas,
        "min.insync.replicas": quorum,
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": "4",
        "offsets.topic.segment.bytes": SEGMENT_BYTES,
        "offsets.retention.minutes": str(2**31 - 1),  # else a platform that rested for a week begins anew
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": quorum,
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.segment.bytes": SEGMENT_BYTES,
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",  # readers wait for no dead writer longer
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": quorum,
        "group.initial.rebalance.delay.ms": "0",
        "group.consumer.min.session.timeout.ms": "500",  # each group's lease is its own
        "group.consumer.min.heartbeat.interval.ms": "100",
        "broker.session.timeout.ms": "4000"
        if len(nodes) > 1
        else "2000",  # a killed one waits for it when it comes back
        "broker.heartbeat.interval.ms": "500",
        "log.cleaner.dedupe.buffer.size": str(16 * 2**20),
        "log.index.size.max.bytes": str(2**20),
        "num.network.threads": "2",
        "num.io.threads": "4",
        **({"log.flush.interval.messages": "1"} if durable else {}),
    }


def _plan(folder: Folder, command: Sequence[str], node: Node, heap: str, secure: bool) -> Plan:
    more = shlex.split(os.environ.get("KAFKA_OPTS", ""))  # the name that Kafka's own scripts know
    logging = f"-Dlog4j2.configurationFile={node.folder / 'log4j2.properties'}"
    return Plan(
        name=node.name,
        service=ROLE,
        role=ROLE,
        command=leashed([*command, f"-Xmx{heap}", *FLAGS, *more, logging, "kafka.Kafka", str(node.properties)]),
        environment=os.environ,
        question=question(node.port, secure),
        log=folder.log_of(node.name),
        port=node.port,
    )


LOGGING = """\
rootLogger.level=WARN
rootLogger.appenderRefs=out
rootLogger.appenderRef.out.ref=Out
appender.out.type=Console
appender.out.name=Out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern={"at":"%d{yyyy-MM-dd'T'HH:mm:ss.SSS'Z'}{UTC}","level":"%p{lowerCase=true}",\
"service":"NAME","event":"%enc{%m}{JSON}","logger":"%c{1}","exception":"%enc{%throwable}{JSON}"}%n
"""
