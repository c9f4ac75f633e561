"""Membership of a group by Kafka's consumer group protocol (KIP-848): the broker assigns, a member follows and says so.

A member is static (KIP-345): its name is the group instance id, and each life of it has a member id of its own.

- A new life finds its name taken by its predecessor, has the broker remove that one, and takes its place: it is fenced.
- A partition that is to go elsewhere is given up when no work of it is in hand, and has a new owner only after that.
- Who was silent for longer than the lease is removed. It learns that from its next heartbeat or commit, has lost everything
  and joins anew; but while a successor of the same name lives, it stands by.
"""

import contextlib
import time
import uuid
from collections.abc import Set
from typing import Any, NamedTuple

import structlog
from kafka import errors
from kafka.protocol.admin import IncrementalAlterConfigsRequest
from kafka.protocol.consumer import LeaveGroupRequest

from common.clock import Millis
from common.errors import Fenced
from common.eventlog.kafka.schemas import ConsumerGroupHeartbeatRequest
from common.eventlog.kafka.wire import GROUP, REQUEST_TIMEOUT, Wire, check

_OUT = (errors.UnknownMemberIdError, errors.FencedMemberEpochError, errors.FencedInstanceIdError)
_SETTING_REFUSED = (errors.InvalidConfigurationError, errors.AuthorizationError, errors.InvalidRequestError)
_LEAVE = -1  # as a member epoch

BEATS = 10  # heartbeats in one lease
FRESH = 50  # parts of a lease, for one of which membership is sure
EAGER_FOR = 3.0  # seconds after a change during which others are likely
EAGER_PAUSE = 0.1  # seconds between heartbeats meanwhile

_Resource = IncrementalAlterConfigsRequest.AlterConfigsResource
_Config = _Resource.AlterableConfig
_GROUP_RESOURCE = 32

_log = structlog.get_logger("eventlog")


class Ticket(NamedTuple):
    """What a commit must show: the broker refuses those of a member that is no longer, or not in this generation."""

    member: str
    name: str
    generation: int


class Membership:
    """`lives` grows whenever everything was lost. One thread uses it."""

    def __init__(self, wire: Wire, topic: str, topic_id: uuid.UUID, group: str, name: str, lease: Millis) -> None:
        self._wire = wire
        self._topic = topic
        self._topic_id = topic_id
        self._group = group
        self._name = name
        self._lease = lease
        self._fresh = lease / FRESH / 1000
        self._member = ""
        self._epoch = 0
        self._takes_over = True  # until it has joined for the first time
        self._target: Set[int] = frozenset()  # what the broker wants to be owned
        self._told: Set[int] = frozenset()  # what it was told is owned
        self._beat_at = 0.0
        self._eager_until = 0.0
        self.owned: Set[int] = frozenset()
        self.lives = 0
        self._confirmed_at = 0.0  # when (time.monotonic) it was a member for certain

    @property
    def sure(self) -> bool:
        """Whether it is good enough to hand out records that this was a member when it last asked."""
        return time.monotonic() - self._confirmed_at <= self._fresh

    def confirmed(self, at: float) -> None:
        self._confirmed_at = at

    @property
    def beat_at(self) -> float:
        """When the next heartbeat is due (time.monotonic)."""
        return self._beat_at

    def ticket(self) -> Ticket:
        """For a commit of what the last polls brought. It is of the life that they were of: only `keep`, a part of every poll,
        begins a new one. Raises `Fenced` without one."""
        if self._epoch <= 0 or not self.owned:
            raise Fenced(
                f"{self._name}: another owner has its partitions; nothing was written, the next poll joins again"
            )
        return Ticket(self._member, self._name, self._epoch)

    async def keep(self, busy: Set[int]) -> None:
        """Join, or follow the group, as far as that is due. `busy` partitions are not given up yet."""
        while self._epoch <= 0:
            if time.monotonic() < self._beat_at:
                return
            await self._join()
        await self.stay()
        while self._epoch > 0:
            self.owned = self._target | (self.owned & busy)
            if self.owned == self._told:
                return
            await self._beat(self.owned)

    async def stay(self, *, now: bool = False) -> None:
        """Keep the lease if that is due, or `now`: never joins, gives nothing up and takes nothing."""
        if self._epoch > 0 and (now or time.monotonic() >= self._beat_at):
            await self._beat()

    def forsake(self) -> None:
        """It was told that it is no longer a member."""
        self._epoch = 0
        self._beat_at = 0.0
        self._target = self._told = self.owned = frozenset()
        self.lives += 1

    async def leave(self) -> None:
        """Others may take over at once. Says nothing when it is no member any more."""
        if self._member:
            self._epoch = 0
            with contextlib.suppress(*_OUT, errors.GroupIdNotFoundError):
                await self._send(member_epoch=_LEAVE)

    async def _join(self) -> None:
        await self.leave()  # the life before, which may not be over for the broker
        self._beat_at = time.monotonic() + self._lease / BEATS / 1000
        self._member = uuid.uuid4().hex
        try:
            await self._follow(
                member_epoch=0,
                rebalance_timeout_ms=self._lease,
                subscribed_topic_names=[self._topic],
                topic_partitions=[],
            )
        except errors.UnreleasedInstanceIdError:
            if not self._takes_over:
                return  # its successor lives
            await self._wire.persist(self._evict, time.monotonic() + REQUEST_TIMEOUT)
            self._beat_at = (
                time.monotonic() + self._fresh
            )  # until then its predecessor may believe that it owns something
        else:
            self._takes_over = False

    async def _evict(self) -> None:
        """Have the broker remove whoever bears the name."""
        identity = LeaveGroupRequest.MemberIdentity(member_id="", group_instance_id=self._name, reason="taken over")
        request = LeaveGroupRequest(group_id=self._group, member_id="", members=[identity], min_version=3)
        response = await self._wire.call(await self._wire.coordinator(GROUP, self._group), request)
        check(response.error_code)

    async def _beat(self, owned: Set[int] | None = None) -> None:
        """`owned`: to be told."""
        kind = ConsumerGroupHeartbeatRequest.OwnedPartitions
        told = None if owned is None else [kind(topic_id=self._topic_id, partitions=sorted(owned))] if owned else []
        try:
            await self._follow(member_epoch=self._epoch, topic_partitions=told)
        except _OUT:
            self.forsake()
        else:
            self._told = self._told if owned is None else owned

    async def _follow(self, **said: Any) -> None:
        sent_at = time.monotonic()
        response = await self._send(**said)
        self._epoch = response.member_epoch
        self.confirmed(sent_at)
        if response.assignment is not None:
            partitions = {each.topic_id: each.partitions for each in response.assignment.topic_partitions}
            self._target = frozenset(partitions.get(self._topic_id, ()))
            self._eager_until = sent_at + EAGER_FOR
        pause = self._lease / BEATS / 1000
        self._beat_at = sent_at + (min(pause, EAGER_PAUSE) if sent_at < self._eager_until else pause)

    async def _send(self, **said: Any) -> Any:
        async def attempt() -> Any:
            request = ConsumerGroupHeartbeatRequest(
                group_id=self._group, member_id=self._member, instance_id=self._name, **said, min_version=1
            )
            response = await self._wire.call(await self._wire.coordinator(GROUP, self._group), request)
            check(response.error_code, response.error_message or "")
            return response

        return await self._wire.persist(attempt, time.monotonic() + REQUEST_TIMEOUT)


async def set_lease(wire: Wire, group: str, lease: Millis) -> None:
    """How long the broker waits for a silent member of the group, and that it assigns without delay (KIP-1263)."""
    settings = {"consumer.session.timeout.ms": lease, "consumer.heartbeat.interval.ms": lease // 3}
    try:
        await _configure(wire, group, settings)
    except _SETTING_REFUSED as error:
        _log.warning(
            "the broker keeps silent members for longer than the lease: set group.consumer.min.session.timeout.ms and "
            "group.consumer.min.heartbeat.interval.ms there",
            group=group,
            lease=lease,
            error=str(error),
        )
    with contextlib.suppress(*_SETTING_REFUSED):  # a broker that does not know it does not delay
        await _configure(wire, group, {"consumer.assignment.interval.ms": 0})


async def _configure(wire: Wire, group: str, settings: dict[str, int]) -> None:
    configs = [_Config(name=name, config_operation=0, value=str(value)) for name, value in settings.items()]
    resource = _Resource(resource_type=_GROUP_RESOURCE, resource_name=group, configs=configs)
    response = await wire.call(None, IncrementalAlterConfigsRequest(resources=[resource], validate_only=False))
    check(response.responses[0].error_code, response.responses[0].error_message or "")
