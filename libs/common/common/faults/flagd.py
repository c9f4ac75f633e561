"""The values of switches, from files in flagd's format: a base (a ConfigMap, say), and overrides made while it runs.

    {"flags": {"payment.latency": {"state": "ENABLED", "variants": {"off": 0, "2s": 2.0}, "defaultVariant": "2s",
                                   "metadata": {"until": 1767225600}}}}

`metadata.until` (Unix seconds) ends a flag by itself. Targeting rules are not understood, and such a flag is refused.
(https://flagd.dev/reference/flag-definitions/; the provider interface is OpenFeature's, https://openfeature.dev/specification)
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider import AbstractProvider, Metadata

from common.errors import SettingsError

LOOK_EVERY = 0.1  # seconds

_log = structlog.get_logger("faults")


class Flag(msgspec.Struct, frozen=True, rename="camel"):
    variants: dict[str, bool | float | str]
    default_variant: str
    state: str = "ENABLED"
    targeting: dict[str, Any] = {}
    metadata: dict[str, bool | float | str] = {}

    def on(self, now: float) -> bool:
        until = self.metadata.get("until")
        return self.state == "ENABLED" and (until is None or now < float(until))

    @property
    def value(self) -> bool | float | str:
        return self.variants[self.default_variant]


class FlagFile(msgspec.Struct, frozen=True):
    flags: dict[str, Flag]


def read(path: Path) -> dict[str, Flag]:
    """None of them when there is no file. Raises SettingsError for one that is no flagd file, or more than we know."""
    try:
        flags = msgspec.json.decode(path.read_bytes(), type=FlagFile).flags
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingsError(f"{path}: no flags can be read: {error}") from error
    for name, flag in flags.items():
        if flag.targeting or flag.default_variant not in flag.variants:
            raise SettingsError(f"{path}: {name}: a default variant is wanted, and no targeting")
    return flags


def write(path: Path, flags: Mapping[str, Flag]) -> None:
    """Replace the file at once: whoever reads sees the old or the new one whole."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(FlagFile(dict(flags)))))
    fresh.replace(path)


class FlagdProvider(AbstractProvider):
    """The flags of several files, later ones over earlier ones. A file that changes counts within `LOOK_EVERY`; one that
    becomes unreadable is reported, and its last good content stays."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files: dict[Path, dict[str, Flag]] = {path: {} for path in paths}
        self._seen: dict[Path, tuple[int, int] | None] = {}
        self._flags: dict[str, Flag] = {}
        self._look_at = 0.0

    def flags(self) -> Mapping[str, Flag]:
        """As they are now: a dictionary look-up, and now and then a look at the files."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            self._look()
        return self._flags

    def get_metadata(self) -> Metadata:
        return Metadata(name="flagd files")

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        value, variant = self._resolve(flag_key)
        if isinstance(value, str):
            raise TypeMismatchError(f"{flag_key}: {value!r} is no number")
        return FlagResolutionDetails(float(value), variant=variant, reason=Reason.STATIC)

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        value, variant = self._resolve(flag_key)
        return FlagResolutionDetails(bool(value), variant=variant, reason=Reason.STATIC)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        found = self.resolve_float_details(flag_key, default_value, evaluation_context)
        return FlagResolutionDetails(int(found.value), variant=found.variant, reason=Reason.STATIC)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        value, variant = self._resolve(flag_key)
        return FlagResolutionDetails(str(value), variant=variant, reason=Reason.STATIC)

    def resolve_object_details(
        self, flag_key: str, default_value: Any, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[Any]:
        raise TypeMismatchError(f"{flag_key}: these flags are numbers, words and switches")

    def _resolve(self, key: str) -> tuple[bool | float | str, str]:
        flag = self.flags().get(key)
        if flag is None or not flag.on(time.time()):
            raise FlagNotFoundError(f"{key} is not set")
        return flag.value, flag.default_variant

    def _look(self) -> None:
        changed = False
        for path in self._files:
            try:
                stat = path.stat()
                version = (stat.st_mtime_ns, stat.st_ino)
            except OSError:
                version = None
            if path in self._seen and self._seen[path] == version:
                continue
            self._seen[path], changed = version, True
            try:
                self._files[path] = read(path)
            except SettingsError as error:
                _log.error("switches stay as they were", error=str(error))
        if changed:
            self._flags = {name: flag for flags in self._files.values() for name, flag in flags.items()}
            _log.info("switches", set={name: flag.default_variant for name, flag in self._flags.items()})
