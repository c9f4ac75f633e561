"""An engine is where the log and the read models are kept. Only app.py of a service, and the tools beside it, open one.

What an engine needs is imported when it is chosen: a process of the embedded one holds no Kafka client.
"""

from common.engine.port import Engine
from common.errors import SettingsError
from common.settings import ENGINES, Keeping

__all__ = ["Engine", "of"]


def of(settings: Keeping) -> Engine:
    """The chosen one. Raises SettingsError for one that there is not, or that lacks a setting."""
    match settings.engine:
        case "embedded":
            from common.engine.embedded import EmbeddedEngine

            return EmbeddedEngine(settings.data)
        case "kafka":
            from common.engine.kafka import KafkaEngine

            return KafkaEngine.of(settings)
        case other:
            raise SettingsError(f"ORDERLY_ENGINE: {other!r} is none of {', '.join(ENGINES)}")
