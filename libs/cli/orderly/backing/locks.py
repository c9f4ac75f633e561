"""What makes our Kafka and Redis let in only whom they know, and let them do only what common.security.access says.

Kafka knows a service by its certificate of the platform's CA, whose subject is its name; so do brokers and controllers each
other. Redis shows a certificate and asks for user and password: it cannot tell clients by theirs. Plain text is spoken by
neither. Each server itself is its own super user, and who else has its key may do everything there: this very user.
"""

import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from common.security import access
from orderly.folder import Folder
from orderly.servers import KAFKA, REDIS

AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
TLS = "TLSv1.3"
BITS = 256
TO_RELOAD = ("+ping", "+config|set", "+acl|load")
REDIS_USERS = (*access.IN_REDIS, REDIS)


def for_kafka(folder: Folder) -> Mapping[str, str]:
    """Properties for each node."""
    own = folder.certificates / KAFKA
    return {
        "listener.security.protocol.map": "CLIENT:SSL,CONTROLLER:SSL",
        "ssl.client.auth": "required",
        "ssl.enabled.protocols": TLS,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(own / "tls-combined.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(own / "ca.crt"),
        "ssl.principal.mapping.rules": "RULE:^CN=([^,]+)$/$1/,DEFAULT",
        "authorizer.class.name": AUTHORIZER,
        "super.users": f"User:{KAFKA}",
        "allow.everyone.if.no.acl.found": "false",
    }


def for_redis(folder: Folder, port: int) -> Mapping[str, str]:
    """Settings. Writes the users' passwords where there are none, and the file of what they may do."""
    users = folder.root / "redis" / "users.acl"
    _write(users, acl_of_redis({user: _password(folder.redis_password(user)) for user in REDIS_USERS}))
    own = folder.certificates / REDIS
    return {"port": "0", "tls-port": str(port), "tls-auth-clients": "no", "aclfile": str(users), **tls_of_redis(own)}


def acl_of_redis(passwords: Mapping[str, bytes]) -> str:
    """The file of all REDIS_USERS. Redis keeps no password: it has their hashes."""
    spaces = {user: space.rules() for user, space in access.IN_REDIS.items()} | {REDIS: TO_RELOAD}
    known = {user: hashlib.sha256(password).hexdigest() for user, password in passwords.items()}
    return "".join(
        [f"{access.NOBODY_IN_REDIS}\n", *(f"user {it} on #{known[it]} {' '.join(spaces[it])}\n" for it in spaces)]
    )


def tls_of_redis(own: Path) -> dict[str, str]:
    return {
        "tls-protocols": TLS,
        "tls-cert-file": str(own / "tls.crt"),
        "tls-key-file": str(own / "tls.key"),
        "tls-ca-cert-file": str(own / "ca.crt"),
    }


def _password(password: Path) -> bytes:
    if not password.exists():
        password.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(password, new_password())
    return password.read_bytes()


def new_password() -> str:
    return secrets.token_hex(BITS // 8)


def _write(path: Path, content: str) -> None:
    """For its owner alone."""
    beside = path.with_name(f"{path.name}.new")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)
    beside.replace(path)
