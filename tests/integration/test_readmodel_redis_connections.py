"""How Redis is reached: users, passwords, TLS, a cluster's rules; one subscription and one connection for all who wait."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import redis
from cryptography import x509

from common.clock import HOUR, system_clock
from common.errors import OrderlyError, Unavailable
from common.readmodel import Bell, Document, Entry
from common.readmodel.redis import RedisGenerations, RedisReadModel, RedisView
from common.security.access import IN_REDIS
from common.security.authority import Authority
from common.testing.eventually import eventually
from orderly.backing import locks
from orderly.backing.private import RedisServer
from orderly.sockets import free_ports

pytestmark = [pytest.mark.redis, pytest.mark.usefixtures("patient")]


async def works(url: str, service: str = "order") -> bool:
    """Whether a batch that is written under a URL is read under it, from another process' view too."""
    model, view = RedisReadModel(url, service, Bell()), RedisView(url, service, Bell())
    try:
        assert model.generation and model.positions() == {}
        model.serve()
        waiting = asyncio.create_task(view.changed("a", 10.0))
        entries = [Entry("list", "1", b""), Entry("other", "1", b"")]
        model.apply([Document("a", 1, b"{}"), Document("b", 1, b"{}")], entries, {"events/0": 1})
        await waiting
        generations = RedisGenerations(url, service)
        generations.drop(generations.new())
        generations.close()
        return await view.get("a") == Document("a", 1, b"{}") and await view.list("list") == entries[:1]
    finally:
        model.close()
        view.close()


async def test_a_password_and_a_user_are_shown_to_redis_and_to_nobody_else(tmp_path: Path) -> None:
    server = RedisServer.start(tmp_path, {"requirepass": "s3cret"})
    address = f"127.0.0.1:{server.plan.port}"
    try:
        rights = ("on", ">pa:ss", "~orderly:*", "&orderly:*", "+@all", "-@dangerous", "+info")
        assert tell(f"redis://:s3cret@{address}/0", "ACL", "SETUSER", "orderly", *rights)
        assert await works(f"redis://:s3cret@{address}/0")
        assert await works(f"redis://orderly:pa%3Ass@{address}/0", "payment")  # pragma: allowlist secret
        with pytest.raises(Unavailable, match=address) as refused:
            await works(f"redis://:wr0ng@{address}/0")
        assert "wr0ng" not in str(refused.value)
        view = RedisView(f"redis://{address}/0", "order", Bell())
        with pytest.raises(Unavailable, match=address):
            await view.get("a")
        view.close()
    finally:
        server.close()


async def test_a_service_that_may_only_what_is_its_own_reads_and_writes_no_other_read_model(tmp_path: Path) -> None:
    server = RedisServer.start(tmp_path)
    address = f"127.0.0.1:{server.plan.port}"
    try:
        for service in ("order", "payment"):
            assert tell(server.url, "ACL", "SETUSER", service, "on", f">{service}", *IN_REDIS[service].rules())
        assert await works(f"redis://order:order@{address}/0", "order")  # pragma: allowlist secret
        assert await works(f"redis://payment:payment@{address}/0", "payment")  # pragma: allowlist secret
        view = RedisView(f"redis://order:order@{address}/0", "payment", Bell())
        with pytest.raises(OrderlyError):
            await view.get("a")
        view.close()
        with pytest.raises(OrderlyError):
            await works(f"redis://order:order@{address}/0", "payment")  # pragma: allowlist secret
    finally:
        server.close()


async def test_a_redis_that_knows_its_users_has_what_it_had_when_it_was_killed(tmp_path: Path) -> None:
    """It reads its own file as the user that nobody may be, and leaves out every transaction which that one may not do."""
    users = tmp_path / "users.acl"
    users.write_text(locks.acl_of_redis({user: user.encode() for user in locks.REDIS_USERS}))
    server = RedisServer.start(tmp_path, {"aclfile": str(users), "appendonly": "yes", "appendfsync": "always"})
    address = f"127.0.0.1:{server.plan.port}"
    url = f"redis://order:order@{address}/0"  # pragma: allowlist secret
    model = RedisReadModel(url, "order", Bell())
    try:
        assert await works(url)
        server.kill()
        server.restart()
        assert model.generation
        assert model.load(["a"]) == {"a": Document("a", 1, b"{}")}
        assert model.positions() == {"events/0": 1}
        for nobody in (f"redis://{address}/0", f"redis://default:@{address}/0", f"redis://default:x@{address}/0"):
            with pytest.raises(redis.AuthenticationError):
                tell(nobody, "PING")
    finally:
        model.close()
        server.close()


async def test_tls_is_spoken_and_the_server_is_checked(tmp_path: Path) -> None:
    authority, stranger = (Authority.create(system_clock()) for _ in range(2))
    leaf = authority.sign([x509.DNSName("localhost")], system_clock(), HOUR)
    files = {"key": leaf.key, "cert": leaf.certificate, "ca": authority.stored().certificate}
    files["stranger"] = stranger.stored().certificate
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (port,) = free_ports(1)
    options = {"tls-port": str(port), "tls-auth-clients": "no"}
    options |= {
        f"tls-{name}-file": str(tmp_path / part) for name, part in [("cert", "cert"), ("key", "key"), ("ca-cert", "ca")]
    }
    server = RedisServer.start(tmp_path / "redis", options)
    try:
        assert await works(f"rediss://localhost:{port}/0?ssl_ca_certs={tmp_path / 'ca'}")
        with pytest.raises(Unavailable, match="certificate"):
            await works(f"rediss://localhost:{port}/0?ssl_ca_certs={tmp_path / 'stranger'}")
    finally:
        server.close()


async def test_all_of_a_service_is_in_one_slot_of_a_cluster(tmp_path: Path) -> None:
    server = RedisServer.start(tmp_path, {"cluster-enabled": "yes", "cluster-port": str(*free_ports(1))})
    try:
        assert tell(server.url, "CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        eventually(lambda: b"cluster_state:ok" in tell(server.url, "CLUSTER", "INFO"), within=30)
        assert await works(server.url)
    finally:
        server.close()


def tell(url: str, *command: str) -> Any:
    with redis.Redis.from_url(url, protocol=2) as client:
        return client.execute_command(*command)


async def test_many_who_wait_share_one_subscription_and_one_connection(tmp_path: Path) -> None:
    server = RedisServer.start(tmp_path)
    model, view = RedisReadModel(server.url, "order", Bell()), RedisView(server.url, "order", Bell())
    try:
        assert model.generation
        model.serve()

        async def follow(key: str) -> None:
            while await view.get(key) is None:
                await view.changed(key, 10.0)

        followers = [asyncio.create_task(follow(f"k{n}")) for n in range(200)]
        await asyncio.to_thread(eventually, lambda: listeners(server.url) == 1)
        assert tell(server.url, "CLIENT", "LIST").count(b"id=") <= 2 + 2 + 1  # view, model with generations, this one
        await asyncio.to_thread(model.apply, [Document(f"k{n}", 1, b"") for n in range(200)], [], {})
        async with asyncio.timeout(30):
            await asyncio.gather(*followers)
    finally:
        model.close()
        view.close()
        server.close()


async def test_a_subscription_that_was_lost_is_made_again(redis_url: str) -> None:
    view = RedisView(redis_url, "lonely", Bell())
    try:
        await view.changed("a", 0.05)
        await asyncio.to_thread(eventually, lambda: listeners(redis_url, "lonely") == 1)
        tell(redis_url, "CLIENT", "KILL", "TYPE", "pubsub")
        async with asyncio.timeout(30):
            await view.changed("a", 30.0)  # looks again by itself
        await asyncio.to_thread(eventually, lambda: listeners(redis_url, "lonely") == 1)
    finally:
        view.close()


def listeners(url: str, service: str = "order") -> int:
    _, number = tell(url, "PUBSUB", "NUMSUB", f"orderly:{{{service}}}:changed")
    return int(number)
