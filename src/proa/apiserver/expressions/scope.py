"""What a policy or a binding is about: MatchResources, compiled once and narrowed for each kind of write.

Not here: rules of webhooks, which are simpler (`apiserver.webhooks.hooks`), and match conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from proa.apiserver.admission import Attributes
from proa.apiserver.matching import NamespaceLabels, object_matches, rule_matches
from proa.machinery.resource import Resource
from proa.machinery.selectors import EVERYTHING, Selector, label_selector


class _Named(NamedTuple):
    """A rule that names such writes. names: of objects, empty for all. version: as which it names them."""

    names: tuple[str, ...]
    version: Resource[Any]

    def covers(self, name: str) -> bool:
        return not self.names or name in self.names


class Scope(msgspec.Struct, frozen=True, eq=False):
    """MatchResources; `EVERYWHERE` where there are none."""

    namespaces: Selector = EVERYTHING
    objects: Selector = EVERYTHING
    rules: tuple[Any, ...] = ()
    excluded: tuple[Any, ...] = ()
    equivalent: bool = False

    @classmethod
    def of(cls, matched: Any) -> Scope:
        """Of a declared MatchResources."""
        if matched is None:
            return EVERYWHERE
        return cls(
            _selector(matched.namespaceSelector),
            _selector(matched.objectSelector),
            matched.resourceRules,
            matched.excludeResourceRules,
            matched.matchPolicy == "Equivalent",
        )

    def narrowed(
        self, resource: Resource[Any], subresource: str, operation: str, equivalents: Sequence[Resource[Any]]
    ) -> Narrowed | None:
        """What of it is about such writes; None: nothing."""
        others = equivalents if self.equivalent else ()

        def naming(rules: Sequence[Any]) -> tuple[_Named, ...]:
            own = [
                _Named(each.resourceNames, resource) for each in rules if _is(each, resource, subresource, operation)
            ]
            return tuple(own) + tuple(
                _Named(each.resourceNames, other)
                for each in rules
                for other in others
                if _is(each, other, subresource, operation)
            )

        rules = naming(self.rules) if self.rules else (_Named((), resource),)
        excluded = naming(self.excluded)
        if not rules or any(not each.names for each in excluded):
            return None
        return Narrowed(self, rules, excluded)


EVERYWHERE = Scope()


class Narrowed(NamedTuple):
    """A scope for writes of one resource, subresource and operation."""

    scope: Scope
    rules: tuple[_Named, ...]
    excluded: tuple[_Named, ...]

    async def match(self, attributes: Attributes, namespaces: NamespaceLabels) -> Resource[Any] | None:
        """The version as which a write is matched; None: it is not. Raises StatusError: its namespace is not there."""
        name = attributes.name
        if any(each.covers(name) for each in self.excluded):
            return None
        version = next((each.version for each in self.rules if each.covers(name)), None)
        if version is None or not object_matches(self.scope.objects, attributes):
            return None
        return version if await namespaces.match(self.scope.namespaces, attributes) else None


def _is(rule: Any, resource: Resource[Any], subresource: str, operation: str) -> bool:
    return rule_matches(rule, resource, subresource, operation)


def _selector(selector: Any) -> Selector:
    return EVERYTHING if selector is None else label_selector(selector)
