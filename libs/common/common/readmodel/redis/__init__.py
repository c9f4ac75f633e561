"""The read model in Redis: for many processes, and for reads that no projector's thread may slow down."""

from common.readmodel.redis.generations import RedisGenerations
from common.readmodel.redis.model import RedisReadModel
from common.readmodel.redis.view import RedisView

__all__ = ["RedisGenerations", "RedisReadModel", "RedisView"]
