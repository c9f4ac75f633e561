"""Writes `jars.lock` anew: `python -m orderly.backing.locking`, when Kafka or its logging gets another version."""

import hashlib
from pathlib import Path

from jgo.maven import MavenContext

from orderly.backing.artifacts import LOCK

# One at a time: resolved together, log4j's dependency management would drag kafka-clients to another version.
WANTED = (
    "org.apache.kafka:kafka_2.13:4.3.1",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
)


def main() -> None:
    context = MavenContext()
    lines: dict[str, None] = {}
    for coordinate in WANTED:
        asked = context.create_dependency(coordinate)
        inputs, transitive = context.resolver.resolve([asked])
        for it in [*inputs, *sorted(transitive, key=str)]:
            digest = hashlib.sha256(Path(it.artifact.resolve()).read_bytes()).hexdigest()
            lines[f"{it.groupId}:{it.artifactId}:{it.version} sha256:{digest}"] = None
    LOCK.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
