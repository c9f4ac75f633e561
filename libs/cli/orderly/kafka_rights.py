"""Gives the users of a Kafka what common.security.access says they may do: adds what is missing, and takes nothing away."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from kafka import KafkaAdminClient, errors
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from common.errors import LogError
from common.eventlog.kafka import KafkaConnection
from common.security.access import Right
from orderly.backing.locks import AUTHORIZER
from orderly.failure import Failure

KNOWN_WITHIN = 30.0  # seconds until the broker that is asked knows what the controller has written
EVERYWHERE = "*"  # any host


@dataclass(frozen=True, slots=True)
class Granted:
    """`more`: what this principal may do besides, given by somebody else."""

    principal: str
    added: int
    there: int
    more: Sequence[str]


def grant(connection: KafkaConnection, wanted: Mapping[str, Sequence[Right]]) -> list[Granted]:
    """`wanted`: the rights of each principal. Returns when a broker knows them. Raises Failure, LogError."""
    with _explained(connection), closing(KafkaAdminClient(**connection.client())) as admin:
        before = {principal: _rights(admin, principal) for principal in wanted}
        needed = {principal: {acl(principal, right) for right in rights} for principal, rights in wanted.items()}
        missing = [acl for principal, acls in needed.items() for acl in acls - before[principal]]
        if missing:
            admin.create_acls(missing)
        until = time.monotonic() + KNOWN_WITHIN
        while late := [one for one, acls in needed.items() if not acls <= _rights(admin, one)]:
            if time.monotonic() > until:
                raise Failure(f"{connection.bootstrap} does not show the rights of {', '.join(late)} that it was given")
            time.sleep(0.05)
        return [
            Granted(
                principal,
                len(acls - before[principal]),
                len(acls & before[principal]),
                sorted(map(_words, before[principal] - acls)),
            )
            for principal, acls in needed.items()
        ]


def _rights(admin: KafkaAdminClient, principal: str) -> set[ACL]:
    anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    found, _ = admin.describe_acls(ACLFilter(principal, None, ACLOperation.ANY, ACLPermissionType.ANY, anything))
    return set(found)


def acl(principal: str, right: Right) -> ACL:
    kind = ACLResourcePatternType.PREFIXED if right.name.endswith("*") else ACLResourcePatternType.LITERAL
    resource = ResourcePattern(ResourceType[_enum(right.resource)], right.name.removesuffix("*"), kind)
    return ACL(principal, EVERYWHERE, ACLOperation[_enum(right.operation)], ACLPermissionType.ALLOW, resource)


def _enum(words: str) -> str:
    """`transactional id` as TRANSACTIONAL_ID, `DescribeConfigs` as DESCRIBE_CONFIGS."""
    return "".join(f"_{it}" if it.isupper() and at else it for at, it in enumerate(words)).upper().replace(" ", "_")


def _words(acl: ACL) -> str:
    pattern = acl.resource_pattern
    prefix = "*" if pattern.pattern_type is ACLResourcePatternType.PREFIXED else ""
    kind = pattern.resource_type.name.lower().replace("_", " ")
    return f"{acl.permission_type.name.lower()} {acl.operation.name.lower()} on {kind} {pattern.resource_name}{prefix}"


@contextmanager
def _explained(connection: KafkaConnection) -> Iterator[None]:
    try:
        yield
    except errors.SecurityDisabledError:
        raise Failure(
            f"the Kafka at {connection.bootstrap} asks nobody for rights: it has no authorizer",
            f"set authorizer.class.name={AUTHORIZER} on its nodes, or leave out --acls",
        ) from None
    except errors.ClusterAuthorizationFailedError:
        raise Failure(
            f"the Kafka at {connection.bootstrap} does not let {connection.manner} give rights",
            "connect as one of its super.users, or as one with Alter on the cluster",
        ) from None
    except errors.KafkaError as error:
        raise LogError(f"{connection.bootstrap}, spoken to in {connection.manner}: {error!r}") from None
