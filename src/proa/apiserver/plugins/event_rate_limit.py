"""EventRateLimit (opt-in): events come no faster than the configuration says, so that they do not fill the store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from proa.aio.clock import Clock
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import ConfigurationError, PluginContext
from proa.machinery.fields import ErrorList, Path, aggregated
from proa.machinery.resource import Resource
from proa.machinery.status import too_many_requests

_MOST_BUCKETS = 4096
_OBJECT = ("kind", "namespace", "name", "uid", "apiVersion")


class EventRateLimit:
    name = "EventRateLimit"

    def __init__(self, context: PluginContext) -> None:
        self._limits = tuple(_Limit(each, context.clock) for each in _checked(context.configuration.get(self.name, {})))

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return resource.kind == "Event" and operation in ("CREATE", "UPDATE") and bool(self._limits)

    def validate(self, attributes: Attributes) -> None:
        if attributes.dry_run:
            return
        # Every bucket is asked, so that each counts what comes.
        reached = [limit.reached(attributes) for limit in self._limits]
        why = aggregated(each for each in reached if each)
        if why:
            raise too_many_requests(why)


class _Limit:
    """One limit: a bucket for each key. A bucket holds `burst` tokens and gets `qps` of them a second."""

    def __init__(self, configuration: Mapping[str, Any], clock: Clock) -> None:
        self._type: str = configuration["type"]
        self._qps: int = configuration["qps"]
        self._burst: int = configuration["burst"]
        self._most = configuration.get("cacheSize") or _MOST_BUCKETS
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def reached(self, attributes: Attributes) -> str:
        """Takes a token; why there is none, else ''."""
        key = _KEYS[self._type](attributes)
        now = self._clock.monotonic()
        tokens, since = self._buckets.pop(key, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + (now - since) * self._qps)
        left = tokens - 1 if tokens >= 1 else tokens
        self._buckets[key] = left, now
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return "" if tokens >= 1 else f"limit reached on type {self._type} for key {key}"


def _source_and_object(attributes: Attributes) -> str:
    event = attributes.document or {}
    source = event.get("source") or event.get("deprecatedSource") or {}
    about = event.get("involvedObject") or event.get("regarding") or {}
    return "".join((source.get("component") or "", source.get("host") or "", *(about.get(f) or "" for f in _OBJECT)))


_KEYS: Mapping[str, Callable[[Attributes], str]] = {
    "Server": lambda attributes: "",
    "Namespace": lambda attributes: attributes.namespace,
    "User": lambda attributes: attributes.user.name,
    "SourceAndObject": _source_and_object,
}


def _checked(configuration: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The limits. Raises ConfigurationError."""
    limits, path, errors = configuration.get("limits") or (), Path("limits"), ErrorList()
    if not limits:
        errors.invalid(path, [], "must not be empty")
    for position, each in enumerate(limits):
        at = path.index(position)
        if each.get("type") not in _KEYS:
            errors.unsupported(at.child("type"), each.get("type") or "", sorted(_KEYS))
        for field in ("burst", "qps"):
            if (each.get(field) or 0) <= 0:
                errors.invalid(at.child(field), each.get(field) or 0, "must be positive")
        if (each.get("cacheSize") or 0) < 0:
            errors.invalid(at.child("cacheSize"), each["cacheSize"], "must not be negative")
    if errors:
        raise ConfigurationError(f"EventRateLimit: {errors.message}")
    return limits
