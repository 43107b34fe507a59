"""Which writes the rules and selectors of a webhook or a policy are about.

Predicates over declared RuleWithOperations values and label selectors. Not here: conditions written as expressions,
and what happens to a write that matches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from proa.api.core_v1.resources import NAMESPACES
from proa.apiserver.admission import Attributes
from proa.client.informer import Informers
from proa.client.protocol import Client
from proa.machinery.resource import Resource
from proa.machinery.selectors import Selector

_GROUP = "admissionregistration.k8s.io"
_EXEMPT = frozenset(
    {
        "validatingwebhookconfigurations",
        "mutatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
    }
)

Labels = Mapping[str, str]


def configures_admission(resource: Resource[Any]) -> bool:
    """Whether its objects decide who is asked: about those nobody is, so that a broken one can always be taken away."""
    return resource.group == _GROUP and resource.plural in _EXEMPT


def rule_matches(rule: Any, resource: Resource[Any], subresource: str, operation: str) -> bool:
    """Whether a rule names such writes."""
    return (
        _named(operation, rule.operations)
        and _named(resource.group, rule.apiGroups)
        and _named(resource.version, rule.apiVersions)
        and (rule.scope in (None, "*") or (rule.scope == "Namespaced") == resource.namespaced)
        and any(_is(each, resource.plural, subresource) for each in rule.resources)
    )


def matched_version(
    rules: Iterable[Any],
    resource: Resource[Any],
    subresource: str,
    operation: str,
    equivalents: Sequence[Resource[Any]] = (),
) -> Resource[Any] | None:
    """The resource as which the rules name such writes: itself, else an equivalent; None: they do not."""
    rules = tuple(rules)
    if any(rule_matches(each, resource, subresource, operation) for each in rules):
        return resource
    for rule in rules:
        for other in equivalents:
            if rule_matches(rule, other, subresource, operation):
                return other
    return None


def namespace_of(attributes: Attributes) -> str:
    """The namespace a write is about: of a Namespace, it is its own."""
    return attributes.name if attributes.resource == NAMESPACES else attributes.namespace


def object_matches(selector: Selector, attributes: Attributes) -> bool:
    """Whether the new or the old object has the labels."""
    return selector.empty or any(
        selector.matches(labels_of(each)) for each in (attributes.document, attributes.old) if each is not None
    )


def labels_of(document: Mapping[str, Any]) -> Labels:
    labels: Labels = (document.get("metadata") or {}).get("labels") or {}
    return labels


class NamespaceLabels:
    """The labels that namespace selectors look at. `client` acts as the server itself."""

    def __init__(self, client: Client, informers: Informers) -> None:
        self._client = client
        self._namespaces = informers.informer(NAMESPACES)

    async def match(self, selector: Selector, attributes: Attributes) -> bool:
        """Whether the namespace of a write is selected; what is in none always is. Raises StatusError 404."""
        return selector.empty or not namespace_of(attributes) or selector.matches(await self.of(attributes))

    async def of(self, attributes: Attributes) -> Labels:
        """The labels of the namespace; of a Namespace that is being written those it will have."""
        document = attributes.document
        if attributes.resource == NAMESPACES and not attributes.subresource and document is not None:
            return labels_of(document)
        name = namespace_of(attributes)
        found = self._namespaces.get(name) or await self._client.get(NAMESPACES, name)
        return found.metadata.labels


def _named(what: str, names: Sequence[str]) -> bool:
    return what in names or "*" in names


def _is(named: str, plural: str, subresource: str) -> bool:
    resource, _, below = named.partition("/")
    return resource in ("*", plural) and below in ("*", subresource)
